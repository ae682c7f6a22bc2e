// s3_errors.cc — the table of statuses and codes.
#include "storage/s3_errors.h"

#include <algorithm>
#include <array>

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

}  // namespace

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
  error.throttled =
      answer.status == 429 || answer.status == 509 || holds(kThrottlingCodes, code) || code.rfind("Throttling", 0) == 0;
  error.retryable = error.code == Errc::kStore && (error.throttled || holds(kEndedCodes, code) ||
                                                   holds(kPassingStatus, answer.status) || holds(kPassingCodes, code));
  return error;
}

Status check_result(std::string_view method, const HttpAnswer& answer, const char* root) {
  if (answer.status < 200 || answer.status > 299) return s3_error(method, answer);
  const Result<std::string> found = xml_root(answer.body);
  if (found && *found == root) return Ok{};
  const std::string code = s3_error_code(answer);
  Error error{Errc::kStore, "store answered " + std::to_string(answer.status), {}, true};
  error.detail.append(" to ").append(method);
  error.detail.append(code.empty() ? " with an unreadable result" : " with the error " + code);
  error.throttled = holds(kThrottlingCodes, code);
  return error;
}

}  // namespace cloakroom
