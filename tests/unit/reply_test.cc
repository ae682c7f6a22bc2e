// reply_test.cc — the table of failures, problem documents, and the bytes of an answer.
#include "http/reply.h"

#include <set>
#include <string>

#include "base/json.h"
#include "check.h"
#include "fake/exchange.h"

using namespace cloakroom;
using fake::Answer;
using fake::FakeExchange;

namespace {

struct Sent {
  FakeExchange exchange;
  Request request;
  explicit Sent(std::string_view method = "GET") {
    request.exchange = &exchange;
    request.id = "9f2c";
    request.method = method;
  }
  Answer send(Response response, std::uint64_t body_bytes) {
    CHECK_EQ(CHECK_OK(cloakroom::send(request, response, exchange)), body_bytes);
    return exchange.answer();
  }
};

std::string member(const Response& response, const char* name) {
  const Json document = CHECK_OK(parse_json(response.body));
  const json_t* value = json_object_get(document.get(), name);
  return json_is_string(value) ? json_string_value(value) : "(no text)";
}

constexpr Errc kEvery[] = {Errc::kInvalid,         Errc::kUnauthenticated,     Errc::kDenied,
                           Errc::kNotFound,        Errc::kMethodNotAllowed,    Errc::kConflict,
                           Errc::kLengthRequired,  Errc::kPreconditionFailed,  Errc::kTooLarge,
                           Errc::kUnsupportedType, Errc::kRangeNotSatisfiable, Errc::kTooMany,
                           Errc::kStore,           Errc::kStoreAway,           Errc::kDatabase,
                           Errc::kDiskFull,        Errc::kUnavailable,         Errc::kInternal};

}  // namespace

static void every_code_has_a_status_and_a_name_of_its_own() {
  std::set<std::string_view> names;
  std::set<int> statuses;
  for (const Errc code : kEvery) {
    CHECK(names.insert(error_name(code)).second);
    // what is away or overloaded shares 503
    CHECK(statuses.insert(error_status(code)).second || code == Errc::kDatabase || code == Errc::kUnavailable);
    CHECK(error_status(code) >= 400 && error_status(code) < 600);
  }
  CHECK_EQ(error_status(Errc::kNotFound), 404);
  CHECK_EQ(error_status(Errc::kDatabase), 503);
  CHECK_EQ(error_status(Errc::kDiskFull), 507);
}

static void a_problem_tells_the_client_what_to_do_and_the_log_why() {
  const Response r = problem({Errc::kConflict, "secret detail", "Do this instead."}, "9f2c");
  CHECK_EQ(r.status, 409);
  CHECK_EQ(member(r, "type"), "urn:cloakroom:error:conflict");
  CHECK_EQ(member(r, "title"), "Conflict");
  CHECK_EQ(member(r, "detail"), "Do this instead.");
  CHECK_EQ(member(r, "request_id"), "9f2c");
  CHECK(r.body.find("\"status\":409") != std::string::npos);
  CHECK_EQ(r.body.find("secret detail"), std::string::npos);
  CHECK_EQ(r.error_detail, "secret detail");
  CHECK(r.is_error);
}

static void a_detail_without_a_sentence_stays_in_the_log() {
  for (const Errc code : kEvery) {
    const Response r = problem({code, "/var/secret/path"}, "1");
    CHECK_EQ(r.body.find("secret"), std::string::npos);
    CHECK(member(r, "detail").size() > 10);
  }
}

static void a_sentence_that_is_not_utf8_is_replaced() {
  CHECK_EQ(member(problem({Errc::kInvalid, "", "field '\xFF'"}, "1"), "detail"), "The request is malformed.");
}

static void some_failures_say_how_to_go_on() {
  const auto header = [](Errc code, std::string_view name) {
    for (const auto& [n, value] : problem({code, ""}, "1").headers) {
      if (n == name) return value;
    }
    return std::string();
  };
  CHECK_EQ(header(Errc::kUnauthenticated, "WWW-Authenticate"), "Bearer");
  CHECK_EQ(header(Errc::kDatabase, "Retry-After"), "2");
  CHECK_EQ(header(Errc::kStore, "Retry-After"), "2");
  CHECK_EQ(header(Errc::kStoreAway, "Retry-After"), "2");
  CHECK_EQ(error_status(Errc::kStoreAway), 503);
  CHECK_EQ(error_status(Errc::kScannerAway), 503);
  CHECK_EQ(header(Errc::kScannerAway, "Retry-After"), "10");
  CHECK_EQ(error_status(Errc::kInfected), 422);
  CHECK_EQ(error_status(Errc::kNotScanned), 422);
  CHECK_EQ(header(Errc::kNotFound, "Retry-After"), "");
  CHECK_EQ(header(Errc::kNotFound, "Content-Type"), "application/problem+json");
}

static void an_answer_has_its_headers_and_its_body() {
  Sent sent;
  const Answer answer = sent.send(json_response(201, "{}"), 2);
  CHECK_EQ(answer.status, 201);
  CHECK(sent.exchange.written.starts_with("Status: 201 Created\r\n"));
  CHECK_EQ(answer.header("Content-Type"), "application/json");
  CHECK_EQ(answer.header("Cache-Control"), "no-store");
  CHECK_EQ(answer.header("X-Request-Id"), "9f2c");
  CHECK_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  CHECK_EQ(answer.header("Content-Length"), "2");
  CHECK_EQ(answer.body, "{}");
}

