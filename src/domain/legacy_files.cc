// legacy_files.cc — one rule of access, and a file that is dressed as an attachment.
#include "domain/legacy_files.h"

#include <algorithm>

#include "base/limits.h"
#include "domain/filename.h"
#include "domain/honest_name.h"

namespace cloakroom {

LegacyAccess parse_legacy_access(std::string_view word) {
  if (word == "public") return LegacyAccess::kPublic;
  if (word == "users") return LegacyAccess::kUsers;
  return word == "granted" ? LegacyAccess::kGranted : LegacyAccess::kService;
}

Status check_read_legacy(LegacyAccess access, const Caller& caller, bool is_granted) {
  if (caller.is_service() || access == LegacyAccess::kPublic) return Ok{};
  if (access == LegacyAccess::kUsers && caller.user_id) return Ok{};
  if (access == LegacyAccess::kGranted && caller.user_id && is_granted) return Ok{};
  return cloaked();
}

bool LegacyFiles::is_ours(const ObjectKey& path) const {
  if (!place_) return false;
  const std::string key = place_->prefix + path.str();
  return key.starts_with('.') || is_own_key(place_->key_prefix, key) ||
         quarantined_ticket(place_->key_prefix, key).has_value();
}

Result<LegacyOpened> LegacyFiles::open(const ObjectKey& path) {
  if (is_ours(path)) return cloaked();
  auto bytes = store_.open(path);
  if (!bytes) {
    const Errc code = bytes.error().code;
    const bool is_away = code == Errc::kUnavailable || code == Errc::kStore || code == Errc::kStoreAway;
    return is_away ? std::move(bytes).error() : cloaked();
  }
  const std::size_t head_size = std::min<std::uint64_t>(bytes->size_bytes, limits::kSniffBytes);
  const std::span<std::byte> head = copy_buffer().first(head_size);
  TRY_ASSIGN(const std::size_t got, read_at(bytes->file.get(), head, 0));
  LegacyOpened out;
  Attachment& a = out.as_attachment;
  TRY_ASSIGN(a.mime_type, sniffer_.mime_type(head.first(got)));
  a.filename = honest_filename(clean_filename(path.str().substr(path.str().rfind('/') + 1)), a.mime_type);
  a.size_bytes = bytes->size_bytes;
  a.created_at = bytes->changed_at;
  a.sha256 = sha256(bytes->version);  // what its ETag is made of
  out.file = std::make_shared<const UniqueFd>(std::move(bytes->file));
  return out;
}

Status send_file(int fd, const ByteRange& range, ByteSink& sink) {
  const std::span<std::byte> buffer = copy_buffer();
  for (std::uint64_t done = 0; done < range.length;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), range.length - done));
    TRY_ASSIGN(const std::size_t got, read_at(fd, buffer.first(want), range.offset + done));
    if (got == 0) return Error{Errc::kInternal, "the file became shorter"};
    TRY(sink.write(buffer.first(got)));
    done += got;
  }
  return Ok{};
}

}  // namespace cloakroom
