// progress.cc — the bar, the summary, the signals.
#include "cmd/progress.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <poll.h>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iostream>

namespace cloakroom {
namespace {

constexpr std::uint64_t kBarWidth = 30;
constexpr std::chrono::milliseconds kRedrawEvery{100};

std::string time_left(std::uint64_t seconds) {
  if (seconds < 60) return fmt::format("{} s left", seconds);
  if (seconds < 3600) return fmt::format("{}:{:02} min left", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02} h left", seconds / 3600, seconds / 60 % 60);
}

}  // namespace

std::string progress_line(std::uint64_t done, std::uint64_t all, std::chrono::milliseconds elapsed,
                          std::string_view unit, std::string_view note) {
  std::string line;
  if (all > 0) {
    done = std::min(done, all);  // more may have come meanwhile
    const double share = static_cast<double>(done) / static_cast<double>(all);
    const std::string full(static_cast<std::size_t>(share * static_cast<double>(kBarWidth)), '#');
    line = fmt::format("[{:<{}}] {} of {} {}", full, kBarWidth, done, all, unit);
  } else {
    line = fmt::format("{} {}", done, unit);
  }
  if (elapsed.count() > 0 && done > 0) {
    const double rate = static_cast<double>(done) * 1000 / static_cast<double>(elapsed.count());
    line += rate >= 10 ? fmt::format(", {:.0f}/s", rate) : fmt::format(", {:.1f}/s", rate);
    if (all > done) line += ", " + time_left(static_cast<std::uint64_t>(static_cast<double>(all - done) / rate) + 1);
  }
  if (!note.empty()) line.append(", ").append(note);
  return line;
}

Progress::Progress(std::string unit, std::uint64_t all, bool is_wanted)
    : unit_(std::move(unit)),
      all_(all),
      is_shown_(is_wanted && is_possible()),
      began_(std::chrono::steady_clock::now()) {}

bool Progress::is_possible() {
  return ::isatty(STDERR_FILENO) == 1;
}

Progress::~Progress() {
  if (width_ > 0) std::cerr << "\n";
}

void Progress::show(std::uint64_t done, std::string_view note) {
  if (!is_shown_) return;
  const auto now = std::chrono::steady_clock::now();
  const bool is_last = all_ > 0 && done >= all_;
  if (!is_last && last_ && now - *last_ < kRedrawEvery) return;
  last_ = now;
  write(progress_line(done, all_, std::chrono::duration_cast<std::chrono::milliseconds>(now - began_), unit_, note));
}

void Progress::clear() {
  if (width_ == 0) return;
  write({});
  std::cerr << "\r" << std::flush;
  last_.reset();
}

// Blanks over what was longer.
void Progress::write(std::string_view line) {
  std::cerr << fmt::format("\r{:<{}}", line, width_) << std::flush;
  width_ = line.size();
}

Summary::Summary() : object_(json_object()) {}

Summary& Summary::add(const char* name, Json value) {
  if (!value) value.reset(json_null());
  if (json_object_set_new(object_.get(), name, value.release()) != 0) BUG("cannot add to a JSON object");
  return *this;
}

Summary& Summary::count(const char* name, std::uint64_t value) {
  return add(name, Json(json_integer(static_cast<json_int_t>(value))));
}

Summary& Summary::text(const char* name, std::string_view value) {
  return add(name, json_text(value));
}

Summary& Summary::flag(const char* name, bool value) {
  return add(name, Json(json_boolean(value)));
}

StopSignals::StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
}

bool StopSignals::is_asked() const {
  pollfd one{fd_.get(), POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace cloakroom
