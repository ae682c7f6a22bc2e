// move_view.cc — the words of `cloakroom move`.
#include "cmd/move_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "cmd/progress.h"

namespace cloakroom {
namespace {

Json counts_json(const MoveCounts& counts) {
  Summary out;
  out.count("files", counts.files).count("bytes", counts.bytes);
  out.count("variants", counts.variants).count("variant_bytes", counts.variant_bytes);
  return std::move(out).take();
}

std::string counts_text(const MoveCounts& counts) {
  std::string text = fmt::format("{} files, {}", counts.files, readable_bytes(counts.bytes));
  if (counts.variants > 0) {
    text += fmt::format("; {} previews, {}", counts.variants, readable_bytes(counts.variant_bytes));
  }
  return text;
}

Json difference_json(const MoveOutcome::Difference& one) {
  Summary out;
  out.text("id", one.id);
  if (!one.variant.empty()) out.text("variant", one.variant);
  return std::move(out.text("what", one.what)).take();
}

void report_json(const MoveRequest& request, const MoveOutcome& outcome, const MoveCounts& left) {
  Summary out;
  out.text("from", to_string(request.from)).text("to", to_string(request.to)).flag("finished", outcome.is_finished);
  out.count("files", outcome.files).count("variants", outcome.variants).count("bytes", outcome.bytes);
  out.count("already_there", outcome.there).count("gone_meanwhile", outcome.gone);
  out.count("ms", outcome.milliseconds()).count("bytes_per_second", outcome.bytes_per_second());
  out.add("left", counts_json(left));
  Json differences(json_array());
  for (const auto& one : outcome.differences) json_array_append_new(differences.get(), difference_json(one).release());
  out.add("differences", std::move(differences));
  if (!outcome.failure.empty()) out.text("failure", outcome.failure);
  std::cout << out.json() << "\n";
}

}  // namespace

std::string readable_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits{"bytes", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1000 && unit + 1 < kUnits.size(); ++unit) value /= 1000;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", value, kUnits.at(unit));
}

void MoveOutcome::copy_totals(const MoveBoard& board) {
  files = board.files;
  variants = board.variants;
  bytes = board.bytes;
  there = board.there;
  gone = board.gone;
}

std::uint64_t MoveOutcome::milliseconds() const {
  const auto took = std::chrono::steady_clock::now() - began;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count());
}

std::uint64_t MoveOutcome::bytes_per_second() const {
  return bytes * 1000 / std::max<std::uint64_t>(1, milliseconds());
}

std::string MoveOutcome::rate_note() const {
  std::string note = readable_bytes(bytes_per_second()) + "/s";
  if (gone > 0) note += fmt::format(", {} gone meanwhile", gone);
  return note;
}

void show_plan(const MoveRequest& request, const MoveCounts& all) {
  if (request.json) {
    Summary out;
    out.text("from", to_string(request.from)).text("to", to_string(request.to)).flag("dry_run", true);
    std::cout << out.add("would_move", counts_json(all)).json() << "\n";
    return;
  }
  std::cout << fmt::format("would move {} from {} to {}\n", counts_text(all), to_string(request.from),
                           to_string(request.to));
}

void report(const MoveRequest& request, const MoveOutcome& outcome, const MoveCounts& left, bool comes_again) {
  if (request.json) {
    report_json(request, outcome, left);
    return;
  }
  std::string text = fmt::format("moved {} files and {} previews from {} to {}: {}", outcome.files, outcome.variants,
                                 to_string(request.from), to_string(request.to), readable_bytes(outcome.bytes));
  if (outcome.there > 0) text += fmt::format("; {} of them were there already", outcome.there);
  if (outcome.gone > 0) text += fmt::format("; {} were deleted or changed meanwhile", outcome.gone);
  std::cout << text
            << fmt::format("; {:.1f} s, {}/s\n", static_cast<double>(outcome.milliseconds()) / 1000,
                           readable_bytes(outcome.bytes_per_second()));
  for (const auto& one : outcome.differences) {
    std::cout << fmt::format("stopped at attachment {}{}{}: {}\n", one.id, one.variant.empty() ? "" : ", ", one.variant,
                             one.what);
  }
  if (!outcome.failure.empty()) std::cerr << "cloakroom: " << outcome.failure << "\n";
  const std::uint64_t rest = left.files + left.variants;
  if (!outcome.is_finished && outcome.failure.empty() && outcome.differences.empty()) {
    std::cout << "stopped before the end: run it again to go on\n";
  }
  if (rest > 0) std::cout << fmt::format("in {} there are {}\n", to_string(request.from), counts_text(left));
  if (comes_again) {
    std::cout << fmt::format("new files still go to {}: set STORAGE, have the workers read it, and run this again\n",
                             to_string(request.from));
  }
}

void show_status(std::span<const StoreCounts> stores, std::span<const WaitingSources> waiting, bool json) {
  if (json) {
    Summary out;
    Summary in;
    for (const StoreCounts& one : stores) in.add(std::string(to_string(one.store)).c_str(), counts_json(one.counts));
    out.add("stores", std::move(in).take());
    Json sources(json_array());
    for (const WaitingSources& one : waiting) {
      Summary source;
      source.text("store", to_string(one.store)).count("objects", one.objects).count("bytes", one.bytes);
      source.text("first_removal", iso8601_ms(one.first_due)).text("last_removal", iso8601_ms(one.last_due));
      json_array_append_new(sources.get(), std::move(source).take().release());
    }
    std::cout << out.add("waiting_for_removal", std::move(sources)).json() << "\n";
    return;
  }
  for (const StoreCounts& one : stores) {
    std::cout << fmt::format("{}: {}\n", to_string(one.store), counts_text(one.counts));
  }
  for (const WaitingSources& one : waiting) {
    std::cout << fmt::format("{}: {} objects that were moved away, {}, wait for their removal between {} and {}\n",
                             to_string(one.store), one.objects, readable_bytes(one.bytes), iso8601_ms(one.first_due),
                             iso8601_ms(one.last_due));
  }
}

}  // namespace cloakroom
