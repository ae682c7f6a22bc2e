// accept_test.cc — what Accept headers of real clients say, and what odd ones do.
#include "http/accept.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

constexpr std::string_view kChromium = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";

void check(std::string_view accept, std::string_view type, unsigned quality, bool is_named) {
  const Welcome w = welcome(accept, type);
  if (w.quality == quality && w.is_named == is_named) return;
  t::raise(__FILE__, __LINE__,
           "'" + std::string(accept) + "' for " + std::string(type) + ": " + std::to_string(w.quality) +
               (w.is_named ? ", named" : ", not named"));
}

}  // namespace

static void without_a_header_everything_is_welcome_and_nothing_is_named() {
  check("", "image/webp", 1000, false);
  check("*/*", "image/webp", 1000, false);
}

static void a_browser_names_what_it_knows() {
  check(kChromium, "image/avif", 1000, true);
  check(kChromium, "image/webp", 1000, true);
  check(kChromium, "image/jpeg", 1000, false);
  check(kChromium, "text/html", 800, false);
}

static void the_closest_range_counts_wherever_it_stands() {
  check("*/*;q=0.1, image/*;q=0.5, image/webp;q=0.9", "image/webp", 900, true);
  check("image/webp;q=0, image/*", "image/webp", 0, true);
  check("image/webp;q=0, image/*", "image/jpeg", 1000, false);
  check("text/html", "image/jpeg", 0, false);
  check("image/*;q=0.3", "images/x", 0, false);
}

static void quality_has_up_to_three_digits() {
  check("image/webp;q=1", "image/webp", 1000, true);
  check("image/webp;q=1.000", "image/webp", 1000, true);
  check("image/webp;q=0.", "image/webp", 0, true);
  check("image/webp;q=0.125", "image/webp", 125, true);
  check("IMAGE/WebP; Q=0.5", "image/webp", 500, true);
  check("image/webp;level=1;q=0.5", "image/webp", 500, true);
}

static void an_item_that_cannot_be_read_is_as_if_absent() {
  for (const char* bad : {"image/webp;q=2", "image/webp;q=1.001", "image/webp;q=0.1234", "image/webp;q=-1",
                          "image/webp;q=", "image/webp;q=a", "webp", "image/webp;q", "image/webp;\"", ",,;,"}) {
    check(std::string(bad) + ", */*;q=0.5", "image/webp", 500, false);
    check(bad, "image/webp", 1000, false);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(without_a_header_everything_is_welcome_and_nothing_is_named),
      CASE(a_browser_names_what_it_knows),
      CASE(the_closest_range_counts_wherever_it_stands),
      CASE(quality_has_up_to_three_digits),
      CASE(an_item_that_cannot_be_read_is_as_if_absent),
  };
  return RUN_TESTS("accept", tests);
}
