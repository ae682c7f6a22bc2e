// strip_edits.cc — patches no longer than they must be.
#include "media/strip_edits.h"

#include <algorithm>

#include "base/limits.h"
#include "media/strip_exif.h"
#include "media/strip_xmp.h"

namespace cloakroom {

void StripEdits::add(Patch patch) {
  if (plan_.patches.size() >= limits::kStripPatches || held_bytes_ + patch.bytes.size() > limits::kStripPatchBytes) {
    give_up("it has too much to take out");
    return;
  }
  held_bytes_ += patch.bytes.size();
  plan_.patches.push_back(std::move(patch));
}

void StripEdits::replace(std::uint64_t offset, std::string_view before, std::string_view after) {
  if (before.size() != after.size()) BUG("an edit changes the length");
  const auto first = std::mismatch(before.begin(), before.end(), after.begin()).first - before.begin();
  if (static_cast<std::size_t>(first) == before.size()) return;
  const auto last = std::mismatch(before.rbegin(), before.rend(), after.rbegin()).first - before.rbegin();
  const auto size = before.size() - static_cast<std::size_t>(first + last);
  const std::string_view changed = after.substr(static_cast<std::size_t>(first), size);
  Patch patch{.offset = offset + static_cast<std::uint64_t>(first)};
  if (changed.find_first_not_of(changed[0]) == std::string_view::npos) {
    patch.fill_size = size;
    patch.fill = changed[0];
  } else {
    patch.bytes = changed;
  }
  add(std::move(patch));
}

Status StripEdits::write(std::uint64_t offset, std::string_view after) {
  TRY_ASSIGN(const std::string before, in_.copy(offset, after.size()));
  replace(offset, before, after.substr(0, before.size()));
  return Ok{};
}

Status StripEdits::fill(std::uint64_t offset, std::uint64_t size, char with) {
  size = offset >= in_.size() ? 0 : std::min(size, in_.size() - offset);
  std::uint64_t differs_from = size;
  for (std::uint64_t done = 0; done < size && differs_from == size;) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, limits::kStripWindowBytes));
    TRY_ASSIGN(const std::string_view block, in_.view(offset + done, most));
    if (block.empty()) break;  // it became shorter
    const std::size_t other = block.find_first_not_of(with);
    if (other != std::string_view::npos) differs_from = done + other;
    done += block.size();
  }
  if (differs_from < size) {
    add({.offset = offset + differs_from, .bytes = {}, .fill_size = size - differs_from, .fill = with});
  }
  return Ok{};
}

void StripEdits::note(std::string_view why) {
  if (plan_.unread.empty()) plan_.unread = why;
}

void StripEdits::give_up(std::string_view why) {
  note(why);
  gave_up_ = true;
}

bool StripEdits::may_follow(std::uint64_t bytes) {
  if (bytes > in_.size() - followed_bytes_) return false;
  followed_bytes_ += bytes;
  return true;
}

void apply_patches(const StripPlan& plan, std::string& bytes) {
  for (const Patch& patch : plan.patches) {
    const auto at = static_cast<std::size_t>(patch.offset);
    if (patch.bytes.empty()) {
      bytes.replace(at, static_cast<std::size_t>(patch.fill_size), static_cast<std::size_t>(patch.fill_size),
                    patch.fill);
    } else {
      bytes.replace(at, patch.bytes.size(), patch.bytes);
    }
  }
}

Status strip_exif_block(const StripJob& job, std::uint64_t offset, std::uint64_t size) {
  const auto looked_at = static_cast<std::size_t>(std::min<std::uint64_t>(size, limits::kStripBlockBytes));
  TRY_ASSIGN(const std::string before, job.in.copy(offset, looked_at));
  if (size > looked_at) {
    job.out.replace(offset, before, bare_exif(before));
    return job.out.fill(offset + looked_at, size - looked_at, '\0');
  }
  job.out.replace(offset, before, stripped_exif(before, job.mode, job.depth));
  return Ok{};
}

Status strip_xmp_block(const StripJob& job, std::uint64_t offset, std::uint64_t size) {
  if (size > limits::kStripBlockBytes) {
    const std::string empty = empty_xmp(limits::kStripWindowBytes);
    TRY(job.out.write(offset, empty));
    return job.out.fill(offset + empty.size(), size - empty.size(), ' ');
  }
  TRY_ASSIGN(const std::string before, job.in.copy(offset, static_cast<std::size_t>(size)));
  job.out.replace(offset, before, stripped_xmp(before, job.mode));
  return Ok{};
}

}  // namespace cloakroom
