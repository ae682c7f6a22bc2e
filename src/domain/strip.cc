// strip.cc — from a plan to changed bytes, or to a refusal.
#include "domain/strip.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/log.h"

namespace cloakroom {
namespace {

Status apply(const Patch& patch, const FileRange& bytes) {
  if (patch.offset > bytes.size || patch.size() > bytes.size - patch.offset) BUG("a patch outside of its file");
  if (!patch.bytes.empty()) {
    return write_at(bytes.fd, std::as_bytes(std::span(patch.bytes)), bytes.offset + patch.offset);
  }
  std::array<std::byte, 16384> block{};
  block.fill(static_cast<std::byte>(patch.fill));
  for (std::uint64_t done = 0; done < patch.fill_size;) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), patch.fill_size - done));
    TRY(write_at(bytes.fd, std::span(block).first(part), bytes.offset + patch.offset + done));
    done += part;
  }
  return Ok{};
}

}  // namespace

Status MetadataStrip::clean(const StripSubject& subject, const FileRange& bytes) {
  TRY_ASSIGN(const StripPlan plan, stripper_.plan(bytes));
  if (!plan.unread.empty()) {
    if (refuse_unread_) {
      Error why = refuse(
          Errc::kUndecodable,
          fmt::format("The picture '{}' is broken or unusual: its metadata cannot be removed.", subject.filename));
      why.detail = "not stripped: " + plan.unread;
      return why;
    }
    log(Level::kWarning, "upload.not_stripped",
        {{"way", subject.way},
         {"user", subject.user.value_or("")},
         {"filename", subject.filename},
         {"size", bytes.size},
         {"detail", plan.unread}});
  }
  for (const Patch& patch : plan.patches) TRY(apply(patch, bytes));
  return Ok{};
}

}  // namespace cloakroom
