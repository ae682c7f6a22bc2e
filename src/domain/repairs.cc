// repairs.cc — reads a side, and brings a file back from its copy.
#include "domain/repairs.h"

#include "base/log.h"
#include "domain/hashing_sink.h"

namespace cloakroom {
namespace {

Error both_are_bad(Side file, BroughtBack copy) {
  std::string text = file == Side::kMissing ? "the local file is lost" : "the local file is damaged";
  text += copy == BroughtBack::kCopyMissing ? ", and its copy is lost" : ", and its copy is damaged";
  return Error{Errc::kInternal, text + ": put it back from a backup"};
}

}  // namespace

Result<Side> Repairs::look_at_file(const Attachment& row, const Took& took) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(row.key));
  const auto state = p_.local.look(key);
  const auto file = state ? p_.local.open(key) : Result<UniqueFd>(state.error());
  if (!file && file.error().code == Errc::kNotFound) return Side::kMissing;
  if (!file && file.error().code == Errc::kInternal) return Side::kDamaged;  // nobody else can read it either
  if (!file) return file.error();
  if (state->size_bytes != row.size_bytes) return Side::kDamaged;
  const auto digest = hash_range({file->get(), 0, row.size_bytes, {}},
                                 [&](std::span<const std::byte> block) { return took(block.size()); });
  if (!digest && digest.error().code == Errc::kInternal) return Side::kDamaged;  // a disk that cannot read it, too
  if (!digest) return digest.error();
  return *digest == row.sha256 ? Side::kRight : Side::kDamaged;
}

Result<Side> Repairs::read_object(const CopyPlace& place, std::uint64_t size_bytes, ByteSink& sink) {
  BlobStore* const store = p_.store_of(place.store);
  if (store == nullptr) return Error{Errc::kStore, "the store of a copy is not configured here"};
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(place.key));
  // The size first: the bytes that are asked for may be right in an object that has more of them.
  const auto info = store->head(key);
  if (!info && info.error().code == Errc::kNotFound) return Side::kMissing;
  if (!info) return info.error();
  if (info->size_bytes != size_bytes) return Side::kDamaged;
  const Status read = size_bytes == 0 ? Status(Ok{}) : store->get(key, {0, size_bytes}, sink);
  if (!read && read.error().code == Errc::kNotFound) return Side::kMissing;  // deleted in between
  if (!read) return read.error();
  return Side::kRight;
}

Result<Side> Repairs::look_at_object(const CopyPlace& place, const Attachment& row, const Took& took) {
  HashingSink sink(took);
  TRY_ASSIGN(const Side side, read_object(place, row.size_bytes, sink));
  if (side != Side::kRight) return side;
  return sink.finish() == row.sha256 ? Side::kRight : Side::kDamaged;
}

Result<BroughtBack> Repairs::bring_back(const Attachment& row, const CopyPlace& from, const Took& took) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(row.key));
  TRY_ASSIGN(UniqueFd file, p_.nameless());
  Spool spool(std::move(file));
  HashingSink sink(took, &spool);
  TRY_ASSIGN(const Side side, read_object(from, row.size_bytes, sink));
  if (side == Side::kMissing) return BroughtBack::kCopyMissing;
  if (side == Side::kDamaged || sink.finish() != row.sha256) return BroughtBack::kCopyDamaged;
  TRY_ASSIGN(const auto staged, p_.local.stage(key, spool.range(), row.created_at));
  if (staged->digest() != row.sha256) return Error{Errc::kInternal, "what was brought back was damaged on this host"};
  TRY_ASSIGN(const bool is_there, p_.copies.put_right(row.id, key, [&] { return staged->publish(); }));
  if (!is_there) return BroughtBack::kRowIsGone;
  log(Level::kWarning, "file.repaired", {{"id", to_string(row.id)}, {"bytes", row.size_bytes}});
  return BroughtBack::kDone;
}

Status Repairs::repair(const Uuid& id) {
  TRY_ASSIGN(const auto found, p_.copies.find(id));
  if (!found || found->file.store != StoreKind::kLocal) return Ok{};
  const Attachment& row = found->file;
  const Took nothing = [](std::size_t) { return Status(Ok{}); };
  TRY_ASSIGN(const Side side, look_at_file(row, nothing));
  if (side == Side::kRight) {
    TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(row.key));
    TRY(p_.local.set_time(key, row.created_at));
    return p_.copies.note_right(id);
  }
  if (!found->place) return both_are_bad(side, BroughtBack::kCopyMissing);
  TRY_ASSIGN(const BroughtBack outcome, bring_back(row, *found->place, nothing));
  const bool is_bad = outcome == BroughtBack::kCopyMissing || outcome == BroughtBack::kCopyDamaged;
  return is_bad ? both_are_bad(side, outcome) : Status(Ok{});
}

}  // namespace cloakroom
