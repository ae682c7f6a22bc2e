// result.h — the outcome of anything that can fail for a reason the program expects.
//
// Shape    Result<T> is tl::expected<T, Error> that must not be ignored. Status is a Result with no value.
// Errors   An Error's `code` picks the HTTP status (http/reply.cc holds the only table). `detail` is for the log.
//          `say` is for the client: one sentence that says what to do, free of secrets; empty = the code's own
//          sentence.
// Rule     Expected failure = Result. A broken invariant = BUG(). Nothing here throws.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace cloakroom {

enum class Errc {
  kInvalid,
  kUnauthenticated,
  kDenied,
  kNotFound,
  kMethodNotAllowed,
  kConflict,
  kLengthRequired,
  kPreconditionFailed,
  kTooLarge,
  kUnsupportedType,
  kRangeNotSatisfiable,
  kStore,        // the object store answered wrongly or not at all
  kStoreAway,    // the object store was not asked: it would not answer now
  kDatabase,     // PostgreSQL is away
  kInfected,     // the virus scanner found something
  kNotScanned,   // the virus scanner cannot look into it
  kScannerAway,  // the virus scanner is away, and without its word nothing is kept
  kUndecodable,  // no picture can be made of it
  kImagerAway,   // who makes pictures is away
  kNotYet,       // it is being made; a moment later it is there
  kDiskFull,
  kUnavailable,  // this process has no descriptor or memory left for it now
  kTooMany,      // over a budget; retry_after and policy say more
  kQuota,        // no room left of what a user or dialog may keep
  kInternal,
};

struct Error {
  Errc code = Errc::kInternal;
  std::string detail = {};
  std::string say = {};
  bool retryable = false;
  bool throttled = false;                    // the peer asks for fewer requests: pause longer before the second try
  std::chrono::milliseconds retry_after{0};  // the peer asks to be left alone for so long; 0 = it said nothing
  bool was_repeated = false;  // as often as is good by whoever failed: a second try is for later, not for now
  std::string policy = {};    // kTooMany: the budget, as the RateLimit-Policy field writes it: "uploads";q=60;w=60
};

struct Ok {};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
  using Base = tl::expected<T, Error>;

 public:
  Result(T value) : Base(std::move(value)) {}                    // NOLINT: implicit by design
  Result(Error error) : Base(tl::unexpect, std::move(error)) {}  // NOLINT: implicit by design
};

using Status = Result<Ok>;

// An error the client is to read as well as the log.
inline Error refuse(Errc code, std::string say) {
  std::string detail = say;
  return Error{code, std::move(detail), std::move(say), false};
}

[[noreturn]] void bug(const char* file, int line, const char* what);

}  // namespace cloakroom

#define BUG(what) ::cloakroom::bug(__FILE__, __LINE__, what)

#define CLOAKROOM_CONCAT_(a, b) a##b
#define CLOAKROOM_CONCAT(a, b) CLOAKROOM_CONCAT_(a, b)
#define TRY(expr)                                            \
  do {                                                       \
    auto try_result_ = (expr);                               \
    if (!try_result_) return std::move(try_result_).error(); \
  } while (0)
#define TRY_ASSIGN_(tmp, lhs, expr)        \
  auto tmp = (expr);                       \
  if (!tmp) return std::move(tmp).error(); \
  lhs = std::move(*tmp)
#define TRY_ASSIGN(lhs, expr) TRY_ASSIGN_(CLOAKROOM_CONCAT(try_result_, __COUNTER__), lhs, expr)
