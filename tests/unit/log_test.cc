// log_test.cc — one record is one line, whatever is put into it.
#include "base/log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

std::string record(std::string_view value) {
  return format_record(Level::kInfo, "e", {{"k", value}});
}

// What log() writes to standard error while `body` runs.
template <class Body>
std::string captured(Body body) {
  const UniqueFd file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  const UniqueFd saved(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
  ::dup2(file.get(), STDERR_FILENO);
  body();
  ::dup2(saved.get(), STDERR_FILENO);
  std::string text(8192, '\0');
  text.resize(CHECK_OK(read_at(file.get(), std::as_writable_bytes(std::span(text)), 0)));
  return text;
}

}  // namespace

static void a_record_has_level_event_and_fields_in_order() {
  CHECK_EQ(format_record(Level::kWarning, "request.done",
                         {{"req", "9f2c"}, {"status", 201}, {"ms", 1.25}, {"bytes", std::uint64_t{5000}}}),
           "<4>event=request.done req=\"9f2c\" status=201 ms=1.2 bytes=5000\n");
}

static void an_empty_value_is_left_out() {
  CHECK_EQ(format_record(Level::kError, "e", {{"user", ""}, {"n", 0}}), "<3>event=e n=0\n");
}

static void a_forged_newline_cannot_make_a_second_record() {
  for (const char* hostile : {"a\n<3>event=forged", "a\r\n<3>event=forged", "a\n", "\n"}) {
    const std::string line = record(hostile);
    CHECK_EQ(std::count(line.begin(), line.end(), '\n'), 1);
    CHECK_EQ(line.back(), '\n');
    CHECK_EQ(line.find('\r'), std::string::npos);
  }
  CHECK_EQ(record("a\nb"), "<6>event=e k=\"a\\x0ab\"\n");
}

static void a_forged_quote_cannot_make_a_second_field() {
  CHECK_EQ(record("x\" status=200 y=\""), "<6>event=e k=\"x\\\" status=200 y=\\\"\"\n");
  CHECK_EQ(record("x\\"), "<6>event=e k=\"x\\\\\"\n");
}

static void terminal_escapes_and_ill_formed_text_are_written_as_digits() {
  CHECK_EQ(record("\x1b[31m\x7f"), "<6>event=e k=\"\\x1b[31m\\x7f\"\n");
  CHECK_EQ(record("\xc3\xbc"), "<6>event=e k=\"\xc3\xbc\"\n");
  CHECK_EQ(record("\xff\xc3"), "<6>event=e k=\"\\xff\\xc3\"\n");
  CHECK_EQ(record(std::string_view("a\0b", 3)), "<6>event=e k=\"a\\x00b\"\n");
}

static void a_long_value_is_cut_on_a_character_boundary() {
  CHECK_EQ(record(std::string(513, 'x')), "<6>event=e k=\"" + std::string(512, 'x') + "...\"\n");
  CHECK_EQ(record(std::string(512, 'x')), "<6>event=e k=\"" + std::string(512, 'x') + "\"\n");
  const std::string cut = record(std::string(511, 'x') + "\xf0\x9f\x93\x8e" + "tail");
  CHECK_EQ(cut, "<6>event=e k=\"" + std::string(511, 'x') + "...\"\n");
}

static void a_long_record_is_cut_between_fields() {
  const std::string value(500, 'x');
  const std::string line =
      format_record(Level::kInfo, "e", {{"a", value}, {"b", value}, {"c", value}, {"d", value}, {"e", value}});
  CHECK(line.size() <= limits::kLogLineBytes);
  CHECK(line.ends_with("x\"\n"));
  CHECK(line.find(" c=") != std::string::npos);
  CHECK_EQ(line.find(" e="), std::string::npos);
  // every byte of a hostile value may need four
  const std::string hostile(512, '\x01');
  CHECK(format_record(Level::kInfo, "e", {{"a", hostile}, {"b", hostile}}).size() <= limits::kLogLineBytes);
}

static void a_record_reaches_standard_error_unless_it_is_too_verbose() {
  const std::string text = captured([] {
    set_log_level(Level::kWarning);
    log(Level::kInfo, "quiet", {});
    log(Level::kWarning, "loud", {{"n", 1}});
    set_log_level(Level::kInfo);
    log(Level::kInfo, "again", {});
    log(Level::kDebug, "quiet", {});
  });
  CHECK_EQ(text, "<4>event=loud n=1\n<6>event=again\n");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_record_has_level_event_and_fields_in_order),
      CASE(an_empty_value_is_left_out),
      CASE(a_forged_newline_cannot_make_a_second_record),
      CASE(a_forged_quote_cannot_make_a_second_field),
      CASE(terminal_escapes_and_ill_formed_text_are_written_as_digits),
      CASE(a_long_value_is_cut_on_a_character_boundary),
      CASE(a_long_record_is_cut_between_fields),
      CASE(a_record_reaches_standard_error_unless_it_is_too_verbose),
  };
  return RUN_TESTS("log", tests);
}
