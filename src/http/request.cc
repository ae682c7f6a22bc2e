// request.cc — CGI variables to a Request.
#include "http/request.h"

#include <algorithm>

#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

bool is_request_id(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

}  // namespace

Result<Request> read_request(Exchange& exchange) {
  Request r;
  r.exchange = &exchange;
  const std::string_view given = exchange.variable("REQUEST_ID");
  r.id = is_request_id(given) ? std::string(given) : random_hex(16);
  r.method = exchange.variable("REQUEST_METHOD");
  const std::string_view target = exchange.variable("REQUEST_URI");
  const std::size_t question = target.find('?');
  r.path = target.substr(0, question);
  if (question != std::string_view::npos) r.query = target.substr(question + 1);
  r.content_type = exchange.variable("CONTENT_TYPE");
  if (r.method.empty() || r.path.empty() || r.path[0] != '/') return Error{Errc::kInvalid, "no method or no path"};
  if (r.query.size() > limits::kQueryBytes) return refuse(Errc::kInvalid, "The query is too long.");
  if (const std::string_view length = exchange.variable("CONTENT_LENGTH"); !length.empty()) {
    const auto number = parse_u64(length);
    if (!number) return refuse(Errc::kInvalid, "Content-Length is not a number.");
    r.content_length = *number;
  }
  return r;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(item.size() + 1, query.size()));
    const std::size_t equals = item.find('=');
    if (item.substr(0, equals) != name) continue;
    std::string value(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    std::replace(value.begin(), value.end(), '+', ' ');
    auto decoded = percent_decode(value);
    if (!decoded) return std::nullopt;
    return *std::move(decoded);
  }
  return std::nullopt;
}

}  // namespace cloakroom
