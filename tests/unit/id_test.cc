// id_test.cc — our UUIDv7, random names, and what may be a foreign id.
#include "base/id.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>
#include <string>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

TimePoint at_ms(std::int64_t ms) {
  return TimePoint(std::chrono::milliseconds(ms));
}

}  // namespace

static void a_uuid7_holds_its_version_its_variant_and_the_milliseconds() {
  for (int i = 0; i < 200; ++i) {
    const std::string text = to_string(make_uuid7(at_ms(0x0198c0debeef)));
    CHECK_EQ(text.size(), 36u);
    CHECK_EQ(text.substr(0, 15), "0198c0de-beef-7");
    CHECK(std::string_view("89ab").find(text[19]) != std::string_view::npos);
  }
}

static void later_ids_sort_after_earlier_ones() {
  CHECK(to_string(make_uuid7(at_ms(1769851800000))) < to_string(make_uuid7(at_ms(1769851800001))));
}

static void ids_of_one_moment_differ() {
  std::set<std::string> seen;
  for (int i = 0; i < 5000; ++i) seen.insert(to_string(make_uuid7(at_ms(1))));
  CHECK_EQ(seen.size(), 5000u);
}

static void a_uuid_survives_its_text_in_any_case() {
  const std::string text = "0198c0de-beef-7abc-89ab-0123456789ab";
  const Uuid id = CHECK_OK(parse_uuid(text));
  CHECK_EQ(to_string(id), text);
  CHECK_EQ(to_hex(id), "0198c0debeef7abc89ab0123456789ab");
  CHECK(CHECK_OK(parse_uuid("0198C0DE-BEEF-7ABC-89AB-0123456789AB")) == id);
}

static void other_forms_of_a_uuid_are_refused() {
  for (const char* text : {"", "0198c0debeef7abc89ab0123456789ab", "{0198c0de-beef-7abc-89ab-0123456789ab}",
                           "0198c0de-beef-7abc-89ab-0123456789a", "0198c0de-beef-7abc-89ab-0123456789abc",
                           "0198c0de-beef-7abc-89ab-0123456789ag", "0198c0de-beef-7abc-89ab00123456789ab",
                           "0198c0de-beef-7ab-c89ab-0123456789ab", "------------------------------------",
                           " 198c0de-beef-7abc-89ab-0123456789ab"})
    CHECK_ERR(parse_uuid(text), Errc::kInvalid);
}

static void random_names_have_the_asked_length_and_differ() {
  CHECK_EQ(random_hex(16).size(), 32u);
  CHECK_EQ(random_hex(64).size(), 128u);
  CHECK(random_hex(16) != random_hex(16));
}

// The pool of random bytes is copied by fork(2): both would give out the same names.
static void a_forked_child_draws_other_numbers_than_its_parent() {
  CHECK(!random_hex(4).empty());  // the pool is filled and partly used
  std::array<int, 2> ends{};
  CHECK(::pipe(ends.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string own = random_hex(16);
    ::_exit(::write(ends[1], own.data(), own.size()) == 32 ? 0 : 1);
  }
  ::close(ends[1]);
  const std::string ours = random_hex(16);
  std::string theirs(32, '\0');
  const ssize_t got = ::read(ends[0], theirs.data(), theirs.size());
  ::close(ends[0]);
  int status = 1;
  ::waitpid(child, &status, 0);
  CHECK_EQ(got, 32);
  CHECK_EQ(status, 0);
  CHECK(ours != theirs);
}

static void a_foreign_id_is_short_clean_text() {
  for (const char* id : {"1", "u-1", "\xc3\xbc", "a b", "../x", "%2F"}) CHECK(is_foreign_id(id));
  CHECK(is_foreign_id(std::string(limits::kForeignIdBytes, 'x')));
  CHECK(!is_foreign_id(std::string(limits::kForeignIdBytes + 1, 'x')));
  for (const char* id : {"", "a\nb", "\x7f", "\xff", "\xc3"}) CHECK(!is_foreign_id(id));
  CHECK(!is_foreign_id(std::string_view("a\0b", 3)));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_uuid7_holds_its_version_its_variant_and_the_milliseconds),
      CASE(later_ids_sort_after_earlier_ones),
      CASE(ids_of_one_moment_differ),
      CASE(a_uuid_survives_its_text_in_any_case),
      CASE(other_forms_of_a_uuid_are_refused),
      CASE(random_names_have_the_asked_length_and_differ),
      CASE(a_forked_child_draws_other_numbers_than_its_parent),
      CASE(a_foreign_id_is_short_clean_text),
  };
  return RUN_TESTS("id", tests);
}
