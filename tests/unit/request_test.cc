// request_test.cc — CGI variables to a request, and values out of a query.
#include "http/request.h"

#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/exchange.h"

using namespace cloakroom;
using fake::FakeExchange;

namespace {

FakeExchange get(std::string uri) {
  FakeExchange exchange;
  exchange.variables = {{"REQUEST_METHOD", "GET"}, {"REQUEST_URI", std::move(uri)}, {"REQUEST_ID", "9f2c"}};
  return exchange;
}

}  // namespace

static void path_and_query_are_split_and_left_encoded() {
  FakeExchange exchange = get("/a%2Fb/./c?x=%20&y?z");
  exchange.variables["CONTENT_TYPE"] = "text/plain";
  exchange.variables["CONTENT_LENGTH"] = "12";
  exchange.variables["HTTP_RANGE"] = "bytes=0-";
  const Request r = CHECK_OK(read_request(exchange));
  CHECK_EQ(r.method, "GET");
  CHECK_EQ(r.path, "/a%2Fb/./c");
  CHECK_EQ(r.query, "x=%20&y?z");
  CHECK_EQ(r.content_type, "text/plain");
  CHECK(r.content_length == 12u);
  CHECK_EQ(r.id, "9f2c");
  CHECK_EQ(r.header("HTTP_RANGE"), "bytes=0-");
  CHECK_EQ(r.header("HTTP_ABSENT"), "");
}

static void an_id_that_could_not_be_nginxs_is_replaced() {
  const std::string too_long(65, 'a');
  for (const std::string& id :
       {std::string(), std::string("a b"), std::string("a\r\nX: 1"), std::string("a\"b"), too_long}) {
    FakeExchange exchange = get("/");
    exchange.variables["REQUEST_ID"] = id;
    const Request r = CHECK_OK(read_request(exchange));
    CHECK_EQ(r.id.size(), 32u);
    CHECK_EQ(r.id.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
}

static void a_request_without_method_or_path_is_refused() {
  for (const char* uri : {"", "x", "?a=b", "http://host/x", "*"}) {
    FakeExchange exchange = get(uri);
    CHECK_ERR(read_request(exchange), Errc::kInvalid);
  }
  FakeExchange exchange = get("/");
  exchange.variables.erase("REQUEST_METHOD");
  CHECK_ERR(read_request(exchange), Errc::kInvalid);
}

static void a_length_that_is_no_number_is_refused() {
  for (const char* length : {"-1", "1x", " 1", "1,1", "99999999999999999999"}) {
    FakeExchange exchange = get("/");
    exchange.variables["CONTENT_LENGTH"] = length;
    CHECK_ERR(read_request(exchange), Errc::kInvalid);
  }
  FakeExchange exchange = get("/");
  exchange.variables["CONTENT_LENGTH"] = "";
  CHECK(!CHECK_OK(read_request(exchange)).content_length);
}

static void a_query_has_a_longest() {
  FakeExchange fits = get("/?" + std::string(limits::kQueryBytes, 'x'));
  CHECK_OK(read_request(fits));
  FakeExchange exchange = get("/?" + std::string(limits::kQueryBytes + 1, 'x'));
  CHECK_ERR(read_request(exchange), Errc::kInvalid);
}

static void a_query_value_is_the_first_of_its_name_decoded() {
  CHECK(query_value("a=1&b=2&b=3", "b") == "2");
  CHECK(query_value("b=x%26y%3D+z%2B", "b") == "x&y= z+");
  CHECK(query_value("b=", "b") == "");
  CHECK(query_value("b", "b") == "");
  CHECK(query_value("&&b=a=b", "b") == "a=b");
}

static void an_absent_or_undecodable_value_is_none() {
  for (const char* query : {"", "&", "ab=1", "ba=1", "B=1", "=b", "b=%zz", "b=%0", "b=%00", "b=%zz&b=good"})
    CHECK(!query_value(query, "b"));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(path_and_query_are_split_and_left_encoded),
      CASE(an_id_that_could_not_be_nginxs_is_replaced),
      CASE(a_request_without_method_or_path_is_refused),
      CASE(a_length_that_is_no_number_is_refused),
      CASE(a_query_has_a_longest),
      CASE(a_query_value_is_the_first_of_its_name_decoded),
      CASE(an_absent_or_undecodable_value_is_none),
  };
  return RUN_TESTS("request", tests);
}
