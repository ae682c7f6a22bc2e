// params.cc — numbers in network byte order, arrays with their header.
#include "db/params.h"

#include <type_traits>
#include <utility>

#include "base/result.h"

namespace cloakroom {
namespace {

constexpr std::chrono::sys_days kPgEpoch{std::chrono::year{2000} / 1 / 1};

template <class Int>
std::array<char, sizeof(Int)> big_endian(Int value) {
  using Bits = std::make_unsigned_t<Int>;
  const auto bits = static_cast<Bits>(value);
  std::array<char, sizeof(Int)> out{};
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    out[i] = static_cast<char>(static_cast<unsigned char>(bits >> (8 * (sizeof(Int) - 1 - i))));
  }
  return out;
}

template <class Int>
void append(std::string& out, Int value) {
  const auto bytes = big_endian(value);
  out.append(bytes.data(), bytes.size());
}

}  // namespace

std::int64_t pg_microseconds(TimePoint when) {
  return std::chrono::duration_cast<std::chrono::microseconds>(when - kPgEpoch).count();
}

TimePoint from_pg_microseconds(std::int64_t microseconds) {
  return TimePoint(kPgEpoch) + std::chrono::microseconds(microseconds);
}

PgArray::PgArray(Element element, std::size_t size) {
  const auto count = static_cast<std::int32_t>(size);
  append<std::int32_t>(out_, count == 0 ? 0 : 1);  // dimensions; an empty array has none
  append<std::int32_t>(out_, 1);                   // may hold nulls
  append<std::uint32_t>(out_, static_cast<std::uint32_t>(element));
  if (count == 0) return;
  append<std::int32_t>(out_, count);
  append<std::int32_t>(out_, 1);  // the first index
}

void PgArray::null() {
  append<std::int32_t>(out_, -1);
}

void PgArray::bytes(std::string_view value) {
  append(out_, static_cast<std::int32_t>(value.size()));
  out_ += value;
}

void PgArray::text(const std::optional<std::string>& value) {
  if (value) {
    bytes(*value);
  } else {
    null();
  }
}

void PgArray::uuid(const Uuid& value) {
  bytes({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
}

void PgArray::int4(const std::optional<std::uint32_t>& value) {
  if (!value) return null();
  append<std::int32_t>(out_, 4);
  append(out_, *value);
}

void PgArray::int8(std::int64_t value) {
  append<std::int32_t>(out_, 8);
  append(out_, value);
}

void PgArray::time(TimePoint value) {
  int8(pg_microseconds(value));
}

Params& Params::add(const char* value, std::size_t length) {
  if (size_ == kMaxParams) BUG("more parameters than kMaxParams");
  values_[size_] = value;
  lengths_[size_] = static_cast<int>(length);
  formats_[size_] = 1;
  ++size_;
  return *this;
}

template <class Int>
Params& Params::number(Int value) {
  if (size_ == kMaxParams) BUG("more parameters than kMaxParams");
  const auto bytes = big_endian(value);
  for (std::size_t i = 0; i < bytes.size(); ++i) numbers_[size_][i] = bytes[i];
  return add(numbers_[size_].data(), bytes.size());
}

Params& Params::null() {
  return add(nullptr, 0);
}
// An empty view may hold a null pointer, which would mean SQL's null.
Params& Params::text(std::string_view value) {
  return add(value.empty() ? "" : value.data(), value.size());
}
Params& Params::text(const std::optional<std::string>& value) {
  return value ? text(std::string_view(*value)) : null();
}
Params& Params::uuid(const Uuid& value) {
  return add(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}
Params& Params::boolean(bool value) {
  return number(static_cast<std::int8_t>(value ? 1 : 0));
}
Params& Params::int4(std::int32_t value) {
  return number(value);
}
Params& Params::maybe_int4(const std::optional<std::uint32_t>& value) {
  return value ? int4(static_cast<std::int32_t>(*value)) : null();
}
Params& Params::int8(std::int64_t value) {
  return number(value);
}
Params& Params::time(TimePoint value) {
  return int8(pg_microseconds(value));
}

Params& Params::array(PgArray&& value) {
  arrays_.push_back(std::move(value).take());
  return add(arrays_.back().data(), arrays_.back().size());
}

}  // namespace cloakroom
