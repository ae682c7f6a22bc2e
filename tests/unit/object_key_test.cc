// object_key_test.cc — the names of stored objects: harmless by construction, whatever the file was called.
#include "domain/object_key.h"

#include <algorithm>

#include <random>
#include <set>
#include <string>

#include "base/encode.h"
#include "base/limits.h"
#include "check.h"
#include "domain/filename.h"

using namespace cloakroom;

namespace {

const Uuid kId = *parse_uuid("0198c0de-beef-7abc-89ab-0123456789ab");
constexpr KeyNaming kNamings[] = {KeyNaming::kFanout, KeyNaming::kUuidName, KeyNaming::kFolder};

std::string made(KeyNaming naming, std::string_view filename, std::string prefix = "") {
  return make_key({std::move(prefix), naming}, kId, filename).str();
}

}  // namespace

static void each_naming_has_its_shape() {
  CHECK_EQ(made(KeyNaming::kFanout, "x.jpg"), "ab/0198c0debeef7abc89ab0123456789ab");
  CHECK_EQ(made(KeyNaming::kUuidName, "x.jpg"), "0198c0de-beef-7abc-89ab-0123456789ab_x.jpg");
  CHECK_EQ(made(KeyNaming::kFolder, "x.jpg", "a/b/"), "a/b/0198c0de-beef-7abc-89ab-0123456789ab/x.jpg");
}

static void fanout_spreads_by_the_random_end_of_the_id() {
  std::set<std::string> folders;
  for (int i = 0; i < 2000; ++i) folders.insert(make_key({}, make_uuid7(TimePoint()), "x").str().substr(0, 2));
  CHECK(folders.size() > 200u);  // of 256; all in one millisecond
}

static void characters_that_stores_disagree_about_become_underscores() {
  const std::string name = made(KeyNaming::kFolder, "a b\"c'%2F?#&+;:*<>|$`~\xC3\xBC.JPG").substr(37);
  CHECK_EQ(name, "a_b_c__2F_____________\xC3\xBC.JPG");
}

static void a_long_name_keeps_its_end() {
  const std::string key = made(KeyNaming::kUuidName, std::string(251, 'x') + ".jpg");
  CHECK_EQ(key.size(), limits::kKeySegmentBytes);
  CHECK(key.ends_with("xxx.jpg"));
  std::string umlauts;
  for (int i = 0; i < 125; ++i) umlauts += "\xC3\xBC";
  CHECK(is_utf8(made(KeyNaming::kUuidName, umlauts + ".jpeg")));
}

