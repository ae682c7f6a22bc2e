// local_test.cc — what the local store leaves on the disk: taken or copied bytes, no temporary names, no empty folders.
#include "storage/local.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/encode.h"
#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;
using fake::read_file;
using fake::TempFolder;

namespace {

struct Disk {
  TempFolder folder;
  LocalStore store{LocalOptions{.root = folder / "root"}};
  Disk() { CHECK_OK(store.prepare()); }

  UniqueFd body(std::string_view bytes) const { return CHECK_OK(open_file(folder.write("body", bytes), O_RDONLY)); }
  std::string body_path() const { return folder / "body"; }
  std::string path(std::string_view key) const { return folder / ("root/" + std::string(key)); }
  std::set<std::string> temporary_names() const { return folder.list("root/.tmp"); }
};

ObjectKey key(std::string_view text) {
  return CHECK_OK(ObjectKey::parse(text));
}

struct stat info_of(const std::string& path) {
  struct stat info {};
  CHECK_EQ(::stat(path.c_str(), &info), 0);
  return info;
}

struct NullSink final : ByteSink {
  Status write(std::span<const std::byte>) override { return Ok{}; }
};

const std::string kUuid = "0198c0de-beef-7abc-89ab-0123456789ab";

}  // namespace

static void a_whole_named_body_is_linked_and_not_copied() {
  Disk disk;
  const UniqueFd fd = disk.body("hello");
  const std::string path = disk.body_path();
  const auto digest = CHECK_OK(disk.store.put(key("3f/a"), {fd.get(), 0, 5, path}, {}));
  CHECK(digest == sha256("hello"));
  CHECK_EQ(info_of(disk.path("3f/a")).st_ino, info_of(path).st_ino);
  CHECK_EQ(read_file(path), "hello");  // still under nginx's name
  CHECK(disk.temporary_names().empty());
}

static void a_part_of_a_body_is_copied_into_a_file_of_its_own() {
  Disk disk;
  const UniqueFd fd = disk.body("..hello..");
  const auto digest = CHECK_OK(disk.store.put(key("3f/a"), {fd.get(), 2, 5, {}}, {}));
  CHECK(digest == sha256("hello"));
  CHECK_EQ(read_file(disk.path("3f/a")), "hello");
  CHECK_EQ(info_of(disk.path("3f/a")).st_nlink, 1u);
  CHECK_EQ(info_of(disk.path("3f/a")).st_mode & 0777U, 0600U);
  CHECK(disk.temporary_names().empty());
}

// rename(2) of two names of one file does nothing and succeeds: the temporary name would stay.
static void a_repeated_put_of_a_linked_body_leaves_no_temporary_name() {
  Disk disk;
  const UniqueFd fd = disk.body("hello");
  const std::string path = disk.body_path();
  for (int i = 0; i < 2; ++i) CHECK_OK(disk.store.put(key("3f/a"), {fd.get(), 0, 5, path}, {}));
  CHECK_EQ(read_file(disk.path("3f/a")), "hello");
  CHECK(disk.temporary_names().empty());
}

static void a_failed_put_leaves_neither_object_nor_temporary_name() {
  Disk disk;
  const UniqueFd fd = disk.body("short");
  const std::string path = disk.body_path();
  CHECK_ERR(disk.store.put(key("3f/a"), {fd.get(), 0, 50, {}}, {}), Errc::kInternal);
  CHECK_ERR(disk.store.put(key("3f/a"), {fd.get(), 0, 50, path}, {}), Errc::kInternal);
  CHECK_ERR(disk.store.put(key("3f/a"), {-1, 0, 5, {}}, {}), Errc::kInternal);
  disk.folder.write("root/file", "in the way");
  CHECK_ERR(disk.store.put(key("file/a"), {fd.get(), 0, 5, {}}, {}), Errc::kInternal);
  CHECK_ERR(disk.store.put(key("file/a"), {fd.get(), 0, 5, path}, {}), Errc::kInternal);
  CHECK(disk.temporary_names().empty());
  CHECK_ERR(disk.store.head(key("3f/a")), Errc::kNotFound);
  CHECK_EQ(read_file(path), "short");
}

