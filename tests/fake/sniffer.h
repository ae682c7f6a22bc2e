// sniffer.h — a Sniffer that says what it was told, and keeps what it was shown.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "domain/ports.h"

namespace cloakroom::fake {

class FakeSniffer final : public Sniffer {
 public:
  std::deque<std::string> next_types;  // one a call; then "text/plain"
  std::vector<std::string> heads;      // the bytes of each call
  bool broken = false;

  Result<std::string> mime_type(std::span<const std::byte> head) override {
    heads.emplace_back(reinterpret_cast<const char*>(head.data()), head.size());
    if (broken) return Error{Errc::kInternal, "the fake sniffer is broken"};
    if (next_types.empty()) return std::string("text/plain");
    std::string type = next_types.front();
    next_types.pop_front();
    return type;
  }
};

}  // namespace cloakroom::fake
