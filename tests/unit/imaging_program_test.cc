// imaging_program_test.cc — a program gets its file and a place for its result, and of all else nothing. Run from a
// process that is confined as a decoder of films is, by programs of Debian's coreutils.
#include "imaging/program.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

#include "base/file.h"
#include "base/handle.h"
#include "check.h"
#include "fake/temp_folder.h"
#include "imaging/confine.h"

using namespace cloakroom;  // NOLINT: a test
using fake::TempFolder;

namespace {

const std::vector<std::string> kPrograms{"/usr/bin/cat", "/usr/bin/env", "/usr/bin/head", "/usr/bin/dash",
                                         "/usr/bin/python3"};

// What a run gave: its error's code in letters, or what the program wrote.
struct Outcome {
  Status status = Ok{};
  std::string written;
};

Outcome run(const std::string& path, Arguments words, bool is_confined,
            std::chrono::seconds cpu = std::chrono::seconds(1)) {
  const UniqueFd file(::memfd_create("file", MFD_CLOEXEC));
  const UniqueFd result(::memfd_create("result", MFD_CLOEXEC));
  Outcome outcome;
  if (outcome.status = write_all(file.get(), std::as_bytes(std::span("content", 7))); !outcome.status) return outcome;
  outcome.status = run_program({.path = path,
                                .arguments = std::move(words),
                                .file = file.get(),
                                .result = result.get(),
                                .nowhere = STDERR_FILENO,
                                .cpu = cpu,
                                .result_bytes = 1000,
                                .is_confined = is_confined});
  std::string text(2000, '\0');
  const auto got = read_at(result.get(), std::as_writable_bytes(std::span(text)), 0);
  text.resize(got ? *got : 0);
  outcome.written = text;
  return outcome;
}

const DecoderCage& cage() {
  static const DecoderCage made = CHECK_OK(DecoderCage::make(kPrograms));
  return made;
}

// From a process that may start kPrograms; what `judge` finds wrong is its exit code.
int confined(const std::string& path, const Arguments& words, const std::function<int(const Outcome&)>& judge,
             std::chrono::seconds cpu = std::chrono::seconds(1)) {
  const UniqueFd nowhere = CHECK_OK(open_file("/dev/null", O_WRONLY));
  cage();  // made before the fork, as the parent of decoders does
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(nowhere.get(), STDERR_FILENO);
    if (!cage().enter()) ::_exit(200);
    ::_exit(judge(run(path, words, true, cpu)));
  }
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wrote_content(const Outcome& outcome) {
  return outcome.status && outcome.written == "content" ? 0 : 1;
}
[[maybe_unused]] int refused_for_good(const Outcome& outcome) {
  return !outcome.status && outcome.status.error().code == Errc::kUndecodable && !outcome.status.error().retryable ? 0
                                                                                                                   : 1;
}
[[maybe_unused]] int died(const Outcome& outcome) {
  return !outcome.status && outcome.status.error().code == Errc::kUndecodable && outcome.status.error().retryable ? 0
                                                                                                                  : 1;
}
[[maybe_unused]] int not_started(const Outcome& outcome) {
  return !outcome.status && outcome.status.error().code == Errc::kUnsupportedType ? 0 : 1;
}

[[maybe_unused]] bool has_landlock() {
  return ::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1 /* version */) >= 1;
}

// Exit code of a line of Python within, 0 when it raised what it should.
[[maybe_unused]] int python(const std::string& statement, const std::string& expected) {
  const std::string script = "import os, socket, resource, signal, ctypes\ntry:\n  " + statement + "\nexcept " +
                             expected + ":\n  os.write(1, b'content')\n";
  return confined("/usr/bin/python3", {"-I", "-S", "-c", script}, wrote_content);
}

}  // namespace

#ifndef SANITIZED  // what a sanitizer asks the kernel for is refused here
static void it_reads_its_file_and_writes_its_result() {
  CHECK_EQ(confined("/usr/bin/cat", {"/proc/self/fd/3"}, wrote_content), 0);
}

static void it_reads_no_other_file() {
  const TempFolder folder;
  const std::string secret = folder.write("secret", "content");
  if (has_landlock()) CHECK_EQ(confined("/usr/bin/cat", {secret}, refused_for_good), 0);
  CHECK_EQ(confined("/usr/bin/cat", {"/proc/self/fd/4"}, refused_for_good), 0);
}

static void it_has_our_environment_and_no_other_descriptor() {
  ::setenv("CLOAKROOM_TEST_SECRET", "s", 1);
  CHECK_EQ(confined("/usr/bin/env", {},
                    [](const Outcome& o) {
                      return o.status && o.written.starts_with("LC_ALL=C\n") &&
                                     o.written.find("TEST") == std::string::npos
                                 ? 0
                                 : 1;
                    }),
           0);
  CHECK_EQ(python("os.fstat(4)", "OSError"), 0);
}

