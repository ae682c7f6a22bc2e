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

std::string request_id(const Exchange& exchange) {
  const std::string_view given = exchange.variable("REQUEST_ID");
  return is_request_id(given) ? std::string(given) : random_hex(16);
}

Result<Request> read_request(Exchange& exchange) {
  Request r;
  r.exchange = &exchange;
  r.id = request_id(exchange);
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

std::vector<QueryItem> query_items(std::string_view query) {
  std::vector<QueryItem> items;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(item.size() + 1, query.size()));
    const std::size_t equals = item.find('=');
    std::string value(equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1));
    std::replace(value.begin(), value.end(), '+', ' ');
    auto decoded = percent_decode(value);
    items.push_back({item.substr(0, equals), decoded ? std::optional(*std::move(decoded)) : std::nullopt});
  }
  return items;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  for (QueryItem& item : query_items(query)) {
    if (item.name == name) return std::move(item.value);
  }
  return std::nullopt;
}

}  // namespace cloakroom
