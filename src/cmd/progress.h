// progress.h — what a long command shows while it works, and what it says at its end.
//
// Shape    one line on standard error, written over itself at most ten times a second, on a terminal alone; whoever
//          reads the output by a program gets nothing of it. The summary is one JSON object, its members in the order
//          in which they were added.
// Units    `done` and `all` count the same things, named by `unit` ("files"); all = 0: nobody knows how many there are.
//          Rate and time left are of the whole run so far.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/handle.h"
#include "base/json.h"

namespace cloakroom {

// "[#####     ] 500 of 1000 files, 250/s, 2 s left, 3 failed"; `note` is what stands behind the last comma.
std::string progress_line(std::uint64_t done, std::uint64_t all, std::chrono::milliseconds elapsed,
                          std::string_view unit, std::string_view note);

class Progress {
 public:
  // `is_wanted`: false with --json.
  Progress(std::string unit, std::uint64_t all, bool is_wanted);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  static bool is_possible();  // standard error is a terminal

  void show(std::uint64_t done, std::string_view note = {});
  // For lines on standard output in between: the bar is taken away, and comes back with the next show().
  void clear();

 private:
  void write(std::string_view line);

  std::string unit_;
  std::uint64_t all_;
  bool is_shown_;
  std::size_t width_ = 0;  // of the line that stands there
  std::chrono::steady_clock::time_point began_;
  std::optional<std::chrono::steady_clock::time_point> last_;
};

// Builds the object that --json prints.
class Summary {
 public:
  Summary();
  Summary& count(const char* name, std::uint64_t value);
  Summary& text(const char* name, std::string_view value);  // what is not UTF-8 becomes null
  Summary& flag(const char* name, bool value);
  Summary& add(const char* name, Json value);
  std::string json() const { return dump_json(object_); }
  Json take() && { return std::move(object_); }

 private:
  Json object_;
};

// Readable once SIGTERM or SIGINT came: what is in hand is finished. Made once, before anything may take long.
class StopSignals {
 public:
  StopSignals();
  bool is_asked() const;
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

}  // namespace cloakroom
