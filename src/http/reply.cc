// reply.cc — the table of failures, problem documents, and the bytes of an answer.
#include "http/reply.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "base/json.h"

namespace cloakroom {
namespace {

struct Row {
  Errc code;
  int status;
  std::string_view name, title, sentence;
};

// The only place where a failure gets its number.
constexpr std::array kTable{
    Row{Errc::kInvalid, 400, "invalid", "Bad Request", "The request is malformed."},
    Row{Errc::kUnauthenticated, 401, "unauthenticated", "Unauthorized", "Who are you? Send a valid token."},
    Row{Errc::kDenied, 403, "denied", "Forbidden", "You may not do this."},
    Row{Errc::kNotFound, 404, "not_found", "Not Found", "There is nothing here for you."},
    Row{Errc::kMethodNotAllowed, 405, "method_not_allowed", "Method Not Allowed",
        "This address does not take this method."},
    Row{Errc::kConflict, 409, "conflict", "Conflict", "The state of the attachment does not allow this."},
    Row{Errc::kLengthRequired, 411, "length_required", "Length Required", "Send Content-Length."},
    Row{Errc::kPreconditionFailed, 412, "precondition_failed", "Precondition Failed",
        "The file is not the one you named."},
    Row{Errc::kTooLarge, 413, "too_large", "Content Too Large", "The upload is too large."},
    Row{Errc::kQuota, 413, "quota", "Content Too Large", "There is no room left in the quota. Remove files first."},
    Row{Errc::kUnsupportedType, 415, "unsupported_type", "Unsupported Media Type", "This type is not accepted here."},
    Row{Errc::kRangeNotSatisfiable, 416, "range_not_satisfiable", "Range Not Satisfiable",
        "The file has no such range."},
    Row{Errc::kTooMany, 429, "too_many", "Too Many Requests", "Too many requests. Try again later."},
    Row{Errc::kStore, 502, "store", "Bad Gateway", "The file store does not answer. Nothing was changed; try again."},
    Row{Errc::kStoreAway, 503, "store_away", "Service Unavailable",
        "The file store does not answer at the moment. Nothing was changed; try again soon."},
    Row{Errc::kDatabase, 503, "database", "Service Unavailable", "The database does not answer. Try again soon."},
    Row{Errc::kInfected, 422, "infected", "Unprocessable Content", "A virus was found in the file. Nothing was kept."},
    Row{Errc::kNotScanned, 422, "not_scanned", "Unprocessable Content",
        "The file cannot be scanned for viruses. Nothing was kept."},
    Row{Errc::kScannerAway, 503, "scanner_away", "Service Unavailable",
        "The virus scanner does not answer at the moment. Nothing was kept; try again soon."},
    Row{Errc::kUndecodable, 422, "undecodable", "Unprocessable Content", "No picture can be made of this file."},
    Row{Errc::kImagerAway, 503, "imager_away", "Service Unavailable",
        "Pictures cannot be made at the moment. Try again soon."},
    Row{Errc::kNotYet, 503, "not_yet", "Service Unavailable", "This is being made. Try again in a moment."},
    Row{Errc::kDiskFull, 507, "disk_full", "Insufficient Storage", "There is no room left. Nothing was kept."},
    Row{Errc::kUnavailable, 503, "unavailable", "Service Unavailable",
        "The service is overloaded. Nothing was changed; try again soon."},
    Row{Errc::kInternal, 500, "internal", "Internal Server Error",
        "Something went wrong here. The log has the details."},
};

const Row& row(Errc code) {
  const auto* found = std::find_if(kTable.begin(), kTable.end(), [&](const Row& r) { return r.code == code; });
  if (found == kTable.end()) BUG("an error code without a row");
  return *found;
}

std::string_view reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    default:
      break;
  }
  const auto* found = std::find_if(kTable.begin(), kTable.end(), [&](const Row& r) { return r.status == status; });
  return found != kTable.end() ? found->title : std::string_view("Unknown");
}

}  // namespace

std::string_view error_name(Errc code) {
  return row(code).name;
}
int error_status(Errc code) {
  return row(code).status;
}

Response json_response(int status, std::string body) {
  Response r;
  r.status = status;
  r.body = std::move(body);
  r.add("Content-Type", "application/json").add("Cache-Control", "no-store");
  return r;
}

