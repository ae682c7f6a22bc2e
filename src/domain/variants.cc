// variants.cc — the story of a variant, in its order.
#include "domain/variants.h"

#include <algorithm>
#include <chrono>

#include "base/limits.h"
#include "base/log.h"
#include "domain/abandon.h"
#include "domain/access.h"
#include "domain/fallback.h"
#include "domain/pictures.h"

namespace cloakroom {
namespace {

// Held while a variant is made.
class Locked {
 public:
  Locked(VariantRows& rows, const VariantId& id) : rows_(rows), id_(id) {}
  ~Locked() { rows_.unlock(id_); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  VariantRows& rows_;
  const VariantId& id_;
};

// An original of a type that the Imager does not know (films, where there is no ffmpeg) is not fetched again so soon.
constexpr std::chrono::seconds kUnsupportedFor{60};
// Nor is a helper lost again so soon because somebody reloads a page.
constexpr std::chrono::seconds kDiedFor{60};
constexpr std::size_t kDeaths = 256;  // that are remembered

Error not_yet(const char* why) {
  return Error{Errc::kNotYet, why, {}, true};
}

ImageFormat image_format(VariantFormat format, Picture picture) {
  switch (format) {
    case VariantFormat::kWebp:
      return ImageFormat::kWebp;
    case VariantFormat::kAvif:
      return ImageFormat::kAvif;
    case VariantFormat::kPlain:
      break;
  }
  return picture == Picture::kAlpha ? ImageFormat::kPng : ImageFormat::kJpeg;
}

bool is_hopeless(const Attachment& a) {
  return a.picture == Picture::kNone || a.size_bytes == 0 || !may_have_picture(a.mime_type);
}

}  // namespace

const VariantSize* Variants::size(std::string_view name) const {
  const auto found =
      std::find_if(rules_.sizes.begin(), rules_.sizes.end(), [&](const VariantSize& s) { return s.name == name; });
  return found == rules_.sizes.end() ? nullptr : &*found;
}

const VariantSize* Variants::thumb() const {
  const VariantSize* usual = size("thumb");
  return usual != nullptr || rules_.sizes.empty() ? usual : &rules_.sizes.front();
}

VariantFormat Variants::common_format() const {
  const bool has_webp =
      std::find(rules_.formats.begin(), rules_.formats.end(), VariantFormat::kWebp) != rules_.formats.end();
  return has_webp ? VariantFormat::kWebp : VariantFormat::kPlain;
}

Result<std::vector<Variant>> Variants::thumbs(std::span<const Uuid> attachment_ids) {
  const VariantSize* size = thumb();
  if (size == nullptr || attachment_ids.empty()) return std::vector<Variant>();
  return p_.variants.find_all(attachment_ids, size->name, common_format());
}

std::vector<VariantFormat> Variants::formats_ahead(const VariantSize& size) const {
  auto formats = rules_.formats;
  // lists show one of it for each file, also to clients that name no format
  if (formats.empty() || &size == thumb()) formats.push_back(VariantFormat::kPlain);
  return formats;
}

bool Variants::may_be_made(const Attachment& original) const {
  return !is_hopeless(original);
}

Result<std::optional<Variant>> Variants::find(const Attachment& original, const VariantSize& size,
                                              VariantFormat format) {
  if (is_hopeless(original)) return std::optional<Variant>();
  return p_.variants.find({original.id, size.name, format});
}

Result<Variant> Variants::get(const Attachment& original, const VariantSize& size, VariantFormat format) {
  if (is_hopeless(original)) return cloaked();
  TRY_ASSIGN(auto found, p_.variants.find({original.id, size.name, format}));
  if (found) return *std::move(found);
  const VariantId id{original.id, size.name, format};
  if (has_just_died(id)) return cloaked();
  auto made = make(original, size, format);
  if (made || !is_death(made.error())) return made;
  if (died_.size() >= kDeaths) died_.pop_front();
  died_.emplace_back(id, p_.clock.now());
  return cloaked();
}

bool Variants::has_just_died(const VariantId& id) {
  while (!died_.empty() && p_.clock.now() - died_.front().second >= kDiedFor) died_.pop_front();
  return std::any_of(died_.begin(), died_.end(), [&](const auto& one) { return one.first == id; });
}

Result<Variant> Variants::make(const Attachment& original, const VariantSize& size, VariantFormat format) {
  const MakingPlace place = p_.place ? p_.place() : nullptr;
  if (p_.place && !place) return not_yet("all places to make pictures are taken");
  const VariantId id{original.id, size.name, format};
  TRY_ASSIGN(const bool is_ours, p_.variants.try_lock(id));
  if (!is_ours) return not_yet("somebody else makes it");
  const Locked lock(p_.variants, id);
  TRY_ASSIGN(auto found, p_.variants.find(id));  // whoever had the lock before may have made it
  if (found) return *std::move(found);
  return make_locked(original, size, id);
}

Result<Variants::Source> Variants::open(const Attachment& original) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(original.key));
  Source source;
  if (original.store == StoreKind::kLocal) {
    auto file = p_.open_local(key);
    if (!file && file.error().code == Errc::kNotFound && original.key.starts_with(kKeptRoot)) {
      return Error{Errc::kStoreAway, "the original waits on another node until the store is back", {}, true};
    }
    if (!file) return std::move(file).error();
    source.file = *std::move(file);
    source.bytes = {source.file.get(), 0, original.size_bytes, {}};
    return source;
  }
  BlobStore* const store = p_.store_of(original.store);
  if (store == nullptr) return Error{Errc::kStore, "the store of the original is not configured"};
  if (original.size_bytes > limits::kFetchedPictureBytes) {
    return Error{Errc::kUnsupportedType, "the original is too large to be fetched for a picture"};
  }
  TRY_ASSIGN(UniqueFd file, rules_.nameless());
  source.spool = std::make_unique<Spool>(std::move(file));
  TRY(store->get(key, {0, original.size_bytes}, *source.spool));
  source.bytes = source.spool->range();
  return source;
}

