// direct_upload.cc — the story of a direct upload, in its order.
#include "domain/direct_upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.h"
#include "domain/abandon.h"
#include "domain/declared_type.h"
#include "domain/filename.h"
#include "domain/honest_name.h"
#include "domain/pictures.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kPartGrain = 1ULL << 20;

std::uint64_t divide_up(std::uint64_t a, std::uint64_t b) {
  return (a + b - 1) / b;
}

unsigned part_count(const DirectUpload& upload) {
  return static_cast<unsigned>(divide_up(upload.size_bytes, upload.part_bytes));
}

std::chrono::seconds seconds_until(TimePoint end, TimePoint now) {
  return std::max(std::chrono::duration_cast<std::chrono::seconds>(end - now), std::chrono::seconds(1));
}

// Hashes what passes, and keeps the head for the sniffer.
class Inspector final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    hash_.update(bytes);
    const std::size_t wanted = std::min(limits::kSniffBytes - head_.size(), bytes.size());
    head_.insert(head_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(wanted));
    return Ok{};
  }
  std::span<const std::byte> head() const { return head_; }
  Sha256Digest digest() { return hash_.finish(); }

 private:
  Sha256 hash_;
  std::vector<std::byte> head_;
};

// Gives the bytes to the scanner, too, or to the file for a look at the picture. One that fails in the middle is no
// fault of the store, and where CLAMD_FAIL=open the hash is needed all the same: so it gets no more, and the store
// hears nothing of it.
class Tee final : public ByteSink {
 public:
  Tee(ByteSink& all, ByteSink& scanner) : all_(all), scanner_(scanner) {}
  Status write(std::span<const std::byte> bytes) override {
    if (scanner_takes_) scanner_takes_ = scanner_.write(bytes).has_value();
    return all_.write(bytes);
  }

 private:
  ByteSink& all_;
  ByteSink& scanner_;
  bool scanner_takes_ = true;
};

// Each number from 1 to `count` once, in any order.
bool is_complete(std::span<const UploadedPart> parts, unsigned count) {
  std::vector<bool> seen(count);
  for (const UploadedPart& part : parts) {
    if (part.number < 1 || part.number > count || seen[part.number - 1]) return false;
    seen[part.number - 1] = true;
  }
  return parts.size() == count;
}

// What the bytes said against the ticket. Such an error voids it; all others leave it.
bool is_refusal(const Error& error) {
  return error.code == Errc::kInvalid || error.code == Errc::kUnsupportedType || error.code == Errc::kTooLarge ||
         error.code == Errc::kInfected || error.code == Errc::kNotScanned || error.code == Errc::kUndecodable;
}

}  // namespace

Result<DirectTicket> DirectUploads::open(const DirectRequest& request) {
  DirectUpload upload;
  upload.filename = clean_filename(request.filename);
  if (request.size_bytes > uploads_.max_file_bytes) {
    return refuse(Errc::kTooLarge, fmt::format("The file '{}' has {} bytes; the limit is {}.", upload.filename,
                                               request.size_bytes, uploads_.max_file_bytes));
  }
  if (uploads_.scan != nullptr) TRY(uploads_.scan->admits(upload.filename, request.size_bytes));
  // "I do not know" is answered by the bytes, later.
  if (request.content_type != "application/octet-stream" &&
      !type_allowed(request.content_type, uploads_.allowed_types)) {
    return refuse(Errc::kUnsupportedType, fmt::format("The file '{}' is of type {}, which is not accepted here.",
                                                      upload.filename, request.content_type));
  }
  const TimePoint now = p_.clock.now();
  upload.id = make_uuid7(now);
  upload.uploader_id = request.caller.user_id;
  upload.dialog_id = request.dialog_id;
  upload.declared_type = request.content_type;
  upload.size_bytes = request.size_bytes;
  upload.sha256 = request.sha256;
  upload.expires_at = now + rules_.expires;
  const ObjectKey key = quarantine_key(uploads_.keys.prefix, upload.id);
  upload.store = p_.store.kind();
  upload.key = key.str();
  if (upload.size_bytes > rules_.part_bytes) {
    upload.part_bytes = rules_.part_bytes;
    if (part_count(upload) > rules_.max_parts) {
      const std::uint64_t least = divide_up(upload.size_bytes, rules_.max_parts);
      upload.part_bytes = divide_up(least, kPartGrain) * kPartGrain;
    }
  }

  if (upload.part_bytes > 0) TRY(p_.store.admits());  // else the store is not asked for a ticket
  TRY(p_.rows.spend(request.claim.spenders, Budget::kUploads));
  TRY(add_ticket(upload, request.caller));
  DirectTicket ticket{.id = upload.id, .expires_at = upload.expires_at, .request = {}};
  const DirectObject object{key, upload.size_bytes};
  if (upload.part_bytes == 0) {
    auto way = p_.direct.sign_upload(object, rules_.expires);
    if (!way) return give_up(upload, std::move(way).error());
    ticket.request = *std::move(way);
    return ticket;
  }
  auto upload_id = p_.direct.begin_parts(object);
  if (!upload_id) return give_up(upload, std::move(upload_id).error());
  if (Status kept = p_.tickets.set_upload_id(upload.id, *upload_id); !kept) {
    [[maybe_unused]] const Status aborted = p_.direct.abort_parts({key, *upload_id});
    return give_up(upload, std::move(kept).error());
  }
  ticket.part_bytes = upload.part_bytes;
  ticket.part_count = part_count(upload);
  return ticket;
}

