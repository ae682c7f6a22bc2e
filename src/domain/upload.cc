// upload.cc — the story of an upload, in its order.
#include "domain/upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "base/log.h"
#include "domain/abandon.h"
#include "domain/filename.h"
#include "domain/honest_name.h"
#include "domain/pictures.h"

namespace cloakroom {

bool type_allowed(std::string_view type, std::span<const std::string> patterns) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
           if (pattern.ends_with("/*")) return type.starts_with(pattern.substr(0, pattern.size() - 1));
           return pattern == type;
         });
}

Result<Uploads::Described> Uploads::describe(const UploadRequest& request, const IncomingFile& file) {
  Attachment a;
  a.filename = clean_filename(file.filename);
  if (file.bytes.size > rules_.max_file_bytes) {
    return refuse(Errc::kTooLarge, fmt::format("The file '{}' has {} bytes; the limit is {}.", a.filename,
                                               file.bytes.size, rules_.max_file_bytes));
  }
  const auto head_size = static_cast<std::size_t>(std::min<std::uint64_t>(file.bytes.size, limits::kSniffBytes));
  const std::span<std::byte> head = copy_buffer().first(head_size);
  TRY_ASSIGN(const std::size_t got, read_at(file.bytes.fd, head, file.bytes.offset));
  TRY_ASSIGN(a.mime_type, sniffer_.mime_type(head.first(got)));
  if (!type_allowed(a.mime_type, rules_.allowed_types)) {
    return refuse(Errc::kUnsupportedType,
                  fmt::format("The file '{}' is of type {}, which is not accepted here.", a.filename, a.mime_type));
  }
  a.filename = honest_filename(a.filename, a.mime_type);
  a.created_at = clock_.now();
  a.id = make_uuid7(a.created_at);
  a.uploader_id = request.caller.user_id;
  a.dialog_id = request.dialog_id;
  a.size_bytes = file.bytes.size;
  return Described{std::move(a), rules_.strip != nullptr && rules_.strip->takes(head.first(got))};
}

Status Uploads::strip_all(const UploadRequest& request, std::span<const Attachment> made) {
  for (std::size_t i = 0; i < made.size(); ++i) {
    TRY(rules_.strip->clean({.way = "upload", .filename = made[i].filename, .user = made[i].uploader_id},
                            request.files[i].bytes));
  }
  return Ok{};
}

// Of all files, before a byte of any is stored, wherever that will be.
Status Uploads::scan_all(const UploadRequest& request, std::span<const Attachment> made) {
  if (rules_.scan == nullptr) return Ok{};
  for (std::size_t i = 0; i < made.size(); ++i) {
    const FileRange& bytes = request.files[i].bytes;
    const auto digest = [&bytes]() -> std::optional<Sha256Digest> {
      const auto hashed = digest_of(bytes);
      return hashed ? std::optional(*hashed) : std::nullopt;
    };
    TRY(rules_.scan->check({.way = "upload",
                            .filename = made[i].filename,
                            .user = made[i].uploader_id,
                            .size_bytes = made[i].size_bytes,
                            .digest = digest},
                           source_of(bytes)));
  }
  return Ok{};
}

Status Uploads::store_all(const UploadRequest& request, BlobStore& store, std::span<const ObjectKey> keys,
                          std::vector<Attachment>& made) {
  for (std::size_t i = 0; i < made.size(); ++i) {
    Attachment& a = made[i];
    const ObjectMeta meta = stored_meta(a, rules_.object_cache_control, rules_.stored_headers);
    TRY_ASSIGN(a.sha256, store.put(keys[i], request.files[i].bytes, meta));
  }
  return Ok{};
}

// Tickets, bytes, rows: in one place, all of it or nothing.
Status Uploads::keep(const UploadRequest& request, const Place& place, UploadClaim& unpaid,
                     std::vector<Attachment>& made) {
  TRY(place.store.admits());
  std::vector<ObjectKey> keys;
  for (Attachment& a : made) {
    keys.push_back(make_key(place.keys, a.id, a.filename));
    a.store = place.store.kind();
    a.key = keys.back().str();
  }
  TRY_ASSIGN(const auto tickets, rows_.plan_upload(place.store.kind(), keys, rules_.orphan_grace, unpaid));
  unpaid.spenders = {};
  Status done = store_all(request, place.store, keys, made);
  if (done) done = place.to_be_moved ? rows_.commit_kept(made, tickets) : rows_.commit_upload(made, tickets);
  if (done) return done;
  abandon(rows_, {place.store.kind(), keys, tickets}, done.error());
  if (done.error().code == Errc::kStore && unpaid.room.rules.any()) {  // these tickets stay
    [[maybe_unused]] const Status given_up = rows_.give_up_room(tickets);
  }
  return done;
}

RoomRequest Uploads::room_for(const UploadRequest& request, std::span<const Attachment> made) const {
  if (!rules_.quotas.any()) return {};
  RoomRequest room{.rules = rules_.quotas,
                   .uploader_id = request.caller.user_id,
                   .dialog_id = request.dialog_id,
                   .by_service = request.caller.is_service()};
  for (const Attachment& a : made) room.sizes.push_back(a.size_bytes);
  return room;
}

Result<std::vector<Attachment>> Uploads::take(const UploadRequest& request) {
  std::vector<Attachment> made;
  bool is_stripped = false;
  for (const IncomingFile& file : request.files) {
    TRY_ASSIGN(Described one, describe(request, file));
    is_stripped = is_stripped || one.is_stripped;
    made.push_back(std::move(one.attachment));
  }
  UploadClaim unpaid = request.claim;
  unpaid.room = room_for(request, made);
  const bool is_looked_at = rules_.imager != nullptr && std::any_of(made.begin(), made.end(), [](const Attachment& a) {
                              return may_have_picture(a.mime_type);
                            });
  if (rules_.scan != nullptr || is_stripped || is_looked_at) {
    TRY(rows_.spend(unpaid.spenders, Budget::kUploads));
    unpaid.spenders = {};
  }
  if (is_stripped) TRY(strip_all(request, made));
  TRY(scan_all(request, made));
  const auto enough = std::chrono::steady_clock::now() + rules_.look_at_pictures;
  for (std::size_t i = 0; rules_.imager != nullptr && i < made.size(); ++i) {
    if (std::chrono::steady_clock::now() < enough) {
      look_at_picture(*rules_.imager, request.files[i].bytes, made[i]);
    } else {
      made[i].wants_variants = may_have_picture(made[i].mime_type);  // whoever makes them looks
    }
  }
  Status kept = keep(request, {store_, rules_.keys}, unpaid, made);
  if (!kept && fallback_.store != nullptr && is_away(kept.error())) {
    log(Level::kInfo, "upload.kept_aside", {{"files", made.size()}, {"detail", kept.error().detail}});
    kept = keep(request, {*fallback_.store, fallback_.keys, true}, unpaid, made);
  }
  if (!kept) return std::move(kept).error();
  return made;
}

}  // namespace cloakroom
