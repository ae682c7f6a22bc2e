// clamd_test.cc — the scanner beside a clamd that hangs, breaks off, talks nonsense, or refuses what is too long.
#include "scan/clamd.h"

#include <chrono>
#include <string>

#include "domain/virus_scan.h"
#include "scripted_clamd.h"

using namespace cloakroom;

namespace {

using std::chrono::milliseconds;

std::string with_zero(std::string text) {
  text.push_back('\0');
  return text;
}

ByteSource text_source(std::string text, std::size_t block = 7) {
  return [text = std::move(text), block](ByteSink& sink) -> Status {
    for (std::size_t at = 0; at < text.size(); at += block) {
      TRY(sink.write(std::as_bytes(std::span(text).subspan(at, std::min(block, text.size() - at)))));
    }
    return Ok{};
  };
}

Clamd client(const ScriptedClamd& server, milliseconds timeout = milliseconds(300)) {
  return Clamd({.address = server.path(), .connect_timeout = milliseconds(300), .timeout = timeout});
}

void check_away(const ScriptedClamd& server, const std::string& detail,
                const ByteSource& bytes = text_source("bytes")) {
  const auto begin = std::chrono::steady_clock::now();
  const auto outcome = client(server).scan(bytes);
  CHECK_ERR(outcome, Errc::kScannerAway);
  CHECK(outcome.error().retryable);
  if (outcome.error().detail.find(detail) == std::string::npos) CHECK_EQ(outcome.error().detail, detail);
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(5000));
}

}  // namespace

static void the_bytes_arrive_in_chunks_and_the_answer_is_read() {
  std::string got;
  ScriptedClamd server({[&](ClamdPeer& peer) {
                          got = peer.read_stream();
                          peer.say(with_zero("stream: OK"));
                        },
                        [](ClamdPeer& peer) {
                          peer.read_stream();
                          peer.say("stream: Ev");  // in two pieces
                          std::this_thread::sleep_for(milliseconds(20));
                          peer.say(with_zero("il FOUND"));
                        },
                        [&](ClamdPeer& peer) {
                          got = peer.read_stream();
                          peer.say(with_zero("stream: OK"));
                        }});
  Clamd clamd = client(server);
  CHECK(CHECK_OK(clamd.scan(text_source("some bytes of a file"))).outcome == ScanOutcome::kClean);
  CHECK_EQ(got, "some bytes of a file");
  const ScanVerdict found = CHECK_OK(clamd.scan(text_source("others")));
  CHECK(found.outcome == ScanOutcome::kInfected && found.name == "Evil");
  CHECK(CHECK_OK(clamd.scan(text_source(""))).outcome == ScanOutcome::kClean);
  CHECK_EQ(got, "");
}

static void more_than_a_socket_holds_arrives_whole() {
  for (const auto kind : {ScriptedClamd::Kind::kUnix, ScriptedClamd::Kind::kTcp}) {
    std::string got;
    ScriptedClamd server({[&](ClamdPeer& peer) {
                           std::this_thread::sleep_for(milliseconds(50));  // until its buffer is full
                           got = peer.read_stream();
                           peer.say(with_zero("stream: OK"));
                         }},
                         kind);
    std::string large;
    for (int i = 0; large.size() < 5'000'000; ++i) large += std::to_string(i);
    Clamd clamd = client(server, milliseconds(10000));
    CHECK(CHECK_OK(clamd.scan(text_source(large, 262144))).outcome == ScanOutcome::kClean);
    CHECK(got == large);
  }
}

static void one_that_is_not_there_is_away() {
  Clamd clamd({.address = "/nonexistent/clamd.sock"});
  CHECK_ERR(clamd.scan(text_source("x")), Errc::kScannerAway);
  CHECK_ERR(clamd.ready(), Errc::kScannerAway);
  CHECK_ERR(clamd.signatures(), Errc::kScannerAway);
  CHECK_ERR(Clamd({.address = "127.0.0.1:1"}).ready(), Errc::kScannerAway);
  CHECK_ERR(Clamd({.address = "no-such-host.invalid:3310"}).ready(), Errc::kScannerAway);
  CHECK_ERR(Clamd({.address = "/" + std::string(200, 'x')}).ready(), Errc::kScannerAway);
}

static void one_that_hangs_is_given_up() {
  check_away(ScriptedClamd({[](ClamdPeer& peer) { peer.hang(); }}), "too long");
  check_away(ScriptedClamd({[](ClamdPeer& peer) {
               peer.read_stream();
               peer.hang();
             }}),
             "too long");
  // it reads nothing, and its socket is full
  check_away(ScriptedClamd({[](ClamdPeer& peer) { peer.hang(); }}), "too long",
             text_source(std::string(4000000, 'x'), 262144));
}

static void after_a_failure_it_is_asked_first_whether_it_lives() {
  const auto pong = [](ClamdPeer& peer) {
    if (peer.read(6) == with_zero("zPING")) peer.say(with_zero("PONG"));
  };
  const auto fine = [](ClamdPeer& peer) {
    peer.read_stream();
    peer.say(with_zero("stream: OK"));
  };
  ScriptedClamd server({[](ClamdPeer& peer) { peer.hang(); }, [](ClamdPeer& peer) { peer.hang(); }, pong, fine, fine});
  Clamd clamd({.address = server.path(), .connect_timeout = milliseconds(50), .timeout = milliseconds(2000)});
  CHECK_ERR(clamd.scan(text_source("x")), Errc::kScannerAway);
  const auto begin = std::chrono::steady_clock::now();
  bool was_read = false;
  CHECK_ERR(clamd.scan([&](ByteSink&) -> Status {
    was_read = true;
    return Ok{};
  }),
            Errc::kScannerAway);
  CHECK(!was_read && std::chrono::steady_clock::now() - begin < milliseconds(1500));
  CHECK_OK(clamd.scan(text_source("x")));
  CHECK_OK(clamd.scan(text_source("x")));  // without a question
}

