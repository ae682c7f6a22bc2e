// s3_errors.cc — the table of statuses and codes.
#include "storage/s3_errors.h"

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "base/time.h"
#include "storage/s3_xml.h"

namespace cloakroom {
namespace {

constexpr std::array<long, 9> kPassingStatus{408, 429, 499, 500, 502, 503, 504, 509, 520};
constexpr std::array<std::string_view, 7> kPassingCodes{
    "RequestTimeout",     "RequestTimeoutException", "PriorRequestNotComplete", "InternalError",
    "ServiceUnavailable", "OperationAborted",        "TransientError"};
constexpr std::array<std::string_view, 3> kEndedCodes{"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"};
constexpr std::array<std::string_view, 6> kThrottlingCodes{
    "SlowDown", "SlowDownRead", "SlowDownWrite", "RequestLimitExceeded", "BandwidthLimitExceeded", "TooManyRequests"};

template <class Table, class T>
bool holds(const Table& table, const T& value) {
  return std::find(table.begin(), table.end(), value) != table.end();
}

// Enough of it to name the cause, and nothing that could break a log line or name a key.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, 64));
  std::erase_if(out, [](char c) { return c <= ' ' || c > '~'; });
  return out;
}

std::chrono::milliseconds pause_asked_for(const HttpAnswer& answer) {
  using std::chrono::milliseconds;
  constexpr std::uint64_t kLongest = 86400;  // seconds; whoever waits caps it far lower
  if (const auto ms = parse_u64(answer.header("x-amz-retry-after"))) {
    return milliseconds(std::min(*ms, kLongest * 1000));
  }
  const std::string_view text = answer.header("retry-after");
  if (const auto seconds = parse_u64(text)) return milliseconds(std::min(*seconds, kLongest) * 1000);
  const auto until = parse_http_date(text);
  const auto since = parse_http_date(answer.header("date"));  // the store's clock on both sides
  if (!until || !since || *until <= *since) return milliseconds(0);
  return std::chrono::duration_cast<milliseconds>(*until - *since);
}

bool is_throttling(std::string_view code) {
  return holds(kThrottlingCodes, code) || code.rfind("Throttling", 0) == 0;
}

}  // namespace

bool is_success(const HttpAnswer& answer) {
  return answer.status >= 200 && answer.status < 300;
}

bool succeeded(const Result<HttpAnswer>& answer) {
  return answer && is_success(*answer);
}

bool is_not_implemented(const HttpAnswer& answer) {
  return answer.status == 501 || answer.status == 405 || s3_error_code(answer) == "NotImplemented";
}

Error s3_error_of_code(std::string_view method, std::string_view code) {
  const std::string name = printable(code);
  Error error{Errc::kStore, "store answered " + name + " to " + std::string(method)};
  error.throttled = is_throttling(name);
  error.retryable = error.throttled || holds(kPassingCodes, name);
  return error;
}

std::string s3_error_code(const HttpAnswer& answer) {
  if (answer.body.empty()) return {};
  const Result<S3ErrorBody> body = parse_s3_error(answer.body);
  return body ? printable(body->code) : std::string();
}

bool is_end_of_credentials(const HttpAnswer& answer) {
  return holds(kEndedCodes, s3_error_code(answer));
}

Error s3_error(std::string_view method, const HttpAnswer& answer) {
  const Result<S3ErrorBody> body = parse_s3_error(answer.body);
  const std::string code = body ? printable(body->code) : std::string();
  std::string region(answer.header("x-amz-bucket-region"));
  if (region.empty() && body) region = body->region;

  Error error{Errc::kStore, "store answered " + std::to_string(answer.status)};
  error.detail.append(code.empty() ? "" : " ").append(code).append(" to ").append(method);
  // A wrong region is the one mistake whose cure the store knows.
  const bool wrong_region = answer.status == 301 || answer.status == 400;
  if (wrong_region && !region.empty()) error.detail.append(": the bucket is in region '" + printable(region) + "'");

  if (answer.status == 404 && code != "NoSuchBucket") error.code = Errc::kNotFound;
  if (answer.status == 507 || code == "QuotaExceeded") error.code = Errc::kDiskFull;
  error.throttled = answer.status == 429 || answer.status == 509 || is_throttling(code);
  error.retry_after = pause_asked_for(answer);
  error.retryable = error.code == Errc::kStore && (error.throttled || holds(kEndedCodes, code) ||
                                                   holds(kPassingStatus, answer.status) || holds(kPassingCodes, code));
  return error;
}

namespace {

Error failed_within_success(std::string_view method, const HttpAnswer& answer, const std::string& code) {
  Error error{Errc::kStore, "store answered " + std::to_string(answer.status), {}, true};
  error.detail.append(" to ").append(method);
  error.detail.append(code.empty() ? "" : " with the error ").append(code);
  error.throttled = is_throttling(code);
  error.retry_after = pause_asked_for(answer);
  return error;
}

}  // namespace

Status check_success(std::string_view method, const HttpAnswer& answer) {
  if (!is_success(answer)) return s3_error(method, answer);
  const std::string code = s3_error_code(answer);
  if (!code.empty()) return failed_within_success(method, answer, code);
  return Ok{};
}

Status check_result(std::string_view method, const HttpAnswer& answer, const char* root) {
  if (!is_success(answer)) return s3_error(method, answer);
  if (answer.is_cut) {
    return Error{Errc::kStore, "store answered " + std::string(method) + " with a result that is too large"};
  }
  const Result<std::string> found = xml_root(answer.body);
  if (found && *found == root) return Ok{};
  const std::string code = s3_error_code(answer);
  Error error = failed_within_success(method, answer, code);
  if (code.empty()) error.detail += " with an unreadable result";
  return error;
}

}  // namespace cloakroom
