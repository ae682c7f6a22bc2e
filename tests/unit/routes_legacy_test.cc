// routes_legacy_test.cc — old addresses: what was taken over, what was not yet, and who gets either.
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <string>

#include "check.h"
#include "fake/service.h"
#include "storage/legacy_folder.h"

using namespace cloakroom;
using fake::Answer;

namespace {

struct FakeAddresses final : LegacyAddresses {
  std::map<std::string, std::vector<Uuid>> book;
  std::vector<std::string> asked;
  Result<std::vector<Uuid>> ids_of(const std::string& path, std::size_t) override {
    asked.push_back(path);
    return book.contains(path) ? book[path] : std::vector<Uuid>();
  }
};

struct World {
  explicit World(LegacyAccess access = LegacyAccess::kUsers, fake::ServiceOptions options = {})
      : s(std::move(options)) {
    s.app.options.legacy = {.path = "/up/", .access = access};
    s.app.legacy = &addresses;
    s.app.legacy_files = &files;
    folder.write("a b.txt", "old bytes");
    folder.write("empty", "");
    std::filesystem::create_symlink(folder / "a b.txt", folder / "link");
  }
  Answer ask(std::string_view user, const std::string& path, fake::Variables more = {}) {
    return s.ask(user, "GET /up/" + path, {}, std::move(more));
  }