Status DirectUploads::add_ticket(const DirectUpload& upload, const Caller& caller) {
  if (!uploads_.quotas.any()) return p_.tickets.add(upload, uploads_.orphan_grace);
  return p_.tickets.add_within(upload, uploads_.orphan_grace,
                               {.rules = uploads_.quotas,
                                .uploader_id = upload.uploader_id,
                                .dialog_id = upload.dialog_id,
                                .by_service = caller.is_service(),
                                .sizes = {upload.size_bytes}});
}

// Nobody has its ticket, so nobody will use the room that it holds. Best effort: it ends when it expires.
Error DirectUploads::give_up(const DirectUpload& upload, Error why) {
  [[maybe_unused]] const Status gone = p_.tickets.refuse(upload);
  return why;
}

Result<DirectUpload> DirectUploads::own(const Caller& caller, const Uuid& id) {
  TRY_ASSIGN(auto found, p_.tickets.find(id));
  if (!found || found->uploader_id != caller.user_id) return cloaked();
  return *std::move(found);
}

Result<DirectPlace> DirectUploads::place_of(const DirectUpload& upload) const {
  if (upload.store == p_.store.kind()) return DirectPlace{&p_.store, &p_.direct};
  const DirectPlace place = p_.elsewhere ? p_.elsewhere(upload.store) : DirectPlace{};
  if (place.store != nullptr) return place;
  return Error{Errc::kStore, "the ticket's store '" + std::string(to_string(upload.store)) + "' is not configured"};
}

Status DirectUploads::check_open(const DirectUpload& upload) const {
  if (upload.attachment_id) return refuse(Errc::kConflict, "This upload is complete already.");
  if (p_.clock.now() >= upload.expires_at) return refuse(Errc::kConflict, "The ticket has expired; ask for another.");
  return Ok{};
}

Result<std::vector<BrowserRequest>> DirectUploads::sign_parts(const Caller& caller, const Uuid& id,
                                                              std::span<const unsigned> numbers) {
  TRY_ASSIGN(const DirectUpload upload, own(caller, id));
  TRY(check_open(upload));
  TRY_ASSIGN(const DirectPlace place, place_of(upload));
  if (!upload.upload_id) return refuse(Errc::kConflict, "This upload is not in parts: its ticket has the one address.");
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(upload.key));
  const unsigned count = part_count(upload);
  std::vector<BrowserRequest> signed_parts;
  for (const unsigned number : numbers) {
    if (number < 1 || number > count) {
      return refuse(Errc::kInvalid, fmt::format("The parts of this upload are numbered 1 to {}.", count));
    }
    const std::uint64_t before = (number - 1) * upload.part_bytes;
    const PartOf part{number, std::min(upload.part_bytes, upload.size_bytes - before)};
    TRY_ASSIGN(BrowserRequest request, place.direct->sign_part({key, *upload.upload_id}, part,
                                                               seconds_until(upload.expires_at, p_.clock.now())));
    signed_parts.push_back(std::move(request));
  }
  return signed_parts;
}