Response problem(const Error& error, std::string_view request_id) {
  const Row& known = row(error.code);
  const Json document(json_object());
  const auto put = [&](const char* name, std::string_view text) {
    json_object_set_new(document.get(), name, json_text(text).release());
  };
  put("type", fmt::format("urn:cloakroom:error:{}", known.name));
  put("title", known.title);
  json_object_set_new(document.get(), "status", json_integer(known.status));
  // a sentence may quote what the client sent, which need not be UTF-8
  put("detail", error.say.empty() || !is_utf8(error.say) ? known.sentence : std::string_view(error.say));
  put("request_id", request_id);
  Response r;
  r.status = known.status;
  r.body = dump_json(document);
  r.is_error = true;
  r.error = error.code;
  r.error_detail = error.detail;
  r.add("Content-Type", "application/problem+json").add("Cache-Control", "no-store");
  if (error.code == Errc::kUnauthenticated) r.add("WWW-Authenticate", "Bearer");
  if (error.code == Errc::kDatabase || error.code == Errc::kStore || error.code == Errc::kStoreAway ||
      error.code == Errc::kUnavailable)
    r.add("Retry-After", "2");
  if (error.code == Errc::kScannerAway || error.code == Errc::kImagerAway) r.add("Retry-After", "10");
  if (error.code == Errc::kNotYet) r.add("Retry-After", "1");
  // draft-ietf-httpapi-ratelimit-headers-08: structured fields; r what is left, t seconds until there is more
  if (error.code == Errc::kTooMany) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(error.retry_after).count();
    r.add("Retry-After", std::to_string(seconds));
    if (!error.policy.empty()) {
      const std::string_view name = std::string_view(error.policy).substr(0, error.policy.find(';'));
      r.add("RateLimit-Policy", error.policy).add("RateLimit", fmt::format("{};r=0;t={}", name, seconds));
    }
  }
  return r;
}

namespace {

// Holds the headers back until there is a byte of the body: a file that turns out to be lost can still be a clean
// error.
class HeadersFirst final : public ByteSink {
 public:
  HeadersFirst(std::string headers, Exchange& exchange) : headers_(std::move(headers)), exchange_(exchange) {}

  Status write(std::span<const std::byte> bytes) override {
    if (!std::exchange(begun_, true)) TRY(exchange_.write(std::as_bytes(std::span(headers_))));
    return exchange_.write(bytes);
  }
  bool begun() const { return begun_; }

 private:
  std::string headers_;
  Exchange& exchange_;
  bool begun_ = false;
};

bool is_bodyless(const Response& response) {
  return response.status == 304 || response.status == 204;
}

// JSON is nothing that a browser should run, frame or lay out.
constexpr std::string_view kNoDocument = "default-src 'none'; frame-ancestors 'none'; sandbox";

bool has_policy(const Response& response) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [](const auto& header) { return header.first == "Content-Security-Policy"; });
}

std::string header_block(const Request& request, const Response& response) {
  std::string out = fmt::format("Status: {} {}\r\n", response.status, reason(response.status));
  for (const auto& [name, value] : response.headers) out.append(name).append(": ").append(value).append("\r\n");
  for (const auto& [name, value] : request.answer_headers) out.append(name).append(": ").append(value).append("\r\n");
  if (!has_policy(response)) out.append("Content-Security-Policy: ").append(kNoDocument).append("\r\n");
  out.append("X-Request-Id: ").append(request.id).append("\r\n");
  out.append("X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n");
  const std::uint64_t length = response.stream ? response.stream_bytes : response.body.size();
  if (!is_bodyless(response) && response.has_length) out += fmt::format("Content-Length: {}\r\n", length);
  return out + "\r\n";
}

}  // namespace

Result<std::uint64_t> send(const Request& request, Response& response, Exchange& exchange) {
  for (const auto& [name, value] : response.headers) {
    if (!has_control(value)) continue;
    response = problem(Error{Errc::kInternal, "control character in header " + name}, request.id);
    break;
  }
  if (const std::string_view next = request.header("CLOAKROOM_ON_401"); response.status == 401 && !next.empty()) {
    // nothing more: nginx would keep some of the headers for the answer that follows
    const std::string referral = fmt::format("Status: 401 Unauthorized\r\nX-Accel-Redirect: {}\r\n\r\n", next);
    TRY(exchange.write(std::as_bytes(std::span(referral))));
    return std::uint64_t{0};
  }
  std::string out = header_block(request, response);
  const bool has_body = request.method != "HEAD" && !is_bodyless(response);
  if (has_body && response.stream) {
    HeadersFirst sink(std::move(out), exchange);
    const Status streamed = response.stream(sink);
    if (streamed) return response.stream_bytes;
    if (sink.begun()) return streamed.error();
    response = problem(streamed.error(), request.id);
    return send(request, response, exchange);
  }
  if (has_body) out += response.body;
  TRY(exchange.write(std::as_bytes(std::span(out))));
  return has_body ? response.body.size() : std::uint64_t{0};
}

}  // namespace cloakroom