// kNotFound would tell the client of an upload that there is nothing here for him.
static void a_missing_store_folder_is_a_fault_of_this_host() {
  const TempFolder folder;
  LocalStore store(LocalOptions{.root = folder / "absent"});
  const std::string path = folder.write("body", "x");
  const UniqueFd fd = CHECK_OK(open_file(path, O_RDONLY));
  CHECK_ERR(store.put(key("3f/a"), {fd.get(), 0, 1, {}}, {}), Errc::kInternal);
  CHECK_ERR(store.put(key("3f/a"), {fd.get(), 0, 1, path}, {}), Errc::kInternal);
  CHECK(!store.ready());
}

static void a_put_replaces_the_object_as_a_whole() {
  Disk disk;
  const UniqueFd first = disk.body("a longer first text");
  CHECK_OK(disk.store.put(key("3f/a"), {first.get(), 0, 19, {}}, {}));
  const UniqueFd second = disk.body("second");
  CHECK_OK(disk.store.put(key("3f/a"), {second.get(), 0, 6, {}}, {}));
  CHECK_EQ(read_file(disk.path("3f/a")), "second");
}

static void removing_an_object_removes_the_folder_made_for_it() {
  Disk disk;
  const UniqueFd fd = disk.body("x");
  const std::string one = kUuid + "/x.jpg";
  const std::string prefixed = "attachments/" + kUuid + "/x.jpg";
  for (const std::string& name : {one, prefixed}) {
    CHECK_OK(disk.store.put(key(name), {fd.get(), 0, 1, {}}, {}));
    CHECK_OK(disk.store.remove(key(name)));
    CHECK_OK(disk.store.remove(key(name)));
  }
  const std::set<std::string> wanted{".tmp", "attachments"};
  CHECK(disk.folder.list("root") == wanted);
}

static void removing_an_object_leaves_shared_folders_alone() {
  Disk disk;
  const UniqueFd fd = disk.body("x");
  for (const char* name : {"3f/a", "top"}) {
    CHECK_OK(disk.store.put(key(name), {fd.get(), 0, 1, {}}, {}));
    CHECK_OK(disk.store.remove(key(name)));
  }
  CHECK_OK(disk.store.put(key(kUuid + "/x"), {fd.get(), 0, 1, {}}, {}));
  CHECK_OK(disk.store.put(key(kUuid + "/y"), {fd.get(), 0, 1, {}}, {}));
  CHECK_OK(disk.store.remove(key(kUuid + "/x")));
  const std::set<std::string> wanted{".tmp", "3f", kUuid, kUuid + "/y"};
  CHECK(disk.folder.list("root") == wanted);
}

static void a_folder_is_no_object() {
  Disk disk;
  CHECK_OK(make_folders(disk.path("3f"), 0700));
  CHECK_ERR(disk.store.head(key("3f")), Errc::kNotFound);
  CHECK_ERR(disk.store.remove(key("3f")), Errc::kInternal);
}

static void an_object_shorter_than_its_row_is_an_error_and_no_silent_end() {
  Disk disk;
  const UniqueFd fd = disk.body("12345");
  CHECK_OK(disk.store.put(key("3f/a"), {fd.get(), 0, 5, {}}, {}));
  NullSink sink;
  CHECK_ERR(disk.store.get(key("3f/a"), {0, 6}, sink), Errc::kInternal);
}

static void the_sweep_removes_old_files_and_nothing_else() {
  const TempFolder folder;
  folder.write("0123456789abcdef0123456789abcdef", "x");  // ours
  folder.write("0000000017", "x");                        // nginx's
  folder.write("a file of somebody", "x");
  CHECK_OK(make_folders(folder / "sub", 0700));
  folder.write("sub/kept", "x");
  CHECK(::symlink("sub/kept", (folder / "symlink").c_str()) == 0);
  CHECK_EQ(CHECK_OK(sweep_old_files(folder.path(), std::chrono::seconds(3600))), 0u);
  CHECK_EQ(CHECK_OK(sweep_old_files(folder.path(), std::chrono::seconds(-1), true)), 2u);  // only counted
  CHECK_EQ(CHECK_OK(sweep_old_files(folder.path(), std::chrono::seconds(-1))), 2u);
  const std::set<std::string> wanted{"a file of somebody", "sub", "sub/kept", "symlink"};
  CHECK(folder.list() == wanted);
  CHECK_ERR(sweep_old_files(folder / "absent", std::chrono::seconds(1)), Errc::kNotFound);
}