Result<Completed> DirectUploads::complete(const Caller& caller, const Uuid& id, std::span<const UploadedPart> parts,
                                          const UploadClaim& claim) {
  // Read once: read again, it might be complete by now, and that is no refusal.
  TRY_ASSIGN(const DirectUpload upload, own(caller, id));
  if (upload.attachment_id) return existing(caller, upload);
  TRY(check_open(upload));
  TRY(p_.rows.spend(claim.spenders, Budget::kUploads));
  auto taken = take(upload, parts);
  if (taken) return taken;
  // Another call may have been quicker, and taken the object away in the middle of this one.
  const auto after = own(caller, id);
  if (after && after->attachment_id) return existing(caller, *after);
  return taken;
}

Result<Completed> DirectUploads::existing(const Caller& caller, const DirectUpload& upload) {
  TRY_ASSIGN(const auto found, p_.rows.find(*upload.attachment_id, upload.uploader_id));
  TRY(check_read(caller, found));  // it may have been removed since, or quarantined
  return Completed{found->attachment, false};
}

Error DirectUploads::reject(const DirectUpload& upload, Error why) {
  // Best effort: without it the object goes when the ticket has expired.
  if (is_refusal(why)) [[maybe_unused]]
    const Status refused = p_.tickets.refuse(upload);
  return why;
}

Status DirectUploads::check_type(const DirectUpload& upload, const std::string& type) const {
  if (!type_allowed(type, uploads_.allowed_types)) {
    return refuse(Errc::kUnsupportedType,
                  fmt::format("The file '{}' is of type {}, which is not accepted here.", upload.filename, type));
  }
  if (upload.size_bytes > 0 && !type_agrees(upload.declared_type, type)) {
    return refuse(Errc::kUnsupportedType, fmt::format("The file '{}' was announced as {}, but is {}.", upload.filename,
                                                      upload.declared_type, type));
  }
  return Ok{};
}

// Size and type of what lies under `key`, as far as its head shows them.
Result<DirectUploads::FirstLook> DirectUploads::look(const ObjectKey& key, const Taking& taking) {
  const DirectUpload& upload = taking.upload;
  const auto info = taking.store.head(key);
  if (!info && info.error().code == Errc::kNotFound) {
    return refuse(Errc::kConflict, "The store has not got the file yet: upload it first, then complete.");
  }
  if (!info) return info.error();
  if (info->size_bytes != upload.size_bytes) {
    return refuse(Errc::kInvalid, fmt::format("The file '{}' was announced with {} bytes, but has {}.", upload.filename,
                                              upload.size_bytes, info->size_bytes));
  }
  Inspector head;
  TRY(taking.store.get(key, {0, std::min<std::uint64_t>(upload.size_bytes, limits::kSniffBytes)}, head));
  TRY_ASSIGN(std::string type, p_.sniffer.mime_type(head.head()));
  TRY(check_type(upload, type));
  return FirstLook{std::move(type), uploads_.strip != nullptr && uploads_.strip->takes(head.head())};
}

// Once: type, hash and scan all come from the same bytes.
Status DirectUploads::read_and_scan(const Taking& taking, const ObjectKey& key, ByteSink& all,
                                    const std::function<Sha256Digest()>& digest) {
  const DirectUpload& upload = taking.upload;
  const ByteRange whole{0, upload.size_bytes};
  if (uploads_.scan == nullptr) return taking.store.get(key, whole, all);
  bool was_read = false;
  const ByteSource read_once = [&](ByteSink& scanner) -> Status {
    Tee both(all, scanner);
    TRY(taking.store.get(key, whole, both));
    was_read = true;
    return Ok{};
  };
  TRY(uploads_.scan->check({.way = "direct_upload",
                            .filename = upload.filename,
                            .user = upload.uploader_id,
                            .size_bytes = upload.size_bytes,
                            .digest = [&] { return std::optional(digest()); }},
                           read_once));
  // a scanner that could not be asked has read nothing, and was not needed
  return was_read ? Status(Ok{}) : taking.store.get(key, whole, all);
}

