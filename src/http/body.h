// body.h — the body of a request as a range of a file, never in memory; small JSON bodies as text.
//
// Source   nginx hands a spooled file over by name (REQUEST_BODY_FILE, only below BODY_TEMP_PATH); otherwise the bytes
//          come through FastCGI's or CGI's standard input and are spooled here into a nameless file.
// Errors   kInvalid   the body is shorter or longer than Content-Length says (a cut upload)
//          kLengthRequired  no Content-Length with a body from standard input: a cut could not be seen
//          kTooLarge  more than the limit
//          kDiskFull, kUnavailable, kInternal
#pragma once

#include <string>

#include "base/file.h"
#include "http/request.h"

namespace cloakroom {

struct BodyRules {
  std::string temp_path;  // nginx's client_body_temp_path, and ours
  std::uint64_t max_request_bytes = 0;
};

struct Body {
  UniqueFd fd;
  std::string path;  // empty for a nameless file
  FileRange range;   // refers to fd and path: keep the Body alive and unmoved while it is used. It may be written

  Body() = default;
  Body(Body&&) = delete;
};

// Fills `body`, which must be new.
Status open_body(const Request& request, const BodyRules& rules, Body& body);
Result<std::string> read_small_body(const Request& request, const BodyRules& rules, std::size_t most_bytes);

}  // namespace cloakroom
