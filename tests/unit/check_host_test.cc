// check_host_test.cc — when a disk has too little room, by each of its measures.
#include "cmd/check_host.h"

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

constexpr std::uint64_t kUpload = 1 << 20;

DiskRoom roomy() {
  return {.free_bytes = 500 * kUpload, .all_bytes = 1000 * kUpload, .free_files = 500, .all_files = 1000};
}

void a_disk_with_room_is_good() {
  const Finding found = judge_room(roomy(), kUpload);
  CHECK(found.verdict == Verdict::kOk);
  CHECK_EQ(found.text, "500 MiB (50%) are free");
  CHECK_EQ(found.remedy, "");
}

void no_room_for_one_upload_is_a_failure() {
  DiskRoom disk = roomy();
  disk.free_bytes = kUpload - 1;
  const Finding found = judge_room(disk, kUpload);
  CHECK(found.verdict == Verdict::kFailure);
  CHECK_EQ(found.remedy, "make room on that disk");
  disk.free_bytes = kUpload;
  CHECK(judge_room(disk, kUpload).verdict == Verdict::kWarning);
}

void room_for_fewer_than_ten_uploads_is_a_warning() {
  DiskRoom disk = roomy();
  CHECK(judge_room(disk, 51 * kUpload).verdict == Verdict::kWarning);
  CHECK(judge_room(disk, 50 * kUpload).verdict == Verdict::kOk);
}

void less_than_five_percent_is_a_warning_however_much_that_is() {
  DiskRoom disk = roomy();
  disk.all_bytes = 10100 * kUpload;
  const Finding found = judge_room(disk, kUpload);
  CHECK(found.verdict == Verdict::kWarning);
  CHECK_EQ(found.text, "500 MiB (4%) are free: the disk is nearly full");
}

void inodes_count_where_they_are_counted() {
  DiskRoom disk = roomy();
  disk.free_files = 0;
  CHECK(judge_room(disk, kUpload).verdict == Verdict::kFailure);
  disk.free_files = 49;
  CHECK(judge_room(disk, kUpload).verdict == Verdict::kWarning);
  disk.free_files = disk.all_files = 0;  // btrfs
  CHECK(judge_room(disk, kUpload).verdict == Verdict::kOk);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {CASE(a_disk_with_room_is_good), CASE(no_room_for_one_upload_is_a_failure),
                              CASE(room_for_fewer_than_ten_uploads_is_a_warning),
                              CASE(less_than_five_percent_is_a_warning_however_much_that_is),
                              CASE(inodes_count_where_they_are_counted)};
  return cmocka_run_group_tests_name("check_host", tests, nullptr, nullptr);
}
