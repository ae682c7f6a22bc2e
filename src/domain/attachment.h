// attachment.h — one stored file and what is known about it: the row, as the domain sees it.
#pragma once

#include <array>
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
// kS3Secondary: another bucket, perhaps at another provider, that the same process serves. Rows say which one has a
// file.
enum class StoreKind { kLocal, kS3, kS3Secondary };
inline constexpr std::array kStoreKinds{StoreKind::kLocal, StoreKind::kS3, StoreKind::kS3Secondary};  // all of them

// What decoders found: nobody has looked (or could), a picture without or with transparent parts, or nothing that can
// be decoded, which is not tried again.
enum class Picture { kUnknown, kOpaque, kAlpha, kNone };

std::string_view to_string(AttachmentStatus status);  // the words of the database and of the JSON
std::string_view to_string(StoreKind kind);           // "local", "s3", "s3-secondary"
std::optional<AttachmentStatus> parse_attachment_status(std::string_view text);
std::optional<StoreKind> parse_store_kind(std::string_view text);
std::optional<std::string> to_word(Picture picture);            // of the database; empty: kUnknown
Picture parse_picture(const std::optional<std::string>& word);  // kUnknown for what this program does not know

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
  std::string key;  // never shown to a client
  // Of a file that lives elsewhere (domain/external.h). Then there is no object: no store, no key, size 0, no hash.
  std::optional<std::string> external_url;
  // As a viewer sees it, after its orientation was applied; domain/pictures.h fills them.
  std::optional<std::uint32_t> width, height;  // pixels
  std::optional<std::uint32_t> frames, duration_ms;
  Picture picture = Picture::kUnknown;
  std::optional<std::string> placeholder;  // "data:image/webp;base64,…"
  // Not part of the row: with it comes a job that makes its variants.
  bool wants_variants = false;
  TimePoint created_at;
};

std::string_view file_type(std::string_view mime_type);  // image | video | audio | file
std::string extension_of(std::string_view filename);     // lowercase, without the dot; "" when there is none

}  // namespace cloakroom
