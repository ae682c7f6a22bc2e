// curl_announce_test.cc — an upload that is only announced: leave, refusal and silence, and that no byte of it is sent.
#include <string>

#include "check.h"
#include "scripted_server.h"
#include "storage/curl.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

Reply to_the_head(std::string text) {
  Reply reply(std::move(text));
  reply.read_at_most = 1;  // the body that the head announces never comes
  return reply;
}

Result<HttpAnswer> announce(const ScriptedServer& server, std::uint64_t bytes) {
  CurlClient client{CurlOptions{}};
  return client.perform({.method = "PUT",
                         .url = server.endpoint() + "/upload",
                         .headers = {},
                         .announced_bytes = bytes,
                         .timeout = std::chrono::milliseconds(2000)});
}

void leave_to_send_is_status_100_and_nothing_is_sent() {
  ScriptedServer server({to_the_head("HTTP/1.1 100 Continue\r\n\r\n")});
  CHECK_EQ(CHECK_OK(announce(server, 5ULL << 40)).status, 100);
  CHECK(server.request_has(0, "Content-Length: 5497558138880\r\n"));
  CHECK(server.request_has(0, "Expect: 100-continue\r\n"));
  CHECK(server.request(0).ends_with("\r\n\r\n"));
}

void a_refusal_is_the_answer() {
  ScriptedServer server({to_the_head("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")});
  const HttpAnswer answer = CHECK_OK(announce(server, 10));
  CHECK_EQ(answer.status, 413);
  CHECK_EQ(answer.body, "no!");
  CHECK(server.request(0).ends_with("\r\n\r\n"));
}

void silence_is_an_error_and_not_leave() {
  Reply silent = to_the_head("");
  silent.hold = true;
  ScriptedServer server({silent});
  CHECK_ERR(announce(server, 10), Errc::kStore);
  CHECK(server.request(0).ends_with("\r\n\r\n"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {CASE(leave_to_send_is_status_100_and_nothing_is_sent), CASE(a_refusal_is_the_answer),
                              CASE(silence_is_an_error_and_not_leave)};
  return cmocka_run_group_tests_name("curl_announce", tests, nullptr, nullptr);
}