static void head_gets_the_length_and_no_body() {
  Sent sent("HEAD");
  const Answer answer = sent.send(json_response(200, "{}"), 0);
  CHECK_EQ(answer.header("Content-Length"), "2");
  CHECK_EQ(answer.body, "");
  bool streamed = false;
  Response stream;
  stream.stream_bytes = 7;
  stream.stream = [&](ByteSink&) {
    streamed = true;
    return Status(Ok{});
  };
  Sent head("HEAD");
  CHECK_EQ(head.send(stream, 0).header("Content-Length"), "7");
  CHECK(!streamed);
}

static void a_401_goes_on_to_where_nginx_asks_who_it_is() {
  Sent sent;
  sent.exchange.variables["CLOAKROOM_ON_401"] = "@asked";
  CHECK_EQ(sent.send(problem({Errc::kUnauthenticated, ""}, "1"), 0).status, 401);
  CHECK_EQ(sent.exchange.written, "Status: 401 Unauthorized\r\nX-Accel-Redirect: @asked\r\n\r\n");
  Sent other;
  other.exchange.variables["CLOAKROOM_ON_401"] = "@asked";
  const Response lost = problem({Errc::kStore, ""}, "1");
  const Answer answer = other.send(lost, lost.body.size());
  CHECK_EQ(answer.header("X-Accel-Redirect"), "");
  CHECK_EQ(answer.body, lost.body);
  Sent forged;
  forged.exchange.variables["HTTP_CLOAKROOM_ON_401"] = "@asked";
  const Response unknown = problem({Errc::kUnauthenticated, ""}, "1");
  CHECK_EQ(forged.send(unknown, unknown.body.size()).header("X-Accel-Redirect"), "");
}

static void an_answer_without_content_has_neither_length_nor_body() {
  for (const int status : {204, 304}) {
    Sent sent;
    Response r = json_response(status, "must not be sent");
    const Answer answer = sent.send(r, 0);
    CHECK_EQ(answer.status, status);
    CHECK_EQ(answer.header("Content-Length"), "");
    CHECK_EQ(answer.body, "");
  }
}

static void a_stream_follows_the_headers() {
  Sent sent;
  Response r;
  r.stream_bytes = 3;
  r.stream = [](ByteSink& sink) -> Status { return sink.write(std::as_bytes(std::span(std::string_view("abc")))); };
  const Answer answer = sent.send(r, 3);
  CHECK_EQ(answer.header("Content-Length"), "3");
  CHECK_EQ(answer.body, "abc");
}

static void a_stream_that_breaks_in_the_middle_is_reported() {
  Sent sent;
  Response r;
  r.stream_bytes = 3;
  r.stream = [](ByteSink& sink) -> Status {
    TRY(sink.write(std::as_bytes(std::span("a", 1))));
    return Error{Errc::kStore, "away"};
  };
  CHECK_ERR(send(sent.request, r, sent.exchange), Errc::kStore);
  CHECK_EQ(sent.exchange.answer().status, 200);
}

static void a_stream_that_fails_before_its_first_byte_becomes_a_clean_error() {
  Sent sent;
  Response r;
  r.add("ETag", "\"x\"");
  r.stream_bytes = 3;
  r.stream = [](ByteSink&) { return Status(Error{Errc::kNotFound, "lost"}); };
  CHECK_OK(send(sent.request, r, sent.exchange));
  const Answer answer = sent.exchange.answer();
  CHECK_EQ(answer.status, 404);
  CHECK_EQ(answer.header("ETag"), "");
  CHECK_EQ(r.status, 404);  // what the log will say
}

static void a_client_that_went_away_is_reported() {
  Sent deaf;
  deaf.exchange.client_deaf = true;
  Response r = json_response(200, "{}");
  CHECK_ERR(send(deaf.request, r, deaf.exchange), Errc::kInvalid);
}

static void a_control_character_in_a_header_turns_the_answer_into_a_500() {
  for (const std::string value : {"a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\x7f"}) {
    Sent sent;
    Response r = json_response(200, R"({"secret":1})");
    r.add("Content-Disposition", value);
    CHECK_OK(send(sent.request, r, sent.exchange));
    const Answer answer = sent.exchange.answer();
    CHECK_EQ(answer.status, 500);
    CHECK_EQ(answer.header("Set-Cookie"), "");
    CHECK_EQ(answer.body.find("secret"), std::string::npos);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(every_code_has_a_status_and_a_name_of_its_own),
      CASE(a_problem_tells_the_client_what_to_do_and_the_log_why),
      CASE(a_detail_without_a_sentence_stays_in_the_log),
      CASE(a_sentence_that_is_not_utf8_is_replaced),
      CASE(some_failures_say_how_to_go_on),
      CASE(an_answer_has_its_headers_and_its_body),
      CASE(head_gets_the_length_and_no_body),
      CASE(a_401_goes_on_to_where_nginx_asks_who_it_is),
      CASE(an_answer_without_content_has_neither_length_nor_body),
      CASE(a_stream_follows_the_headers),
      CASE(a_stream_that_breaks_in_the_middle_is_reported),
      CASE(a_stream_that_fails_before_its_first_byte_becomes_a_clean_error),
      CASE(a_client_that_went_away_is_reported),
      CASE(a_control_character_in_a_header_turns_the_answer_into_a_500),
  };
  return RUN_TESTS("reply", tests);
}
