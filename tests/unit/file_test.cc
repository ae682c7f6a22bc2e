// file_test.cc — errno to errors, whole reads and writes, folders.
#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <thread>

#include "base/limits.h"
#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;
using fake::TempFolder;

static void an_error_number_becomes_a_code_and_a_sentence() {
  const Error absent = errno_error("open", "/x", ENOENT);
  CHECK_EQ(absent.code, Errc::kNotFound);
  CHECK_EQ(absent.detail, "cannot open '/x': No such file or directory");
  CHECK_EQ(absent.say, "");  // nothing of the host for the client
  CHECK_EQ(errno_error("write", "f", ENOSPC).code, Errc::kDiskFull);
  CHECK_EQ(errno_error("write", "f", EDQUOT).code, Errc::kDiskFull);
  for (const int number : {EMFILE, ENFILE, ENOMEM}) CHECK_EQ(errno_error("open", "f", number).code, Errc::kUnavailable);
  CHECK_EQ(errno_error("write", "f", EIO).code, Errc::kInternal);
  CHECK(errno_error("read", "f", EINTR).retryable && !errno_error("read", "f", EIO).retryable);
}

static void an_opened_file_is_closed_on_exec() {
  const TempFolder folder;
  const UniqueFd fd = CHECK_OK(open_file(folder / "a", O_CREAT | O_WRONLY, 0600));
  CHECK((::fcntl(fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK_ERR(open_file(folder / "absent", O_RDONLY), Errc::kNotFound);
}

static void a_read_is_short_only_at_the_end_of_the_file() {
  const TempFolder folder;
  const UniqueFd fd = CHECK_OK(open_file(folder.write("a", "0123456789"), O_RDONLY));
  std::array<std::byte, 6> buffer{};
  CHECK_EQ(CHECK_OK(read_at(fd.get(), buffer, 2)), 6u);
  CHECK_EQ(std::string_view(reinterpret_cast<const char*>(buffer.data()), 6), "234567");
  CHECK_EQ(CHECK_OK(read_at(fd.get(), buffer, 7)), 3u);
  CHECK_EQ(CHECK_OK(read_at(fd.get(), buffer, 10)), 0u);
  CHECK_EQ(CHECK_OK(read_at(fd.get(), buffer, 1000)), 0u);
}

static void a_read_that_fails_says_so() {
  std::array<std::byte, 6> buffer{};
  CHECK_ERR(read_at(-1, buffer, 0), Errc::kInternal);
  CHECK_ERR(write_all(-1, buffer), Errc::kInternal);
}

static void a_range_is_hashed_and_handed_on_once() {
  const TempFolder folder;
  const std::string text =
      std::string(limits::kCopyBufferBytes, 'a') + std::string(limits::kCopyBufferBytes, 'b') + "c";
  const UniqueFd fd = CHECK_OK(open_file(folder.write("a", text), O_RDONLY));
  std::string seen;
  const FileRange range{fd.get(), 1, text.size() - 1};
  const auto take = [&seen](std::span<const std::byte> block) -> Status {
    seen.append(reinterpret_cast<const char*>(block.data()), block.size());
    return Ok{};
  };
  CHECK(CHECK_OK(hash_range(range, take)) == sha256(std::string_view(text).substr(1)));
  CHECK(seen == text.substr(1));
  CHECK(CHECK_OK(hash_range(range)) == sha256(std::string_view(text).substr(1)));
  CHECK(CHECK_OK(hash_range({fd.get(), text.size(), 0})) == sha256(""));
  CHECK_ERR(hash_range({fd.get(), 2, text.size() - 1}), Errc::kInternal);
  CHECK_ERR(hash_range(range,
                       [](std::span<const std::byte>) {
                         return Status(Error{Errc::kDiskFull, "full"});
                       }),
            Errc::kDiskFull);
}

static void a_write_goes_on_until_all_is_written() {
  std::array<int, 2> ends{};
  CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const std::string text(300000, 'x');  // more than a pipe holds, so that write(2) is short
  std::size_t got = 0;
  std::thread reader([&] {
    std::array<char, 4096> buffer{};
    for (ssize_t n; (n = ::read(out.get(), buffer.data(), buffer.size())) > 0;) got += static_cast<std::size_t>(n);
  });
  const Status written = write_all(in.get(), std::as_bytes(std::span(text)));
  in.reset();
  reader.join();
  CHECK(written.has_value());
  CHECK_EQ(got, text.size());
}

static void folders_are_made_all_the_way_down_and_may_exist() {
  const TempFolder folder;
  CHECK_OK(make_folders(folder / "a/b/c", 0700));
  CHECK_OK(make_folders(folder / "a/b/c", 0700));
  struct stat info {};
  CHECK_EQ(::stat((folder / "a/b/c").c_str(), &info), 0);
  CHECK(S_ISDIR(info.st_mode));
  CHECK_EQ(info.st_mode & 0777U, 0700U);
  CHECK_OK(sync_folder(folder / "a"));
}

static void a_file_in_the_way_of_a_folder_is_an_error() {
  const TempFolder folder;
  folder.write("a", "x");
  CHECK_ERR(make_folders(folder / "a/b", 0700), Errc::kInternal);
  CHECK_ERR(make_folders(folder / "a", 0700), Errc::kInternal);
  CHECK_ERR(sync_folder(folder / "absent"), Errc::kNotFound);
}

static void the_copy_buffer_is_one_and_as_long_as_its_limit() {
  CHECK_EQ(copy_buffer().size(), limits::kCopyBufferBytes);
  CHECK(copy_buffer().data() == copy_buffer().data());
}

int main() {
  const CMUnitTest tests[] = {
      CASE(an_error_number_becomes_a_code_and_a_sentence),
      CASE(an_opened_file_is_closed_on_exec),
      CASE(a_read_is_short_only_at_the_end_of_the_file),
      CASE(a_read_that_fails_says_so),
      CASE(a_range_is_hashed_and_handed_on_once),
      CASE(a_write_goes_on_until_all_is_written),
      CASE(folders_are_made_all_the_way_down_and_may_exist),
      CASE(a_file_in_the_way_of_a_folder_is_an_error),
      CASE(the_copy_buffer_is_one_and_as_long_as_its_limit),
  };
  return RUN_TESTS("file", tests);
}
