// params.h — the parameters of one statement in PostgreSQL's binary format: nothing to quote, nothing to parse.
//
// Source   src/backend/utils/adt/*.c, the *recv functions (PostgreSQL 15); arrays: arrayfuncs.c, array_recv.
// Lifetime text() and uuid() keep pointers: what they were given must live until the statement was run.
// Rule     the SQL casts each parameter ($1::uuid), so the server never guesses a type.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/id.h"
#include "base/time.h"

namespace cloakroom {

inline constexpr std::size_t kMaxParams = 20;

// Builds one array. The element type is checked by the server against the cast in the SQL.
class PgArray {
 public:
  enum class Element : std::uint32_t {
    kInt8 = 20,
    kInt4 = 23,
    kText = 25,
    kBytea = 17,
    kTimestamptz = 1184,
    kUuid = 2950
  };

  PgArray(Element element, std::size_t size);
  void null();
  void bytes(std::string_view value);  // text and bytea
  void text(const std::optional<std::string>& value);
  void uuid(const Uuid& value);
  void int4(const std::optional<std::uint32_t>& value);
  void int8(std::int64_t value);
  void time(TimePoint value);

  std::string take() && { return std::move(out_); }

 private:
  std::string out_;
};

class Params {
 public:
  Params() = default;
  Params(const Params&) = delete;  // values_ points into this object
  Params& operator=(const Params&) = delete;

  Params& null();
  Params& text(std::string_view value);
  Params& text(const std::optional<std::string>& value);
  Params& text(const char* value) { return text(std::string_view(value)); }
  Params& text(const std::string& value) { return text(std::string_view(value)); }
  Params& uuid(const Uuid& value);
  Params& boolean(bool value);
  Params& int4(std::int32_t value);
  Params& maybe_int4(const std::optional<std::uint32_t>& value);
  Params& int8(std::int64_t value);
  Params& time(TimePoint value);
  Params& array(PgArray&& value);

  int size() const { return static_cast<int>(size_); }
  const char* const* values() const { return values_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  Params& add(const char* value, std::size_t length);
  template <class Int>
  Params& number(Int value);

  std::size_t size_ = 0;
  std::array<const char*, kMaxParams> values_{};
  std::array<int, kMaxParams> lengths_{};
  std::array<int, kMaxParams> formats_{};
  std::array<std::array<char, 8>, kMaxParams> numbers_{};
  std::deque<std::string> arrays_;  // a deque: its elements stay where they are
};

// timestamptz is microseconds since 2000-01-01 UTC.
std::int64_t pg_microseconds(TimePoint when);
TimePoint from_pg_microseconds(std::int64_t microseconds);

}  // namespace cloakroom