static void every_cleaned_name_gives_a_key_that_parses() {
  std::mt19937 random(7);
  const auto below = [&random](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (int round = 0; round < 3000; ++round) {
    std::string raw;
    for (std::size_t size = below(round % 10 == 0 ? 600 : 20); size > 0; --size) {
      if (below(4) == 0) raw += "\xF0\x9F\x93\x8E";
      raw += static_cast<char>(below(3) == 0 ? below(256) : '.' + below(4));
    }
    for (const KeyNaming naming : kNamings) {
      const ObjectKey key = make_key({"p-1/q/", naming}, make_uuid7(TimePoint()), clean_filename(raw));
      CHECK(CHECK_OK(ObjectKey::parse(key.str())) == key);
      CHECK(key.str().starts_with("p-1/q/"));
      CHECK(key.str().find_first_of("\\%\" ?#") == std::string::npos);
    }
  }
}

static void different_ids_give_different_keys_for_one_name() {
  for (const KeyNaming naming : kNamings)
    CHECK(!(make_key({"", naming}, make_uuid7(TimePoint()), "x") ==
            make_key({"", naming}, make_uuid7(TimePoint()), "x")));
}

static void hostile_texts_are_no_keys() {
  for (const char* text : {"",    "/",   "/a",   "a/",    "a//b", ".",     "..",      "../a", "a/../b", "a/..",
                           "a/.", "./a", "a\\b", "..\\a", "a\nb", "a\x7f", "a\x01/b", "\xFF", "a/\xC3", "\xED\xA0\x80"})
    CHECK_ERR(ObjectKey::parse(text), Errc::kInvalid);
  CHECK_ERR(ObjectKey::parse(std::string_view("a\0b", 3)), Errc::kInvalid);
}

static void legal_texts_are_kept_as_they_are() {
  for (const char* text : {"a", "a/b/c", "...", "..a", "a..", ".a", "a b", "%2e%2e/x", "\xC3\xBC/\xF0\x9F\x93\x8E"})
    CHECK_EQ(CHECK_OK(ObjectKey::parse(text)).str(), text);
}

static void segments_and_keys_have_a_longest() {
  const std::string segment(limits::kKeySegmentBytes, 'x');
  CHECK_OK(ObjectKey::parse(segment + "/" + segment));
  CHECK_ERR(ObjectKey::parse(segment + "x"), Errc::kInvalid);
  CHECK_ERR(ObjectKey::parse("a/" + segment + "x/b"), Errc::kInvalid);
  const std::string longest = segment + "/" + segment + "/" + segment + "/" + segment;
  CHECK_EQ(longest.size(), limits::kKeyBytes - 1);
  CHECK_OK(ObjectKey::parse(longest));
  CHECK_ERR(ObjectKey::parse(longest + "/y"), Errc::kInvalid);
}

static void folders_known_ahead_are_those_that_keys_are_put_into() {
  const KeyRule rule{"a/b/", KeyNaming::kFanout};
  const std::vector<std::string> folders = key_folders(rule);
  CHECK_EQ(folders.size(), 258u);
  CHECK_EQ(folders[0], "a");  // parents first
  CHECK_EQ(folders[1], "a/b");
  for (int i = 0; i < 500; ++i) {
    const std::string key = make_key(rule, make_uuid7(system_now()), "x").str();
    CHECK(std::find(folders.begin(), folders.end(), key.substr(0, key.rfind('/'))) != folders.end());
  }
  CHECK(key_folders({"", KeyNaming::kFolder}).empty());
}

static void own_keys_are_told_from_those_of_others() {
  const Uuid id = make_uuid7(system_now());
  for (const std::string prefix : {"", "app/", "a/b/"}) {
    for (const KeyNaming naming : {KeyNaming::kFanout, KeyNaming::kUuidName, KeyNaming::kFolder}) {
      const std::string key = make_key({prefix, naming}, id, "Bild 1.png").str();
      CHECK(is_own_key(prefix, key));
      CHECK(!is_own_key("other/", key));
      CHECK(!is_own_key(prefix, prefix + "incoming/" + key.substr(prefix.size())));
      CHECK(!is_own_key(prefix, key.substr(0, key.size() / 2)));
    }
  }
  for (const char* key : {"", "app", "app/", "app/backup.tar", "app/ab/0123456789abcdef0123456789abcdcd",
                          "app/ab/0123456789ABCDEF0123456789abcdab", "app/0198c0de-0000-7000-8000-000000000001",
                          "app/0198c0de-0000-7000-8000-00000000000x_a"}) {
    CHECK(!is_own_key("app/", key));
    CHECK(!quarantined_ticket("app/", key));
  }
}

static void a_key_in_quarantine_names_its_ticket() {
  const Uuid id = make_uuid7(TimePoint(std::chrono::seconds(1440938160)));
  for (const std::string prefix : {"", "app/"}) {
    const std::string key = quarantine_key(prefix, id).str();
    CHECK_EQ(key, prefix + "quarantine/" + to_hex(id));
    CHECK(quarantined_ticket(prefix, key) == id);
    CHECK(!is_own_key(prefix, key));
    CHECK(!quarantined_ticket("other/", key));
    CHECK(!quarantined_ticket(prefix, key + "0"));
    CHECK(!quarantined_ticket(prefix, key.substr(0, key.size() - 1)));
    CHECK(!quarantined_ticket(prefix, prefix + "quarantine/" + to_string(id)));
    CHECK(!quarantined_ticket(prefix, prefix + to_hex(id)));
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(folders_known_ahead_are_those_that_keys_are_put_into),
      CASE(each_naming_has_its_shape),
      CASE(fanout_spreads_by_the_random_end_of_the_id),
      CASE(characters_that_stores_disagree_about_become_underscores),
      CASE(a_long_name_keeps_its_end),
      CASE(every_cleaned_name_gives_a_key_that_parses),
      CASE(different_ids_give_different_keys_for_one_name),
      CASE(hostile_texts_are_no_keys),
      CASE(legal_texts_are_kept_as_they_are),
      CASE(segments_and_keys_have_a_longest),
      CASE(own_keys_are_told_from_those_of_others),
      CASE(a_key_in_quarantine_names_its_ticket),
  };
  return RUN_TESTS("object_key", tests);
}
