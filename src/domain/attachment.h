// attachment.h — one stored file and what is known about it: the row, as the domain sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.h"
#include "base/id.h"
#include "base/time.h"

namespace cloakroom {

// kQuarantined: found infected after it was stored. It keeps the message and the dialog it had.
enum class AttachmentStatus { kUploaded, kLinked, kQuarantined };
enum class StoreKind { kLocal, kS3 };

std::string_view to_string(AttachmentStatus status);  // the words of the database and of the JSON
std::string_view to_string(StoreKind kind);           // "local", "s3"
std::optional<AttachmentStatus> parse_attachment_status(std::string_view text);
std::optional<StoreKind> parse_store_kind(std::string_view text);

struct Attachment {
  Uuid id;
  AttachmentStatus status = AttachmentStatus::kUploaded;
  std::optional<std::string> uploader_id;  // empty: the service itself
  std::optional<std::string> dialog_id;
  std::optional<std::string> message_id;
  std::optional<std::string> account_id;
  std::string filename;  // cleaned, UTF-8, at most limits::kFilenameBytes
  std::string mime_type;
  std::uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  StoreKind store = StoreKind::kLocal;
  std::string key;                             // never shown to a client
  std::optional<std::uint32_t> width, height;  // filled by a later step
  TimePoint created_at;
};

std::string_view file_type(std::string_view mime_type);  // image | video | audio | file
std::string extension_of(std::string_view filename);     // lowercase, without the dot; "" when there is none

}  // namespace cloakroom
