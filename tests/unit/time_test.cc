// time_test.cc — points in time in the forms of ISO 8601, SigV4 and HTTP.
#include "base/time.h"

#include "check.h"

using namespace cloakroom;
using namespace std::chrono_literals;

namespace {

const TimePoint kMorning{1769851800123456us};  // 2026-01-31 09:30:00.123456

}  // namespace

static void every_form_is_utc_and_zero_padded() {
  CHECK_EQ(iso8601_ms(kMorning), "2026-01-31T09:30:00.123Z");
  CHECK_EQ(amz_date(kMorning), "20260131T093000Z");
  CHECK_EQ(http_date(kMorning), "Sat, 31 Jan 2026 09:30:00 GMT");
  CHECK_EQ(http_date(TimePoint(784111777s)), "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
  CHECK_EQ(iso8601_ms(TimePoint(0us)), "1970-01-01T00:00:00.000Z");
}

static void fractions_round_down_also_before_1970() {
  CHECK_EQ(unix_seconds(kMorning).count(), 1769851800);
  CHECK_EQ(unix_seconds(TimePoint(-1us)).count(), -1);
  CHECK_EQ(iso8601_ms(TimePoint(-1us)), "1969-12-31T23:59:59.999Z");
}

static void an_http_date_survives_its_text() {
  for (const std::int64_t seconds : {0LL, 784111777LL, 951782400LL, 1769851800LL, 4102444799LL}) {
    const TimePoint when{std::chrono::seconds(seconds)};
    CHECK(CHECK_OK(parse_http_date(http_date(when))) == when);
  }
}

static void what_is_not_an_imf_fixdate_is_refused() {
  for (const char* text :
       {"", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sat, 31 Jan 2026 09:30:00 UTC",
        "Sat, 31 Jan 2026 09:30:00 +0000", "Sat, 31 Jan 2026 09:30:00 GMT ", "Sat, 31 jan 2026 09:30:00 GMT",
        "Sat, 00 Jan 2026 09:30:00 GMT", "Sat, 32 Jan 2026 09:30:00 GMT", "Sat, 31 Foo 2026 09:30:00 GMT",
        "Sat, 31 Jan 2026 24:30:00 GMT", "Sat, 31 Jan 2026 09:60:00 GMT", "Sat, 31 Jan 2026 09:30:61 GMT",
        "Sat, 31 Jan 1969 09:30:00 GMT", "Sat, -1 Jan 2026 09:30:00 GMT", "Sat, 3x Jan 2026 09:30:00 GMT",
        "Sat, 31 Jan 2026 09.30.00 GMT"})
    CHECK_ERR(parse_http_date(text), Errc::kInvalid);
}

static void an_iso_8601_time_is_read_strictly() {
  CHECK_EQ(iso8601_ms(CHECK_OK(parse_iso8601("2026-01-31T09:30:00Z"))), "2026-01-31T09:30:00.000Z");
  CHECK_EQ(iso8601_ms(CHECK_OK(parse_iso8601("2024-02-29T23:59:59.999Z"))), "2024-02-29T23:59:59.000Z");
  for (const char* text : {"", "2026-01-31", "2026-01-31T09:30:00", "2026-01-31T09:30:00+00:00", "2026-01-31 09:30:00Z",
                           "2026-02-30T09:30:00Z", "2026-01-31T24:00:00Z", "2026-01-31T09:60:00Z",
                           "2026-01-31T09:30:00.Z", "2026-01-31T09:30:00.1x2Z", "2026-13-01T09:30:00Z",
                           "2026-00-01T09:30:00Z", "20x6-01-31T09:30:00Z", "2026-01-31T09:30:00ZZ"})
    CHECK_ERR(parse_iso8601(text), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(every_form_is_utc_and_zero_padded), CASE(fractions_round_down_also_before_1970),
      CASE(an_http_date_survives_its_text),    CASE(what_is_not_an_imf_fixdate_is_refused),
      CASE(an_iso_8601_time_is_read_strictly),
  };
  return RUN_TESTS("time", tests);
}
