// clamd_reply_test.cc — every answer of clamd: one alone means clean.
#include "scan/clamd_reply.h"

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

static void ok_alone_is_clean() {
  CHECK(CHECK_OK(parse_clamd_verdict("stream: OK")).outcome == ScanOutcome::kClean);
  for (const char* text :
       {"", "OK", "stream: ok", "stream: OK ", " stream: OK", "stream: OK\n", "stream:OK", "stream: ", "stream: OKAY",
        "fd[10]: OK", "stream: OK\nstream: Evil FOUND\n", "PONG", "UNKNOWN COMMAND"}) {
    CHECK_ERR(parse_clamd_verdict(text), Errc::kScannerAway);
  }
  CHECK_ERR(parse_clamd_verdict(std::string_view("stream: OK\0", 11)), Errc::kScannerAway);
}

static void whatever_is_found_is_found_and_its_name_is_fit_for_the_log() {
  const auto eicar = CHECK_OK(parse_clamd_verdict("stream: Win.Test.EICAR_HDB-1 FOUND"));
  CHECK(eicar.outcome == ScanOutcome::kInfected);
  CHECK_EQ(eicar.name, "Win.Test.EICAR_HDB-1");
  const auto odd = CHECK_OK(parse_clamd_verdict("stream: a b\x01\xff\nOK FOUND"));
  CHECK(odd.outcome == ScanOutcome::kInfected);
  CHECK_EQ(odd.name, "a b???OK");
  const auto both = CHECK_OK(parse_clamd_verdict("stream: OK FOUND"));
  CHECK(both.outcome == ScanOutcome::kInfected);
  const auto longer = CHECK_OK(parse_clamd_verdict("stream: " + std::string(900, 'x') + " FOUND"));
  CHECK_EQ(longer.name.size(), limits::kScannerSignatureBytes);
  CHECK_ERR(parse_clamd_verdict("stream:  FOUND"), Errc::kScannerAway);
}

static void what_clamd_did_not_look_at_is_not_clean() {
  for (const char* name : {"Heuristics.Limits.Exceeded.MaxFileSize", "Heuristics.Limits.Exceeded.MaxScanTime",
                           "Heuristics.Encrypted.Zip", "Heuristics.Encrypted.PDF"}) {
    const auto verdict = CHECK_OK(parse_clamd_verdict("stream: " + std::string(name) + " FOUND"));
    CHECK(verdict.outcome == ScanOutcome::kNotScanned);
    CHECK_EQ(verdict.name, name);
  }
  CHECK(CHECK_OK(parse_clamd_verdict("stream: Heuristics.Phishing.Email FOUND")).outcome == ScanOutcome::kInfected);
}

static void a_stream_too_long_for_it_is_too_large() {
  CHECK(CHECK_OK(parse_clamd_verdict("INSTREAM size limit exceeded. ERROR")).outcome == ScanOutcome::kTooLarge);
}

static void its_own_errors_are_its_absence() {
  const auto outcome = parse_clamd_verdict("stream: Can't allocate memory ERROR");
  CHECK_ERR(outcome, Errc::kScannerAway);
  CHECK(outcome.error().retryable);
  CHECK_EQ(outcome.error().detail, "clamd answered 'stream: Can't allocate memory ERROR'");
  CHECK_EQ(parse_clamd_verdict("a\nb\x7f").error().detail, "clamd answered 'a?b?'");
}

static void the_version_tells_the_number_of_the_signatures() {
  CHECK_EQ(CHECK_OK(parse_clamd_version("ClamAV 1.4.6/27001/Sat Nov 21 18:00:00 2026")), 27001u);
  CHECK_EQ(CHECK_OK(parse_clamd_version("ClamAV 1.4.6")), 0u);
  for (const char* text : {"", "clamav 1/2/3", "ClamAV 1.4.6/27001", "ClamAV 1/x/y", "ClamAV 1//y", "ClamAV 1/-5/y",
                           "ClamAV 1/99999999999999999999/y", "ClamAV 1/4294967296/y"}) {
    CHECK_ERR(parse_clamd_version(text), Errc::kScannerAway);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(ok_alone_is_clean),
      CASE(whatever_is_found_is_found_and_its_name_is_fit_for_the_log),
      CASE(what_clamd_did_not_look_at_is_not_clean),
      CASE(a_stream_too_long_for_it_is_too_large),
      CASE(its_own_errors_are_its_absence),
      CASE(the_version_tells_the_number_of_the_signatures),
  };
  return RUN_TESTS("clamd_reply", tests);
}