bool Variants::is_fetched_in_vain(const Attachment& original) const {
  const auto said = unsupported_.find(original.mime_type);
  return original.store != StoreKind::kLocal && said != unsupported_.end() &&
         p_.clock.now() - said->second < kUnsupportedFor;
}

Error Variants::give_up(const Attachment& original, Error why) {
  if (why.code == Errc::kUnsupportedType) return cloaked();
  if (why.code != Errc::kUndecodable) return why;
  log(Level::kInfo, "picture.refused",
      {{"id", to_string(original.id)}, {"type", original.mime_type}, {"detail", why.detail}});
  if (is_death(why)) return why;
  if (const Status noted = note_broken(original); !noted) return noted.error();
  return cloaked();
}

Status Variants::note_broken(const Attachment& original) {
  Attachment broken = original;
  broken.picture = Picture::kNone;
  return p_.variants.learn(broken);
}

// What an upload could not be told, because the Imager was away or is newer than the upload.
Status Variants::learn(Attachment& original, const FileRange& bytes) {
  const Status looked = learn_of_picture(p_.imager, bytes, original);
  // who is away, or died over it, is not asked for more at once; the others say the same when it is to be rendered
  if (!looked && looked.error().retryable) return looked;
  if (original.picture == Picture::kUnknown) return Ok{};
  TRY(p_.variants.learn(original));
  if (original.picture == Picture::kNone) return cloaked();
  return Ok{};
}

