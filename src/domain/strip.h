// strip.h — takes from a picture, before it is kept, what it tells about where and with which device it was made.
//
// Shape    the bytes are changed in place, in the file that is ours for this upload alone: its length stays, and nobody
//          else reads it. Pixels, orientation and colour profile stay. What comes later (scan, hash, store) sees the
//          stripped bytes only.
// Rule     what nobody can read to its end is kept with a line in the log, or refused where `refuse_unread` says so.
// Errors   kUndecodable  refused for that
//          kDiskFull, kInternal  the file cannot be read or written; it may be half stripped, so it must not be kept
// Log      upload.not_stripped with the reason
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "domain/strip_ports.h"

namespace cloakroom {

// For the log: what is being stripped.
struct StripSubject {
  std::string_view way;       // "upload", "direct_upload"
  std::string_view filename;  // cleaned
  const std::optional<std::string>& user;
};

class MetadataStrip {
 public:
  MetadataStrip(MetadataStripper& stripper, bool refuse_unread)  // borrowed
      : stripper_(stripper), refuse_unread_(refuse_unread) {}

  // Whether a file that begins so may have to be changed.
  bool takes(std::span<const std::byte> head) const { return stripper_.takes(head); }
  // REQUIRES: the descriptor may be written, and the range is ours
  Status clean(const StripSubject& subject, const FileRange& bytes);

 private:
  MetadataStripper& stripper_;
  bool refuse_unread_;
};

}  // namespace cloakroom
