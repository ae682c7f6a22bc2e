// request.h — a request as the routes see it: checked, split, nothing copied that a CGI variable already holds.
//
// Lifetime every string_view points into the exchange and dies with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace cloakroom {

struct Request {
  Exchange* exchange = nullptr;
  std::string id;                        // nginx's $request_id, else made here
  std::string_view method, path, query;  // path raw, as sent: percent-encoded, without the query
  std::string_view content_type;
  std::optional<std::uint64_t> content_length;
  // What every answer to it carries, whatever becomes of it.
  std::vector<std::pair<std::string, std::string>> answer_headers;

  std::string_view header(const char* cgi_name) const { return exchange->variable(cgi_name); }  // "HTTP_RANGE"
};

// Errors   kInvalid: no method or path, or a CONTENT_LENGTH that is not a number.
Result<Request> read_request(Exchange& exchange);

// nginx's REQUEST_ID, or one made here when there is none that could be nginx's.
std::string request_id(const Exchange& exchange);

struct QueryItem {
  std::string_view name;             // as sent
  std::optional<std::string> value;  // percent-decoded, '+' is a space; nullopt when that fails
};
std::vector<QueryItem> query_items(std::string_view query);

// The first value of `name` in the query, percent-decoded ('+' is a space); nullopt when absent or undecodable.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace cloakroom