static void one_that_trickles_has_the_same_time_for_all_of_it() {
  check_away(ScriptedClamd({[](ClamdPeer& peer) {
               peer.read_stream();
               for (int i = 0; i < 100; ++i) {
                 peer.say("s");
                 std::this_thread::sleep_for(milliseconds(10));
               }
             }}),
             "too long");
}

static void a_slow_source_is_not_clamds_fault() {
  ScriptedClamd server({[](ClamdPeer& peer) {
    peer.read_stream();
    peer.say(with_zero("stream: OK"));
  }});
  Clamd clamd = client(server, milliseconds(200));
  CHECK_OK(clamd.scan([](ByteSink& sink) -> Status {
    for (int i = 0; i < 4; ++i) {
      std::this_thread::sleep_for(milliseconds(100));
      TRY(sink.write(std::as_bytes(std::span("abcd"))));
    }
    return Ok{};
  }));
}

static void a_broken_connection_is_no_verdict() {
  check_away(ScriptedClamd({[](ClamdPeer&) {}}), "clamd: ");  // closed at once
  check_away(ScriptedClamd({[](ClamdPeer& peer) { peer.read(30); }}),
             "clamd: ", text_source(std::string(4000000, 'x')));
  check_away(ScriptedClamd({[](ClamdPeer& peer) { peer.read_stream(); }}), "without an answer");
  check_away(ScriptedClamd({[](ClamdPeer& peer) {
               peer.read_stream();
               peer.say("stream: OK");
             }}),
             "cut");
}

static void nonsense_is_no_verdict() {
  for (const std::string& text :
       {with_zero("OK"), with_zero(""), with_zero("stream: OK\n"), with_zero("UNKNOWN COMMAND"),
        with_zero("stream: OK") + with_zero("stream: OK"), std::string(5000, 'x'), with_zero("HTTP/1.1 200 OK"),
        with_zero("stream: out of memory ERROR")}) {
    check_away(ScriptedClamd({[text](ClamdPeer& peer) {
                 peer.read_stream();
                 peer.say(text);
               }}),
               "answer");
  }
}

static void a_clean_answer_in_the_middle_of_the_stream_counts_for_nothing() {
  check_away(ScriptedClamd({[](ClamdPeer& peer) {
               peer.read(30);
               peer.say(with_zero("stream: OK"));
             }}),
             "clamd: ", text_source(std::string(4000000, 'x')));
}

static void a_stream_that_is_too_long_is_said_so_while_it_is_sent() {
  ScriptedClamd server({[](ClamdPeer& peer) {
    peer.read(100000);
    peer.say(with_zero("INSTREAM size limit exceeded. ERROR"));
  }});
  Clamd clamd = client(server);
  CHECK(CHECK_OK(clamd.scan(text_source(std::string(4000000, 'x'), 65536))).outcome == ScanOutcome::kTooLarge);
}

static void a_source_that_fails_is_its_own_error() {
  ScriptedClamd server({[](ClamdPeer& peer) { peer.read_stream(); }});
  Clamd clamd = client(server);
  CHECK_ERR(clamd.scan([](ByteSink& sink) -> Status {
    TRY(sink.write(std::as_bytes(std::span("abc"))));
    return Error{Errc::kStore, "the store broke off"};
  }),
            Errc::kStore);
}

static void it_is_asked_whether_it_lives_and_what_it_knows() {
  const auto says = [](const std::string& command, const std::string& text) {
    return [command, text](ClamdPeer& peer) {
      if (peer.read(command.size() + 1) == with_zero(command)) peer.say(with_zero(text));
    };
  };
  ScriptedClamd server({says("zPING", "PONG"), says("zPING", "PING"), says("zVERSION", "ClamAV 1.4.6/27001/Sat Nov 21"),
                        says("zVERSION", "ClamAV 1.4.6"), says("zVERSION", "PONG")});
  Clamd clamd = client(server);
  CHECK_OK(clamd.ready());
  CHECK_ERR(clamd.ready(), Errc::kScannerAway);
  CHECK_EQ(CHECK_OK(clamd.signatures()), 27001u);
  CHECK_EQ(CHECK_OK(clamd.signatures()), 0u);
  CHECK_ERR(clamd.signatures(), Errc::kScannerAway);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_bytes_arrive_in_chunks_and_the_answer_is_read),
      CASE(more_than_a_socket_holds_arrives_whole),
      CASE(one_that_is_not_there_is_away),
      CASE(one_that_hangs_is_given_up),
      CASE(after_a_failure_it_is_asked_first_whether_it_lives),
      CASE(one_that_trickles_has_the_same_time_for_all_of_it),
      CASE(a_slow_source_is_not_clamds_fault),
      CASE(a_broken_connection_is_no_verdict),
      CASE(nonsense_is_no_verdict),
      CASE(a_clean_answer_in_the_middle_of_the_stream_counts_for_nothing),
      CASE(a_stream_that_is_too_long_is_said_so_while_it_is_sent),
      CASE(a_source_that_fails_is_its_own_error),
      CASE(it_is_asked_whether_it_lives_and_what_it_knows),
  };
  return RUN_TESTS("clamd", tests);
}
