// progress_test.cc — the line of the bar, and the summary.
#include "cmd/progress.h"

#include <csignal>
#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::milliseconds;

namespace {

void a_line_tells_share_rate_and_time_left() {
  CHECK_EQ(progress_line(500, 1000, milliseconds(2000), "files", "3 failed"),
           "[" + std::string(15, '#') + std::string(15, ' ') + "] 500 of 1000 files, 250/s, 3 s left, 3 failed");
  CHECK_EQ(progress_line(1000, 1000, milliseconds(4000), "files", ""),
           "[" + std::string(30, '#') + "] 1000 of 1000 files, 250/s");
}

void long_times_are_told_in_minutes_and_hours() {
  CHECK(progress_line(1, 601, milliseconds(1000), "files", "").ends_with(", 1.0/s, 10:01 min left"));
  CHECK(progress_line(1, 7322, milliseconds(1000), "files", "").ends_with(", 1.0/s, 2:02 h left"));
}

void without_an_end_there_is_no_bar() {
  CHECK_EQ(progress_line(40, 0, milliseconds(2000), "objects", ""), "40 objects, 20/s");
}

void at_the_beginning_there_is_no_rate() {
  CHECK_EQ(progress_line(0, 10, milliseconds(0), "files", ""), "[" + std::string(30, ' ') + "] 0 of 10 files");
}

void more_than_all_is_all() {
  CHECK(progress_line(11, 10, milliseconds(0), "files", "").ends_with("] 10 of 10 files"));
}

void huge_numbers_do_not_overflow() {
  CHECK(progress_line(1ULL << 62, 1ULL << 63, milliseconds(1000), "bytes", "").starts_with("[###############  "));
}

void a_summary_keeps_the_order_and_escapes() {
  Summary summary;
  summary.count("files", 3).text("say", "a \"b\"\n").flag("finished", true).text("bad", "\xff");
  CHECK_EQ(summary.json(), R"({"files":3,"say":"a \"b\"\n","finished":true,"bad":null})");
}

void a_signal_asks_to_stop_and_does_not_kill() {
  const StopSignals stop;
  CHECK(!stop.is_asked());
  ::raise(SIGTERM);
  CHECK(stop.is_asked());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_line_tells_share_rate_and_time_left),
      CASE(long_times_are_told_in_minutes_and_hours),
      CASE(without_an_end_there_is_no_bar),
      CASE(at_the_beginning_there_is_no_rate),
      CASE(more_than_all_is_all),
      CASE(huge_numbers_do_not_overflow),
      CASE(a_summary_keeps_the_order_and_escapes),
      CASE(a_signal_asks_to_stop_and_does_not_kill),
  };
  return RUN_TESTS("progress", tests);
}
