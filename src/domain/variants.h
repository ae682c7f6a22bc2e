// variants.h — finds the smaller picture, or makes it: once, however many ask for it at once on however many nodes.
//
// Order    lock (of all nodes), a second look at the row, source in a file, render, deletion ticket, bytes, row: the
//          row is the commit point, as for uploads. Each try has an object of its own.
// Waiting  nobody waits in here. Whoever finds the lock taken, or all places of this node, gets kNotYet, and asks again
//          a moment later (cmd/waiting_room.h).
// Where    in the store where new files go, whatever store has the original; the bytes do not count for quotas.
// Errors   kNotFound   there is no such picture, and will be none: of this kind, or broken, which is remembered
//          (of this kind for now: the Imager may learn it, so that is forgotten after a minute, and in no row)
//          (nor is it remembered for longer that a helper died over it, which may have had another reason; only
//          make_all() may take that for a verdict)
//          kNotYet     another one is at it, or there is too much to do
//          kImagerAway, kStore, kStoreAway, kDatabase, kDiskFull: try again later
// Log      variant.made: one line for each picture that was decoded; picture.refused
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "domain/image_ports.h"
#include "domain/object_key.h"
#include "domain/spool.h"
#include "domain/stored_meta.h"
#include "domain/variant_ports.h"

namespace cloakroom {

struct VariantRules {
  std::vector<VariantSize> sizes = {};
  std::vector<VariantFormat> formats = {};  // beside kPlain, the best first
  KeyRule keys;
  std::string object_cache_control;
  std::chrono::seconds orphan_grace{};
  StoredHeadersOf stored_headers = {};
  NamelessFile nameless = {};  // for originals that are fetched
};

// A place among those who make something on this node now; null: all are taken. It is free again when the last copy
// goes.
using MakingPlace = std::shared_ptr<void>;

// What to do where a helper died over the picture: let whoever asked ask again, later; or take it for broken, where
// nobody has seen what is in it.
enum class AtDeath { kComeAgain, kGiveUp };

class Variants {
 public:
  using OpenLocal = std::function<Result<UniqueFd>(const ObjectKey&)>;
  using StoreOfKind = std::function<BlobStore*(StoreKind)>;  // null: not configured
  struct Parts {
    Rows& rows;
    VariantRows& variants;
    BlobStore& target;
    StoreOfKind store_of;
    OpenLocal open_local;
    Imager& imager;
    const Clock& clock;
    std::function<MakingPlace()> place = {};  // empty: there is always one
    std::function<void()> made = {};          // for each picture that was decoded and kept; empty: nobody counts
  };
  Variants(Parts parts, VariantRules rules) : p_(std::move(parts)), rules_(std::move(rules)) {}

  const VariantSize* size(std::string_view name) const;  // null: there is none of this name
  // What thumb_url shows: "thumb", or the first there is.
  const VariantSize* thumb() const;
  const std::vector<VariantFormat>& formats() const { return rules_.formats; }
  // The format of an address that nobody asks what he can show: WebP, where it is one of the rules'.
  VariantFormat common_format() const;
  // Thumbnails that are there already, in that format.
  Result<std::vector<Variant>> thumbs(std::span<const Uuid> attachment_ids);

  // Unless it is known that nothing can be made of it.
  bool may_be_made(const Attachment& original) const;
  // One that is there already.
  Result<std::optional<Variant>> find(const Attachment& original, const VariantSize& size, VariantFormat format);
  Result<Variant> get(const Attachment& original, const VariantSize& size, VariantFormat format);
  // All sizes in the formats of the rules (where there are none: kPlain; thumb() has it in any case), and where nobody
  // has looked yet, what there is to say of the picture. Broken or gone: there is nothing to do. How many were made.
  // Errors  kUndecodable  a helper died over it, and somebody shall come again
  Result<unsigned> make_all(const Uuid& attachment_id, AtDeath at_death = AtDeath::kComeAgain);

 private:
  struct Source {
    UniqueFd file;
    std::unique_ptr<Spool> spool;
    FileRange bytes;
  };
  Result<Source> open(const Attachment& original);
  Result<Variant> make(const Attachment& original, const VariantSize& size, VariantFormat format);
  Result<Variant> make_locked(const Attachment& original, const VariantSize& size, const VariantId& id);
  Result<Variant> keep(const Attachment& original, const VariantId& id, const Rendered& made);
  Status learn(Attachment& original, const FileRange& bytes);
  Error give_up(const Attachment& original, Error why);
  Status note_broken(const Attachment& original);
  bool has_just_died(const VariantId& id);
  std::vector<VariantFormat> formats_ahead(const VariantSize& size) const;
  bool is_fetched_in_vain(const Attachment& original) const;

  Parts p_;
  VariantRules rules_;
  std::map<std::string, TimePoint, std::less<>> unsupported_;  // types, and when the Imager said so last
  std::deque<std::pair<VariantId, TimePoint>> died_;           // over which a helper died for a view, the oldest first
};

}  // namespace cloakroom