  fake::TempFolder folder;
  fake::Service s;
  FakeAddresses addresses;
  LegacyFolder store = CHECK_OK(LegacyFolder::make(folder.path()));
  LegacyFiles files{store, s.sniffer};
};

void check_cloaked(World& w, const Answer& answer) {
  const Answer never = w.s.ask("alice", "GET /api/files/" + to_string(Uuid{}) + "/x");
  CHECK_EQ(answer.status, 404);
  CHECK_EQ(answer.body, never.body);
  CHECK_EQ(answer.header("Cache-Control"), "no-store");
}

void what_was_not_taken_over_is_sent_by_nginx_from_its_folder() {
  World w;
  const Answer answer = w.ask("alice", "a%20b.txt?v=1");
  CHECK_EQ(answer.status, 200);
  CHECK_EQ(answer.header("X-Accel-Redirect"), "/_cloakroom/test/legacy/a%20b.txt");
  CHECK_EQ(answer.header("X-Cloakroom-Cache-Control"), "private, no-cache");
  CHECK(answer.header("X-Cloakroom-Disposition").find("a b.txt") != std::string::npos);
  CHECK_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  CHECK(answer.header("Content-Security-Policy").find("sandbox") != std::string::npos);
  CHECK_EQ(answer.header("ETag").size(), 34u);
  CHECK_EQ(w.ask("alice", "a%20b.txt", {{"HTTP_IF_NONE_MATCH", answer.header("ETag")}}).status, 304);
  CHECK_EQ(w.ask("alice", "empty").status, 200);
  const Answer head = w.s.ask("alice", "HEAD /up/a%20b.txt");
  CHECK_EQ(head.header("Content-Length"), "9");
  CHECK_EQ(w.s.ask("alice", "POST /up/a%20b.txt").status, 405);
}

void without_nginx_the_worker_sends_it_in_ranges_too() {
  World w;
  w.s.app.options.legacy.by_worker = true;
  CHECK_EQ(w.ask("alice", "a%20b.txt").body, "old bytes");
  const Answer part = w.ask("alice", "a%20b.txt", {{"HTTP_RANGE", "bytes=4-5"}});
  CHECK_EQ(part.status, 206);
  CHECK_EQ(part.body, "by");
  CHECK_EQ(w.ask("alice", "a%20b.txt", {{"HTTP_RANGE", "bytes=99-"}}).status, 416);
}

void what_was_taken_over_is_for_those_who_may_read_it() {
  World w(LegacyAccess::kPublic);
  const Attachment a = w.s.add("new bytes");
  w.addresses.book["a b.txt"] = {make_uuid7(w.s.clock.now()), a.id};  // the first is gone by now
  CHECK_EQ(w.ask("alice", "a%20b.txt").header("X-Accel-Redirect"), "/_cloakroom/test/file/" + a.key);
  CHECK_EQ(w.ask("service", "a%20b.txt").status, 200);
  check_cloaked(w, w.ask("carol", "a%20b.txt"));
  check_cloaked(w, w.ask("", "a%20b.txt"));
  CHECK_EQ(w.ask("carol", "a%20b.txt", {{"CLOAKROOM_ACCESS", "granted"}}).status, 200);
}

void what_was_deleted_does_not_come_back_from_the_old_folder() {
  for (const LegacyAccess access : {LegacyAccess::kUsers, LegacyAccess::kPublic}) {
    World w(access);
    w.addresses.book["a b.txt"] = {make_uuid7(w.s.clock.now())};
    for (const char* user : {"alice", "service"}) check_cloaked(w, w.ask(user, "a%20b.txt"));
  }
}

void the_setting_says_who_may_read_what_was_not() {
  struct Case {
    LegacyAccess access;
    int nobody, user, granted;
  };
  for (const Case& c : {Case{LegacyAccess::kService, 401, 404, 404}, Case{LegacyAccess::kGranted, 401, 404, 200},
                        Case{LegacyAccess::kUsers, 401, 200, 200}, Case{LegacyAccess::kPublic, 200, 200, 200}}) {
    World w(c.access);
    CHECK_EQ(w.ask("service", "a%20b.txt").status, 200);
    CHECK_EQ(w.ask("", "a%20b.txt").status, c.nobody);
    CHECK_EQ(w.ask("", "a%20b.txt", {{"CLOAKROOM_ACCESS", "granted"}}).status, c.nobody);
    CHECK_EQ(w.ask("carol", "a%20b.txt").status, c.user);
    CHECK_EQ(w.ask("carol", "a%20b.txt", {{"CLOAKROOM_ACCESS", "granted"}}).status, c.granted);
  }
  World tokens(LegacyAccess::kGranted, {.jwt_secret = "0123456789abcdef"});
  CHECK_EQ(tokens.ask("", "a%20b.txt", {{"CLOAKROOM_ACCESS", "granted"}}).status, 401);
}

void a_public_instance_does_not_open_paths_that_can_be_guessed() {
  World w(LegacyAccess::kUsers, {.visibility = Visibility::kPublic});
  const Attachment a = w.s.add("new bytes");
  w.addresses.book["a b.txt"] = {a.id};
  check_cloaked(w, w.ask("carol", "a%20b.txt"));
  w.s.app.options.legacy.access = LegacyAccess::kPublic;
  CHECK_EQ(w.ask("", "a%20b.txt").status, 200);
}

void hostile_paths_are_as_if_there_were_nothing() {
  World w(LegacyAccess::kPublic);
  for (const char* path : {"", "../a%20b.txt", "%2e%2e/etc/passwd", "..%2fetc%2fpasswd", "/etc/passwd",
                           "x/../a%20b.txt", "./a%20b.txt", "a%20b.txt/", "a%20b.txt%00", "a%20b.txt%00.jpg", "%",
                           "%zz", "a%0d%0aX:%20y", "a%5cb", "%c3", "link", ".", "nothing", "%252e%252e/x"}) {
    check_cloaked(w, w.ask("service", path));
  }
  for (const std::string& path : w.addresses.asked) CHECK(CHECK_OK(ObjectKey::parse(path)).str() == path);
}

void a_look_for_an_attachment_is_made_whatever_there_is() {
  World w(LegacyAccess::kUsers);
  w.addresses.book["gone"] = {make_uuid7(w.s.clock.now())};
  for (const char* path : {"gone", "nothing", "a%20b.txt"}) {
    w.s.journal.clear();
    w.ask("alice", path);
    CHECK_EQ(std::count(w.s.journal.begin(), w.s.journal.end(), "find"), 1);
  }
}

void switched_off_it_is_no_address_of_ours() {
  World w(LegacyAccess::kPublic);
  w.s.app.options.legacy.path.clear();
  check_cloaked(w, w.ask("service", "a%20b.txt"));
  CHECK(w.addresses.asked.empty());
  World bare(LegacyAccess::kPublic);
  bare.s.app.legacy_files = nullptr;  // only what was taken over
  check_cloaked(bare, bare.ask("service", "a%20b.txt"));
}

// The old folder lies in the store's: a row alone says who may have what is stored there.
void what_has_a_name_of_ours_is_not_handed_out() {
  const Uuid id = make_uuid7(TimePoint{});
  for (const KeyNaming naming : {KeyNaming::kFanout, KeyNaming::kUuidName, KeyNaming::kFolder}) {
    for (const std::string key_prefix : {"", "old/", "old/app/"}) {
      World w(LegacyAccess::kPublic);
      const std::string key = make_key({key_prefix, naming}, id, "x.txt").str();
      const std::string path = key_prefix.empty() ? key : key.substr(4);
      const std::string ticket = quarantine_key(key_prefix, id).str().substr(key_prefix.empty() ? 0 : 4);
      for (const std::string& one : {path, ticket, std::string(".kept/x")}) {
        std::filesystem::create_directories(std::filesystem::path(w.folder / one).parent_path());
        w.folder.write(one, "a file of ours");
      }
      CHECK_EQ(w.ask("", path).status, 200);  // without a place they are files as others
      LegacyFiles files{w.store, w.s.sniffer, PlaceInStore{key_prefix.empty() ? "" : "old/", key_prefix}};
      w.s.app.legacy_files = &files;
      check_cloaked(w, w.ask("service", path));
      check_cloaked(w, w.ask("service", ticket));
      CHECK_EQ(w.ask("service", ".kept/x").status, key_prefix.empty() ? 404 : 200);
      CHECK_EQ(w.ask("", "a%20b.txt").status, 200);
    }
  }
}

void the_place_in_the_store_is_seen_through_links() {
  fake::TempFolder root;
  std::filesystem::create_directories(root / "store/old/more");
  std::filesystem::create_directory(root / "store2");
  std::filesystem::create_directory_symlink(root / "store/old", root / "link");
  const auto prefix = [&](const char* path) { return CHECK_OK(prefix_in_store(root / path, root / "store")); };
  CHECK(prefix("store") == "" && prefix("store/old/more/") == "old/more/" && prefix("link") == "old/");
  CHECK(!prefix("store2") && !prefix("."));
  CHECK_ERR(prefix_in_store(root / "nothing", root / "store"), Errc::kNotFound);
}

void only_files_below_the_folder_are_opened() {
  World w;
  const auto open = [&](const char* path) { return w.store.open(CHECK_OK(ObjectKey::parse(path))); };
  std::filesystem::create_directory(w.folder / "sub");
  std::filesystem::create_directory_symlink("/etc", w.folder / "etc");
  CHECK(::mkfifo((w.folder / "pipe").c_str(), 0600) == 0);
  CHECK_EQ(CHECK_OK(open("a b.txt")).size_bytes, 9u);
  CHECK_ERR(open("link"), Errc::kInvalid);
  CHECK_ERR(open("etc/passwd"), Errc::kInvalid);
  CHECK_ERR(open("sub"), Errc::kInvalid);
  CHECK_ERR(open("pipe"), Errc::kInvalid);
  CHECK_ERR(open("a b.txt/x"), Errc::kNotFound);
  CHECK_ERR(open("nothing"), Errc::kNotFound);
  const std::string before = CHECK_OK(open("a b.txt")).version;
  w.folder.write("a b.txt", "other bytes");
  CHECK(CHECK_OK(open("a b.txt")).version != before);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(what_was_not_taken_over_is_sent_by_nginx_from_its_folder),
      CASE(without_nginx_the_worker_sends_it_in_ranges_too),
      CASE(what_was_taken_over_is_for_those_who_may_read_it),
      CASE(what_was_deleted_does_not_come_back_from_the_old_folder),
      CASE(the_setting_says_who_may_read_what_was_not),
      CASE(a_public_instance_does_not_open_paths_that_can_be_guessed),
      CASE(hostile_paths_are_as_if_there_were_nothing),
      CASE(a_look_for_an_attachment_is_made_whatever_there_is),
      CASE(switched_off_it_is_no_address_of_ours),
      CASE(what_has_a_name_of_ours_is_not_handed_out),
      CASE(the_place_in_the_store_is_seen_through_links),
      CASE(only_files_below_the_folder_are_opened),
  };
  return RUN_TESTS("routes_legacy", tests);
}
