// confine.h — what is left to a process that decodes: its memory, the descriptors it was handed, and the time it has.
//
// Source   base/sandbox for privileges and writing; seccomp(2) by libseccomp, landlock(7), setrlimit(2) for the rest.
// Shape    One way, before the first byte of a stranger is seen. Unlike the worker's filter this one is a list of the
//          allowed (decision 29): a decoder's calls are few and known. All others answer EPERM: no socket, no
//          connection, no program, no new process (threads only), nothing opened to be written, no signal to anybody
//          else, no memory that becomes code. Reading is left below /usr and fontconfig's folders, where libraries have
//          their tables; a store, a home or a setting is out of sight.
// Programs who may start some (films: imaging/program.h) has them, the loader and what starting needs on its list until
//          it knows that it will start none; settle() takes all of that away again. A program that was started has
//          the same list but for more processes, limits, sockets and signals. It may become any other below /usr, for
//          the loader runs them all, and map a file as code, as the loader does: also its input, or what it has
//          written. Neither gives it a call that it had not.
// Cost     filters are compiled and rules are opened once, by the parent; a child hands them to the kernel, and pays
//          for none of it.
// Errors   kInternal  the kernel or a container's own filter refuses; the process must not go on. A kernel without
//                     Landlock is no error: reading is then left to permissions.
#pragma once

#include <linux/filter.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

struct DecoderLimits {
  std::uint64_t memory_bytes = 0;  // address space
  std::uint64_t output_bytes = 0;  // of a file it writes
  std::chrono::seconds cpu{};
  unsigned descriptors = 0;  // numbers below this alone
};

Status limit_decoder(const DecoderLimits& limits);
Status limit_output(std::uint64_t most_bytes);  // of each file, from now on; never more than before
Status limit_cpu(std::chrono::seconds most);    // SIGKILL when it has used more since it was forked; the same
// Of a process that is about to become one of a cage's programs. REQUIRES: enter().
Status confine_program();

// What a decoder is confined by. Made before the fork; each child enters by itself.
class DecoderCage {
 public:
  static Result<DecoderCage> make(std::span<const std::string> programs = {});  // paths of those that it may start

  Status enter() const;
  // No program any more: what a cage without any has left. Before the first byte of a stranger is decoded.
  Status settle() const;

 private:
  using Filter = std::vector<sock_filter>;

  UniqueFd reading_;  // Landlock's rules; none: this kernel has no Landlock
  Filter calls_, settled_;
};

// The process ends (SIGPROF) when it has used so much processor time from now on; 0: no longer. Also when
// confined.
void limit_cpu_from_now(std::chrono::seconds most);

}  // namespace cloakroom
