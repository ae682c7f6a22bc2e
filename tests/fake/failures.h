// failures.h — makes the nth call of a fake fail, and notes every call in a journal that several fakes may share.
#pragma once

#include <cstddef>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace cloakroom::fake {

using Journal = std::vector<std::string>;

class Failures {
 public:
  explicit Failures(Journal* journal) : journal_(journal) {}

  // The nth call from now (1 is the next one) answers with this error; the others work.
  void fail(std::size_t nth, Error error) {
    left_ = nth;
    error_ = std::move(error);
  }
  // Every call throws std::bad_alloc from now on.
  void run_out_of_memory() { out_of_memory_ = true; }

  Status enter(std::string call) {
    if (journal_ != nullptr) journal_->push_back(std::move(call));
    if (out_of_memory_) throw std::bad_alloc();
    if (left_ > 0 && --left_ == 0) return error_;
    return Ok{};
  }

 private:
  Journal* journal_;
  std::size_t left_ = 0;
  Error error_;
  bool out_of_memory_ = false;
};

}  // namespace cloakroom::fake