Result<Variant> Variants::make_locked(const Attachment& original, const VariantSize& size, const VariantId& id) {
  const auto begun = std::chrono::steady_clock::now();
  if (is_fetched_in_vain(original)) return cloaked();
  Attachment known = original;
  const auto source = open(original);
  if (!source) return give_up(original, source.error());
  if (known.picture == Picture::kUnknown) TRY(learn(known, source->bytes));
  const Rendering wanted{size.max_width, size.max_height, image_format(id.format, known.picture)};
  const auto rendered = p_.imager.render(source->bytes, original.mime_type, wanted);
  if (!rendered && rendered.error().code == Errc::kUnsupportedType) {
    unsupported_.insert_or_assign(original.mime_type, p_.clock.now());
  }
  if (!rendered) return give_up(known, rendered.error());
  TRY_ASSIGN(Variant made, keep(original, id, *rendered));
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
  log(Level::kInfo, "variant.made",
      {{"id", to_string(id.attachment_id)},
       {"name", id.name},
       {"format", to_string(id.format)},
       {"bytes", made.size_bytes},
       {"ms", took.count()}});
  if (p_.made) p_.made();
  return made;
}

// Tickets, bytes, row, as an upload has them.
Result<Variant> Variants::keep(const Attachment& original, const VariantId& id, const Rendered& made) {
  Variant variant;
  variant.id = id;
  variant.mime_type = mime_type_of(made.format);
  variant.store = p_.target.kind();
  variant.width = made.width;
  variant.height = made.height;
  variant.size_bytes = made.size_bytes;
  variant.created_at = p_.clock.now();
  Attachment file = as_file(variant, original);
  const ObjectKey key = make_key(rules_.keys, make_uuid7(variant.created_at), file.filename);
  variant.key = file.key = key.str();
  const std::span<const ObjectKey> keys(&key, 1);
  TRY(p_.target.admits());
  TRY_ASSIGN(const auto tickets, p_.rows.plan_deletions(variant.store, keys, rules_.orphan_grace));
  const ObjectMeta meta = stored_meta(file, rules_.object_cache_control, rules_.stored_headers);
  auto digest = p_.target.put(key, {made.file.get(), 0, made.size_bytes, {}}, meta);
  Status done = Ok{};
  if (digest) {
    variant.sha256 = *digest;
    done = p_.variants.commit(variant, tickets.front());
  } else {
    done = std::move(digest).error();
  }
  if (done) return variant;
  abandon(p_.rows, {variant.store, keys, tickets}, done.error());
  if (done.error().code != Errc::kConflict) return std::move(done).error();
  TRY_ASSIGN(auto found, p_.variants.find(id));
  if (found) return *std::move(found);
  return cloaked();  // the original went meanwhile
}

Result<unsigned> Variants::make_all(const Uuid& attachment_id, AtDeath at_death) {
  TRY_ASSIGN(const auto found, p_.rows.find(attachment_id, std::nullopt));
  if (!found || found->attachment.status == AttachmentStatus::kQuarantined) return 0U;
  Attachment original = found->attachment;
  unsigned made = 0;
  for (const VariantSize& size : rules_.sizes) {
    for (const VariantFormat format : formats_ahead(size)) {
      if (is_hopeless(original) || !suits(format, original)) continue;
      TRY_ASSIGN(const auto there, p_.variants.find({original.id, size.name, format}));
      if (there) continue;
      const auto one = make(original, size, format);
      if (!one && one.error().code == Errc::kNotFound) return made;
      if (!one && is_death(one.error()) && at_death == AtDeath::kGiveUp) {
        // one size or format may be too dear where others are not
        if (original.picture == Picture::kUnknown) TRY(note_broken(original));
        return made;
      }
      // another process is at it: either it makes it, or the next view does
      if (!one && one.error().code != Errc::kNotYet) return one.error();
      if (one) ++made;
      if (original.picture == Picture::kUnknown) {
        TRY_ASSIGN(const auto again, p_.rows.find(attachment_id, std::nullopt));
        if (!again) return made;
        original = again->attachment;
      }
    }
  }
  return made;
}

}  // namespace cloakroom
