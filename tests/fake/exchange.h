// exchange.h — a request made of variables and a body, and the answer taken apart again.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/encode.h"
#include "http/exchange.h"

namespace cloakroom::fake {

struct Answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // "" when absent.
  std::string header(std::string_view name) const {
    const auto found = std::find_if(headers.begin(), headers.end(), [&](const auto& h) { return h.first == name; });
    return found == headers.end() ? std::string() : found->second;
  }
};

class FakeExchange final : public Exchange {
 public:
  std::map<std::string, std::string> variables;
  std::string body;
  std::size_t chunk_bytes = 7;  // read_body gives at most so many at once
  bool client_gone = false;     // read_body fails at the end of `body` instead of saying 0
  bool client_deaf = false;     // write fails
  std::string written;

  std::string_view variable(const char* name) const override {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string_view() : std::string_view(found->second);
  }

  Result<std::size_t> read_body(std::span<std::byte> into) override {
    const std::size_t size = std::min({into.size(), chunk_bytes, body.size() - read_});
    if (size == 0 && client_gone) return Error{Errc::kInvalid, "the client went away"};
    std::memcpy(into.data(), body.data() + read_, size);
    read_ += size;
    return size;
  }

  Status write(std::span<const std::byte> bytes) override {
    if (client_deaf) return Error{Errc::kInvalid, "the client went away"};
    written.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }

  // Splits strictly at CRLF, so that a header that breaks out of its line shows as one more header.
  Answer answer() const {
    Answer out;
    std::string_view rest = written;
    while (true) {
      const std::size_t end = rest.find("\r\n");
      if (end == 0 || end == std::string_view::npos) {
        out.body = end == 0 ? rest.substr(2) : std::string_view();
        return out;
      }
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end + 2);
      const std::size_t colon = line.find(": ");
      const std::string_view name = line.substr(0, colon);
      const std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 2);
      if (name == "Status") {
        const auto number = parse_u64(value.substr(0, 3));
        out.status = number ? static_cast<int>(*number) : -1;
      } else {
        out.headers.emplace_back(name, value);
      }
    }
  }

 private:
  std::size_t read_ = 0;
};

}  // namespace cloakroom::fake