static void it_has_no_network_no_process_and_no_way_to_write() {
  CHECK_EQ(python("socket.socket()", "PermissionError"), 0);
  CHECK_EQ(python("socket.socketpair()", "PermissionError"), 0);
  CHECK_EQ(python("os.fork()", "PermissionError"), 0);
  CHECK_EQ(python("os.kill(os.getppid(), 0)", "PermissionError"), 0);
  // its helper: the number that the rule for a signal to oneself knows
  CHECK_EQ(
      python("p = os.getppid(); assert ctypes.CDLL(None).syscall(" + std::to_string(SYS_tgkill) + ", p, p, 0) == 0",
             "AssertionError"),
      0);
  CHECK_EQ(python("os.memfd_create('x')", "PermissionError"), 0);
  CHECK_EQ(python("open('/tmp/x', 'w')", "PermissionError"), 0);
  CHECK_EQ(python("resource.setrlimit(resource.RLIMIT_CORE, (0, 0))", "ValueError"), 0);
  CHECK_EQ(python("assert ctypes.CDLL(None).prctl(1, 0) == 0", "AssertionError"), 0);  // PR_SET_PDEATHSIG
  if (has_landlock()) CHECK_EQ(python("os.execv('/usr/bin/true', ['true'])", "PermissionError"), 0);
}

static void what_it_is_too_long_for_ends_it() {
  CHECK_EQ(confined("/usr/bin/dash", {"-c", "while :; do :; done"}, died), 0);
  CHECK_EQ(confined("/usr/bin/head", {"-c", "999999", "/usr/bin/cat"}, died), 0);  // SIGXFSZ
}

// Two seconds for all: what the first leaves of it, rounded up, is the second one's.
static void programs_of_one_question_share_their_time() {
  const std::string busy = "import os, time\nwhile time.process_time() < 1.2: pass\nos.write(1, b'content')";
  const Arguments words{"-I", "-S", "-c", busy};
  const auto judge = [&](const Outcome& first) {
    if (wrote_content(first) != 0) return 1;
    const Outcome second = run("/usr/bin/python3", words, true, std::chrono::seconds(2));
    if (died(second) != 0) return 2;
    const Outcome third = run("/usr/bin/cat", {"/proc/self/fd/3"}, true, std::chrono::seconds(2));
    return died(third) != 0 ? 3 : 0;
  };
  CHECK_EQ(confined("/usr/bin/python3", words, judge, std::chrono::seconds(2)), 0);
}

static void who_was_told_to_end_has_said_nothing_of_his_file() {
  CHECK_EQ(confined("/usr/bin/dash", {"-c", "exit 255"}, died), 0);
  CHECK_EQ(confined("/usr/bin/dash", {"-c", "exit 123"}, died), 0);
  CHECK_EQ(confined("/usr/bin/dash", {"-c", "exit 1"}, refused_for_good), 0);
}

static void what_is_not_on_the_list_or_not_there_is_not_started() {
  CHECK_EQ(confined("/usr/bin/nothing", {}, not_started), 0);
  if (has_landlock()) CHECK_EQ(confined("/usr/bin/true", {}, not_started), 0);
}

static void nothing_is_started_any_more_by_who_has_settled() {
  cage();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!cage().enter() || !cage().settle()) ::_exit(200);
    const Outcome outcome = run("/usr/bin/cat", {"/proc/self/fd/3"}, true);
    ::_exit(outcome.status ? 1 : 0);
  }
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  CHECK_EQ(WEXITSTATUS(status), 0);
}
#endif

static void without_a_sandbox_it_runs_as_well() {
  const pid_t pid = ::fork();  // what the programs of others have used is not counted
  if (pid == 0) ::_exit(wrote_content(run("/usr/bin/cat", {"/proc/self/fd/3"}, false)));
  int status = 0;
  CHECK_EQ(::waitpid(pid, &status, 0), pid);
  CHECK_EQ(status, 0);
}

int main() {
  const CMUnitTest tests[] = {
#ifndef SANITIZED
      CASE(it_reads_its_file_and_writes_its_result),
      CASE(it_reads_no_other_file),
      CASE(it_has_our_environment_and_no_other_descriptor),
      CASE(it_has_no_network_no_process_and_no_way_to_write),
      CASE(what_it_is_too_long_for_ends_it),
      CASE(programs_of_one_question_share_their_time),
      CASE(who_was_told_to_end_has_said_nothing_of_his_file),
      CASE(what_is_not_on_the_list_or_not_there_is_not_started),
      CASE(nothing_is_started_any_more_by_who_has_settled),
#endif
      CASE(without_a_sandbox_it_runs_as_well),
  };
  return RUN_TESTS("imaging_program", tests);
}
