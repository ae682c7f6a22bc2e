// local_listing_test.cc — the walk over a local store: byte order, large folders, and what it leaves out.
#include "storage/local_listing.h"

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "fake/temp_folder.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

struct World {
  fake::TempFolder folder;
  void file(const std::string& key, std::string_view bytes = "abc") const {
    std::filesystem::create_directories(std::filesystem::path(folder / key).parent_path());
    folder.write(key, bytes);
  }
  std::vector<std::string> keys(std::size_t at_once = 50'000, const std::string& kept = ".kept/node1/") const {
    LocalListing listing({.root = folder.path(), .kept_prefix = kept, .names_at_once = at_once});
    std::vector<std::string> found;
    while (auto object = CHECK_OK(listing.next())) found.push_back(object->key);
    return found;
  }
};

using Keys = std::vector<std::string>;

void files_come_in_the_order_of_the_bytes_of_their_keys() {
  World w;
  const Keys sorted{"B", "a.txt", "a/b", "a/b.c", "a/b0/x", "a0", "a_/x", "\xc3\xa9/1"};
  for (auto key = sorted.rbegin(); key != sorted.rend(); ++key) w.file(*key);
  std::filesystem::create_directories(w.folder / "a/empty/folder");
  CHECK(w.keys() == sorted);
  CHECK(std::is_sorted(sorted.begin(), sorted.end()));
}

void a_folder_larger_than_what_is_held_is_read_in_turns() {
  World w;
  Keys sorted;
  for (int i = 100; i < 350; ++i) {
    sorted.push_back("d" + std::to_string(i % 7) + "/f" + std::to_string(i));
    w.file(sorted.back());
    sorted.push_back("f" + std::to_string(i));
    w.file(sorted.back());
  }
  std::sort(sorted.begin(), sorted.end());
  for (const std::size_t at_once : {1U, 2U, 3U, 10U, 249U, 250U, 251U}) CHECK(w.keys(at_once) == sorted);
}

void sizes_and_times_are_told() {
  World w;
  w.file("a", "12345");
  LocalListing listing({.root = w.folder.path()});
  const auto object = CHECK_OK(listing.next());
  CHECK(object && object->size_bytes == 5);
  CHECK(object->changed_at <= listing.now() && object->changed_at > listing.now() - std::chrono::minutes(1));
  CHECK(!CHECK_OK(listing.next()) && !CHECK_OK(listing.next()));
}

void temporary_files_and_those_of_other_nodes_are_left_out() {
  World w;
  for (const char* key : {".tmp/1", ".body/2", "lost+found/3", ".kept/node1/ab/4", ".kept/node10/ab/5", ".kept/6",
                          "ab/7", "ab/.8", "ab/.tmp/9"}) {
    w.file(key);
  }
  CHECK(w.keys() == (Keys{".kept/node1/ab/4", "ab/.8", "ab/.tmp/9", "ab/7"}));
  CHECK(w.keys(50'000, "") == (Keys{"ab/.8", "ab/.tmp/9", "ab/7"}));
}

void links_count_when_they_lead_to_files() {
  World w;
  w.file("a/b");
  std::filesystem::create_symlink("a/b", w.folder / "link");
  std::filesystem::create_directory_symlink("a", w.folder / "loop");
  std::filesystem::create_symlink("nowhere", w.folder / "broken");
  CHECK(w.keys() == (Keys{"a/b", "link"}));
}

void what_vanishes_meanwhile_is_passed_over() {
  World w;
  for (const char* key : {"a", "b", "c/d", "e"}) w.file(key);
  LocalListing listing({.root = w.folder.path()});
  CHECK_EQ(CHECK_OK(listing.next())->key, "a");
  std::filesystem::remove(w.folder / "b");
  std::filesystem::remove_all(w.folder / "c");
  CHECK_EQ(CHECK_OK(listing.next())->key, "e");
  CHECK(!CHECK_OK(listing.next()));
}

void without_its_root_there_is_no_listing() {
  World w;
  LocalListing listing({.root = w.folder / "none"});
  const auto object = listing.next();
  CHECK(!object && object.error().code == Errc::kNotFound);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(files_come_in_the_order_of_the_bytes_of_their_keys),
      CASE(a_folder_larger_than_what_is_held_is_read_in_turns),
      CASE(sizes_and_times_are_told),
      CASE(temporary_files_and_those_of_other_nodes_are_left_out),
      CASE(links_count_when_they_lead_to_files),
      CASE(what_vanishes_meanwhile_is_passed_over),
      CASE(without_its_root_there_is_no_listing),
  };
  return RUN_TESTS("local_listing", tests);
}
