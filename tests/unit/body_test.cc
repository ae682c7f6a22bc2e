// body_test.cc — the body of a request as a file: nginx's own, or spooled from the connection.
#include "http/body.h"

#include <unistd.h>

#include <string>

#include "check.h"
#include "fake/exchange.h"
#include "fake/temp_folder.h"

using namespace cloakroom;
using fake::FakeExchange;
using fake::TempFolder;

namespace {

struct World {
  TempFolder folder;
  BodyRules rules{.temp_path = folder / "spool", .max_request_bytes = 100};
  FakeExchange exchange;
  Request request;

  World() {
    CHECK_OK(make_folders(rules.temp_path, 0700));
    request.exchange = &exchange;
  }
  World& spooled(const std::string& name, std::optional<std::uint64_t> length) {
    exchange.variables["REQUEST_BODY_FILE"] = name;
    request.content_length = length;
    return *this;
  }
  World& piped(std::string bytes, std::optional<std::uint64_t> length) {
    exchange.body = std::move(bytes);
    request.content_length = length;
    return *this;
  }
  std::string nginx_file(std::string_view bytes) const { return folder.write("spool/0000000001", bytes); }

  Errc refusal() {
    Body body;
    const Status opened = open_body(request, rules, body);
    CHECK(!opened);
    return opened.error().code;
  }
  std::string text() {
    Body body;
    CHECK_OK(open_body(request, rules, body));
    std::string bytes(body.range.size, '\0');
    CHECK_EQ(CHECK_OK(read_at(body.range.fd, std::as_writable_bytes(std::span(bytes)), 0)), bytes.size());
    return bytes;
  }
};

}  // namespace

static void nginxs_file_is_taken_by_its_name() {
  World w;
  const std::string path = w.nginx_file("hello");
  Body body;
  CHECK_OK(open_body(w.spooled(path, 5).request, w.rules, body));
  CHECK_EQ(body.range.size, 5u);
  CHECK_EQ(body.range.path, path);  // a whole file, so that the store may link it
  CHECK_EQ(w.text(), "hello");
}

static void only_files_below_the_spool_folder_are_opened() {
  World w;
  const std::string outside = w.folder.write("secret", "x");
  CHECK_OK(make_folders(w.folder / "spool-of-others", 0700));
  const std::string beside = w.folder.write("spool-of-others/x", "x");
  for (const std::string& name : {outside, beside, std::string("/etc/passwd"), w.rules.temp_path + "/../secret",
                                  w.rules.temp_path, std::string("0000000001")})
    CHECK_EQ(w.spooled(name, 1).refusal(), Errc::kInternal);
}

static void a_link_in_the_spool_folder_is_not_followed() {
  World w;
  const std::string target = w.folder.write("secret", "x");
  CHECK_EQ(::symlink(target.c_str(), (w.rules.temp_path + "/link").c_str()), 0);
  CHECK_EQ(w.spooled(w.rules.temp_path + "/link", 1).refusal(), Errc::kInternal);
}

static void a_file_that_vanished_is_a_fault_of_this_host() {
  World w;
  CHECK_EQ(w.spooled(w.rules.temp_path + "/0000000009", 1).refusal(), Errc::kInternal);
}

static void a_file_of_another_length_was_cut() {
  World w;
  const std::string path = w.nginx_file("hello");
  CHECK_EQ(w.spooled(path, 6).refusal(), Errc::kInvalid);
  CHECK_EQ(w.spooled(path, 4).refusal(), Errc::kInvalid);
}

static void a_request_over_the_limit_is_refused_announced_or_not() {
  World w;
  const std::string path = w.nginx_file(std::string(101, 'x'));
  CHECK_EQ(w.spooled(path, 101).refusal(), Errc::kTooLarge);
  CHECK_EQ(w.spooled(path, std::nullopt).refusal(), Errc::kTooLarge);
  World piped;
  CHECK_EQ(piped.piped(std::string(101, 'x'), 101).refusal(), Errc::kTooLarge);
  World at_limit;
  CHECK_EQ(at_limit.piped(std::string(100, 'x'), 100).text(), std::string(100, 'x'));
}

static void bytes_of_the_connection_are_spooled_into_a_nameless_file() {
  World w;
  CHECK_EQ(w.piped("a body in several pieces", 24).text(), "a body in several pieces");
  CHECK(w.folder.list("spool").empty());
  Body body;
  World again;
  CHECK_OK(open_body(again.piped("abc", 3).request, again.rules, body));
  CHECK(body.range.path.empty());
}

static void the_spool_folder_is_made_when_it_is_missing() {
  World w;
  w.rules.temp_path = w.folder / "not/yet/there";
  CHECK_EQ(w.piped("abc", 3).text(), "abc");
}

static void what_follows_the_announced_length_is_not_read() {
  World w;
  CHECK_EQ(w.piped("abcdef", 3).text(), "abc");
}

static void a_connection_that_ends_early_is_a_cut_upload() {
  World ended;
  CHECK_EQ(ended.piped("abc", 5).refusal(), Errc::kInvalid);
  World gone;
  gone.exchange.client_gone = true;
  CHECK_EQ(gone.piped("abc", 5).refusal(), Errc::kInvalid);
}

static void a_body_without_a_length_could_be_cut_unseen() {
  World w;
  CHECK_EQ(w.piped("abc", std::nullopt).refusal(), Errc::kLengthRequired);
}

static void an_empty_body_is_an_empty_file() {
  World w;
  CHECK_EQ(w.piped("", 0).text(), "");
}

static void a_small_body_is_read_whole_or_refused() {
  const auto read = [](World& w) { return read_small_body(w.request, w.rules, 10); };
  World spooled;
  CHECK_EQ(CHECK_OK(read(spooled.spooled(spooled.nginx_file("hello"), 5))), "hello");
  World piped;
  CHECK_EQ(CHECK_OK(read(piped.piped("0123456789", 10))), "0123456789");
  World nothing;
  CHECK_EQ(CHECK_OK(read(nothing)), "");
  World announced;
  CHECK_ERR(read(announced.piped(std::string(11, 'x'), 11)), Errc::kTooLarge);
  World unannounced;
  CHECK_ERR(read(unannounced.spooled(unannounced.nginx_file(std::string(11, 'x')), std::nullopt)), Errc::kTooLarge);
  World cut;
  CHECK_ERR(read(cut.piped("abc", 5)), Errc::kInvalid);
  World cut_file;
  CHECK_ERR(read(cut_file.spooled(cut_file.nginx_file("abc"), 5)), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(nginxs_file_is_taken_by_its_name),
      CASE(only_files_below_the_spool_folder_are_opened),
      CASE(a_link_in_the_spool_folder_is_not_followed),
      CASE(a_file_that_vanished_is_a_fault_of_this_host),
      CASE(a_file_of_another_length_was_cut),
      CASE(a_request_over_the_limit_is_refused_announced_or_not),
      CASE(bytes_of_the_connection_are_spooled_into_a_nameless_file),
      CASE(the_spool_folder_is_made_when_it_is_missing),
      CASE(what_follows_the_announced_length_is_not_read),
      CASE(a_connection_that_ends_early_is_a_cut_upload),
      CASE(a_body_without_a_length_could_be_cut_unseen),
      CASE(an_empty_body_is_an_empty_file),
      CASE(a_small_body_is_read_whole_or_refused),
  };
  return RUN_TESTS("body", tests);
}