static void a_file_has_the_time_of_its_row_however_it_came() {
  Disk disk;
  const TimePoint when(std::chrono::microseconds(1'760'000'000'123'456));
  Attachment row;
  row.size_bytes = 5;
  row.created_at = when;
  ObjectMeta meta;
  meta.created_at = when;
  const UniqueFd fd = disk.body("bytes");
  CHECK_OK(disk.store.put(key("aa/linked"), {fd.get(), 0, 5, disk.body_path()}, meta));
  CHECK_OK(disk.store.put(key("aa/copied"), {fd.get(), 0, 5, {}}, meta));
  CHECK_OK(disk.store.put(key("aa/plain"), {fd.get(), 0, 5, {}}, {}));
  CHECK_EQ(info_of(disk.path("aa/linked")).st_nlink, 2u);
  CHECK(is_as_stored(CHECK_OK(disk.store.look(key("aa/linked"))), row));
  const FileState copied = CHECK_OK(disk.store.look(key("aa/copied")));
  CHECK(copied.size_bytes == 5 && copied.written_at == when.time_since_epoch());
  CHECK(!is_as_stored(CHECK_OK(disk.store.look(key("aa/plain"))), row));
  CHECK_OK(disk.store.set_time(key("aa/plain"), when));
  CHECK(is_as_stored(CHECK_OK(disk.store.look(key("aa/plain"))), row));
  // whoever writes to it changes it
  const UniqueFd stranger = CHECK_OK(open_file(disk.path("aa/plain"), O_WRONLY));
  CHECK_OK(write_all(stranger.get(), std::as_bytes(std::span("BYTES", 5))));
  CHECK(!is_as_stored(CHECK_OK(disk.store.look(key("aa/plain"))), row));
  CHECK_ERR(disk.store.look(key("aa/none")), Errc::kNotFound);
  CHECK_ERR(disk.store.set_time(key("aa/none"), when), Errc::kNotFound);
}

static void new_bytes_take_the_place_of_old_ones_when_they_are_published() {
  Disk disk;
  const UniqueFd fd = disk.body("newer");
  const std::string path = disk.path("aa/file");
  const TimePoint when(std::chrono::seconds(1'760'000'000));
  {
    const auto staged = CHECK_OK(disk.store.stage(key("aa/file"), {fd.get(), 0, 5, {}}, when));
    CHECK(staged->digest() == sha256("newer"));
    CHECK_ERR(disk.store.look(key("aa/file")), Errc::kNotFound);
    CHECK_EQ(disk.temporary_names().size(), 1u);
  }
  CHECK(disk.temporary_names().empty());
  const UniqueFd old = disk.body("old");
  CHECK_OK(disk.store.put(key("aa/file"), {old.get(), 0, 3, {}}, {}));
  const UniqueFd again = disk.body("newer");
  const auto staged = CHECK_OK(disk.store.stage(key("aa/file"), {again.get(), 0, 5, {}}, when));
  CHECK_EQ(read_file(path), "old");
  CHECK_OK(staged->publish());
  CHECK_EQ(read_file(path), "newer");
  CHECK_EQ(info_of(path).st_mtim.tv_sec, 1'760'000'000);
  CHECK(disk.temporary_names().empty());
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_whole_named_body_is_linked_and_not_copied),
      CASE(a_part_of_a_body_is_copied_into_a_file_of_its_own),
      CASE(a_repeated_put_of_a_linked_body_leaves_no_temporary_name),
      CASE(a_failed_put_leaves_neither_object_nor_temporary_name),
      CASE(a_missing_store_folder_is_a_fault_of_this_host),
      CASE(a_put_replaces_the_object_as_a_whole),
      CASE(removing_an_object_removes_the_folder_made_for_it),
      CASE(removing_an_object_leaves_shared_folders_alone),
      CASE(a_folder_is_no_object),
      CASE(an_object_shorter_than_its_row_is_an_error_and_no_silent_end),
      CASE(the_sweep_removes_old_files_and_nothing_else),
      CASE(a_file_has_the_time_of_its_row_however_it_came),
      CASE(new_bytes_take_the_place_of_old_ones_when_they_are_published),
  };
  return RUN_TESTS("local", tests);
}
