// direct_strip.cc — the way of a picture that was sent straight to the store and must not be kept as it came.
#include <algorithm>

#include "base/limits.h"
#include "domain/direct_upload.h"
#include "domain/pictures.h"

namespace cloakroom {
// What lies here once is what is judged and what is kept: whoever changes the object in quarantine now is too late. The
// announced SHA-256 is of what was sent; the row's is of what is stored.
Status DirectUploads::put_stripped(const Taking& taking, const ObjectKey& key, const ObjectMeta& meta,
                                   Attachment& attachment) {
  const DirectUpload& upload = taking.upload;
  TRY_ASSIGN(const ObjectKey quarantine, ObjectKey::parse(upload.key));
  TRY_ASSIGN(UniqueFd file, uploads_.nameless());
  Spool spool(std::move(file));
  TRY(taking.store.get(quarantine, {0, upload.size_bytes}, spool));
  const FileRange bytes = spool.range();
  TRY(check_spooled(upload, bytes, attachment.mime_type));
  TRY(uploads_.strip->clean({.way = "direct_upload", .filename = upload.filename, .user = upload.uploader_id}, bytes));
  if (uploads_.scan != nullptr) {
    const auto digest = [&bytes]() -> std::optional<Sha256Digest> {
      const auto hashed = digest_of(bytes);
      return hashed ? std::optional(*hashed) : std::nullopt;
    };
    TRY(uploads_.scan->check({.way = "direct_upload",
                              .filename = upload.filename,
                              .user = upload.uploader_id,
                              .size_bytes = upload.size_bytes,
                              .digest = digest},
                             source_of(bytes)));
  }
  if (uploads_.imager != nullptr && may_have_picture(attachment.mime_type)) {
    attachment.wants_variants = true;
    look_at_picture(*uploads_.imager, bytes, attachment);
  }
  TRY_ASSIGN(attachment.sha256, taking.store.put(key, bytes, meta));
  return Ok{};
}

Status DirectUploads::check_spooled(const DirectUpload& upload, const FileRange& bytes, std::string_view type) {
  if (upload.sha256) {
    TRY_ASSIGN(const Sha256Digest digest, digest_of(bytes));
    TRY(check_whole(upload, digest));
  }
  const auto head_size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size, limits::kSniffBytes));
  const std::span<std::byte> head = copy_buffer().first(head_size);
  TRY_ASSIGN(const std::size_t got, read_at(bytes.fd, head, 0));
  TRY_ASSIGN(const std::string now, p_.sniffer.mime_type(head.first(got)));
  if (got == head_size && now == type) return Ok{};
  return refuse(Errc::kInvalid, "The file was changed while it was completed.");
}

}  // namespace cloakroom