// The bytes pass once, also where they are needed in a file: a look at the picture.
Status DirectUploads::read_copy(const Taking& taking, const ObjectKey& key, ByteSink& all,
                                const std::function<Sha256Digest()>& digest, Attachment& attachment) {
  const DirectUpload& upload = taking.upload;
  const bool is_asked_about = uploads_.imager != nullptr && may_have_picture(attachment.mime_type);
  attachment.wants_variants = is_asked_about;
  auto file = is_asked_about && upload.size_bytes <= limits::kFetchedPictureBytes ? uploads_.nameless()
                                                                                  : Result<UniqueFd>(UniqueFd());
  if (!file || !*file) return read_and_scan(taking, key, all, digest);
  Spool spool(*std::move(file));
  Tee both(all, spool);
  TRY(read_and_scan(taking, key, both, digest));
  if (spool.range().size == upload.size_bytes) look_at_picture(*uploads_.imager, spool.range(), attachment);
  return Ok{};
}

// The copy is what will be kept, so nothing that was seen before counts.
Status DirectUploads::check_copy(const Taking& taking, const ObjectKey& key, Attachment& attachment) {
  const DirectUpload& upload = taking.upload;
  TRY_ASSIGN(const ObjectInfo info, taking.store.head(key));
  Inspector all;
  if (info.size_bytes == upload.size_bytes)
    TRY(read_copy(
        taking, key, all, [&] { return all.digest(); }, attachment));
  TRY_ASSIGN(const std::string type, p_.sniffer.mime_type(all.head()));
  if (info.size_bytes != upload.size_bytes || type != attachment.mime_type) {
    return refuse(Errc::kInvalid, "The file was changed while it was completed.");
  }
  attachment.sha256 = all.digest();
  return check_whole(upload, attachment.sha256);
}

Status DirectUploads::check_whole(const DirectUpload& upload, const Sha256Digest& digest) const {
  if (!upload.sha256 || *upload.sha256 == digest) return Ok{};
  return refuse(Errc::kInvalid, fmt::format("The file '{}' has another SHA-256 than announced.", upload.filename));
}

Result<Completed> DirectUploads::take(const DirectUpload& upload, std::span<const UploadedPart> parts) {
  TRY_ASSIGN(const DirectPlace place, place_of(upload));
  const Taking taking{upload, *place.store};
  TRY_ASSIGN(const ObjectKey quarantine, ObjectKey::parse(upload.key));
  if (upload.upload_id) {
    if (!is_complete(parts, part_count(upload))) {
      return refuse(Errc::kConflict, fmt::format("List all {} parts, each with its part_number and the ETag that the "
                                                 "store answered.",
                                                 part_count(upload)));
    }
    TRY(place.direct->finish_parts({quarantine, *upload.upload_id}, parts, upload.size_bytes));
  }
  auto seen = look(quarantine, taking);
  if (!seen) return reject(upload, std::move(seen).error());

  Attachment a;
  a.created_at = p_.clock.now();
  a.id = make_uuid7(a.created_at);
  a.uploader_id = upload.uploader_id;
  a.dialog_id = upload.dialog_id;
  a.mime_type = std::move(seen->type);
  a.filename = honest_filename(upload.filename, a.mime_type);
  a.size_bytes = upload.size_bytes;
  a.store = upload.store;
  const ObjectKey key = make_key(uploads_.keys, a.id, a.filename);
  a.key = key.str();
  if (uploads_.scan != nullptr) TRY(uploads_.scan->ready());  // before the store copies for nothing
  // Its place, for as long as the copy may be committed: the ticket may expire meanwhile.
  if (uploads_.quotas.any()) TRY(p_.tickets.hold(upload.id, uploads_.orphan_grace));
  TRY_ASSIGN(const std::vector<DeletionTicket> tickets,
             p_.rows.plan_deletions(a.store, std::span(&key, 1), uploads_.orphan_grace));
  const ObjectMeta meta = stored_meta(a, uploads_.object_cache_control, uploads_.stored_headers);
  Status done = seen->is_stripped ? put_stripped(taking, key, meta, a) : place.store->copy(quarantine, key, meta);
  if (done && !seen->is_stripped) done = check_copy(taking, key, a);
  if (done) done = p_.tickets.commit(upload, a, tickets.front());
  if (done) return Completed{std::move(a), true};
  abandon(p_.rows, {a.store, std::span(&key, 1), tickets}, done.error());
  return reject(upload, std::move(done).error());
}

}  // namespace cloakroom
