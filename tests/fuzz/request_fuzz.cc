// request_fuzz.cc — any CGI variables: nobody is believed without proof, and what goes into logs and answers is
// harmless.
//
// Input    lines NAME=value, as a front end would pass them on
#include <algorithm>
#include <cstdint>
#include <string>

#include "auth/identity.h"
#include "base/encode.h"
#include "base/id.h"
#include "base/limits.h"
#include "fake/exchange.h"
#include "http/multipart.h"
#include "http/range.h"
#include "http/reply.h"
#include "http/request.h"

using namespace cloakroom;

namespace {

const TimePoint kNow{std::chrono::seconds(1769851800)};
const std::string kToken = "service-token-of-the-fuzzer";

Identity by_token() {
  auto jwt = JwtVerifier::make({.secret = "a-secret-of-the-fuzzer-0123456789"});
  if (!jwt) BUG("the key cannot be read");
  return Identity({.mode = IdentityOptions::Mode::kJwt, .jwt_cookie = "session", .service_token = kToken},
                  *std::move(jwt));
}

fake::FakeExchange exchange_of(std::string_view input) {
  fake::FakeExchange exchange;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    const std::size_t equals = std::min(line.find('='), line.size());
    std::string_view value = line.substr(std::min(equals + 1, line.size()));
    value = value.substr(0, value.find('\0'));  // they are C strings
    exchange.variables[std::string(line.substr(0, equals))] = value;
  }
  return exchange;
}

void check_identity(const Evidence& evidence) {
  static const Identity tokens = by_token();
  static const Identity headers({.mode = IdentityOptions::Mode::kHeader, .jwt_cookie = {}, .service_token = kToken},
                                {});
  const bool has_service_token = evidence.authorization.find(kToken) != std::string_view::npos;
  const auto caller = tokens.who(evidence, kNow);
  if (caller && !has_service_token) BUG("somebody without a token");
  const auto named = headers.who(evidence, kNow);
  if (!named) return;
  if (named->is_service() && !has_service_token) BUG("a service without its token");
  if (!named->is_service() && *named->user_id != evidence.remote_user) BUG("another user than nginx says");
  if (named->user_id && !is_foreign_id(*named->user_id)) BUG("an unusable user");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fake::FakeExchange exchange = exchange_of({reinterpret_cast<const char*>(data), size});
  const std::string id = request_id(exchange);
  if (id.empty() || id.size() > 64 || id.find_first_of("\r\n\" ") != std::string::npos) BUG("an id that breaks a line");
  check_identity({exchange.variable("HTTP_AUTHORIZATION"), exchange.variable("HTTP_COOKIE"),
                  exchange.variable("REMOTE_USER"), exchange.variable("HTTP_X_UPLOADER_ID")});
  (void)parse_range(exchange.variable("HTTP_RANGE"), 1000);
  (void)multipart_boundary(exchange.variable("CONTENT_TYPE"));

  const auto request = read_request(exchange);
  if (!request) return 0;
  if (!request->path.starts_with('/') || request->path.find('?') != std::string_view::npos) BUG("no path");
  if (request->query.size() > limits::kQueryBytes) BUG("a long query");
  for (const QueryItem& item : query_items(request->query)) {
    if (item.value && item.value->find('\0') != std::string::npos) BUG("a zero in a query");
    if (item.value && item.value->size() > request->query.size()) BUG("a value longer than the query");
    const auto first = query_value(request->query, item.name);
    if (first && first->size() > request->query.size()) BUG("another value");
  }
  // whatever was asked for, an error quotes it harmlessly
  Response response = problem(refuse(Errc::kInvalid, std::string(request->path)), request->id);
  response.add("X-Test", request->query);
  if (!send(*request, response, exchange)) BUG("nothing was sent");
  const fake::Answer answer = exchange.answer();
  if (answer.status != 400 && answer.status != 500) BUG("another status");
  for (const auto& [name, value] : answer.headers) {
    if (has_control(value) || name.empty()) BUG("a header that breaks a line");
  }
  return 0;
}
