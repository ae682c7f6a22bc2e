// reply.h — an answer, and the one table that turns an Errc into a status and a problem document (RFC 9457).
//
// Headers  every answer has X-Request-Id, X-Content-Type-Options, Referrer-Policy, the request's answer_headers, a
//          Content-Security-Policy (that of an answer which is no document, unless it brings its own) and, unless it is
//          a file, Cache-Control: no-store. nginx/headers.inc.in says the same for what nginx answers.
//          A header value with a control character is never sent: the answer becomes a 500 instead.
// Links    a 401 to a request with CLOAKROOM_ON_401, which nginx alone can set, becomes an X-Accel-Redirect to the
//          location it names: there nginx finds out who asks, and asks again.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"
#include "http/request.h"

namespace cloakroom {

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Set: the bytes come from here; `stream_bytes` is their exact number, more than 0.
  std::function<Status(ByteSink&)> stream;
  std::uint64_t stream_bytes = 0;
  bool has_length = true;  // false, to a HEAD alone: nobody knows how long the answer to a GET will be
  // For the log: bytes that nginx sends in our place (X-Accel-Redirect).
  std::uint64_t handed_over_bytes = 0;
  // For the log: why it is an error, in our own words.
  Errc error = Errc::kInternal;
  std::string error_detail;
  bool is_error = false;

  Response& add(std::string_view name, std::string_view value) {
    headers.emplace_back(name, value);
    return *this;
  }
};

Response json_response(int status, std::string body);
Response problem(const Error& error, std::string_view request_id);
std::string_view error_name(Errc code);  // "not_found": for the log and the problem's `type`
int error_status(Errc code);

// Sends it. HEAD gets the headers alone. Returns how many body bytes left. A stream that fails before its first byte,
// and a header value that must not be sent, turn `response` into the problem that was sent instead. kInvalid: the
// client went away; a stream's own error: it broke off in the middle, and the client sees a body that is too short.
Result<std::uint64_t> send(const Request& request, Response& response, Exchange& exchange);

}  // namespace cloakroom
