// store_move.cc — the walk, and the story of one object in its order.
#include "domain/store_move.h"

#include <algorithm>

#include "domain/hashing_sink.h"

namespace cloakroom {
namespace {

constexpr std::size_t kPage = 32;
// Planned at once, at least one: a ticket must not end before its turn comes.
constexpr std::uint64_t kPlannedBytes = 1ULL << 30;
// Walks over a source that files still come to, from uploads that were under way.
constexpr int kMostWalks = 3;

// Ends the walk from below; what it is about stands elsewhere.
Error over() {
  return Error{Errc::kUnavailable, "the move ends here"};
}

Error differs() {
  return Error{Errc::kInternal, "the source has other bytes than its row says"};
}

std::string variant_of(const MovableObject& object) {
  if (!object.variant) return {};
  return object.variant->name + "/" + std::string(to_string(object.variant->format));
}

CopyRules paced(const StoreMoveRules& rules) {
  CopyRules copy = rules.copy;
  copy.pace = rules.pace;
  return copy;
}

}  // namespace

StoreMove::StoreMove(Parts parts, StoreMoveRules rules)
    : p_(std::move(parts)), rules_(std::move(rules)), copier_(p_.target, paced(rules_)) {}

Result<StoreMove::End> StoreMove::run() {
  Status walked = Ok{};
  for (int walks = 0; walks < kMostWalks && walked; ++walks) {
    bool any = false;
    for (const MovableRows rows : {MovableRows::kFiles, MovableRows::kVariants}) {
      const auto found = walk(rows);
      if (!found) {
        walked = found.error();
        break;
      }
      any = any || *found;
    }
    if (walked && !any) return End::kFinished;
  }
  if (!difference_.what.empty()) return End::kDifference;
  if (is_over_ || (!walked && rules_.is_stop_asked())) return End::kStopped;
  if (!walked) return std::move(walked).error();
  return End::kFinished;  // what still comes is for another run
}

Result<bool> StoreMove::walk(MovableRows rows) {
  const MoveShare share{rows, p_.source.kind(), rules_.part, rules_.parts};
  std::string after;
  bool any = false;
  while (true) {
    TRY_ASSIGN(const auto page, p_.rows.next(share, after, kPage));
    if (page.empty()) return any;
    any = true;
    after = page.back().file.key;
    for (std::span<const MovableObject> rest(page); !rest.empty();) {
      std::size_t taken = 0;
      for (std::uint64_t bytes = 0; taken < rest.size() && (taken == 0 || bytes < kPlannedBytes); ++taken) {
        bytes += rest[taken].file.size_bytes;
      }
      TRY(move_page(rest.first(taken)));
      rest = rest.subspan(taken);
    }
  }
}

// Each file is read at most three times: what lies in the target, the source, the copy. The others have their share.
std::chrono::seconds StoreMove::life_of_tickets(std::span<const MovableObject> page) const {
  if (rules_.bytes_per_second == 0) return rules_.ticket_life;
  std::uint64_t bytes = 0;
  for (const MovableObject& one : page) bytes += one.file.size_bytes;
  return rules_.ticket_life + std::chrono::seconds(3 * bytes / rules_.bytes_per_second * rules_.parts);
}

Status StoreMove::move_page(std::span<const MovableObject> page) {
  std::vector<MoveNames> names;
  names.reserve(page.size());
  for (const MovableObject& one : page) {
    ObjectKey fresh = make_key(rules_.keys, make_uuid7(p_.clock.now()), one.file.filename);
    auto own = ObjectKey::parse(one.file.key);
    // In the target, an object of a stranger may be called as one that was adopted here.
    const bool keeps = own && is_own_key(rules_.keys.prefix, own->str());
    names.push_back({keeps ? *std::move(own) : fresh, fresh});
  }
  TRY_ASSIGN(const auto plans, p_.rows.plan(p_.target.kind(), names, life_of_tickets(page)));
  if (plans.size() != page.size()) BUG("a plan is not of as many moves as were asked for");
  for (std::size_t i = 0; i < page.size(); ++i) {
    is_over_ = rules_.is_stop_asked();
    if (is_over_) return over();
    TRY(move_one(page[i], plans[i]));
  }
  return Ok{};
}

Status StoreMove::move_one(const MovableObject& object, const PlannedMove& plan) {
  Result<Moved> done = copy_and_switch(object, plan);
  // A store that broke off in the middle of a body is no difference, whether or not another try was worth it there.
  const bool is_passing =
      !done && (done.error().retryable || done.error().code == Errc::kStore || done.error().code == Errc::kStoreAway ||
                done.error().code == Errc::kDatabase || done.error().code == Errc::kUnavailable);
  if (!done && !is_passing) {
    done = explain(object, plan, done.error());
  }
  if (!done) return std::move(done).error();
  rules_.moved(object, *done);
  return Ok{};
}

// What went wrong is explained when the row says something else by now.
Result<Moved> StoreMove::explain(const MovableObject& object, const PlannedMove& plan, Error why) {
  TRY_ASSIGN(const bool is_unchanged, p_.rows.is_unchanged(object));
  if (!is_unchanged) {
    // Best effort, the ticket stands.
    [[maybe_unused]] const Status hastened = p_.rows.give_up(plan.ticket);
    return Moved::kGone;
  }
  if (why.code == Errc::kConflict) {
    return Error{
        Errc::kNotYet, "a copy took longer than its ticket, or another move is at work; run it again", {}, true};
  }
  if (why.code == Errc::kDiskFull) return why;
  difference_ = {object.file.id, variant_of(object), std::move(why.detail)};
  if (difference_.what.empty()) difference_.what = "unknown";
  is_over_ = true;
  return over();
}

Result<Moved> StoreMove::copy_and_switch(const MovableObject& object, const PlannedMove& plan) {
  const Attachment& file = object.file;
  Moved how = Moved::kWasThere;
  bool is_there = false;
  if (plan.may_be_there) {
    TRY_ASSIGN(is_there, copier_.holds(file, plan.to));
  }
  if (!is_there) {
    auto source = read_source(file);
    if (!source && source.error().code == Errc::kNotFound) {
      return Error{Errc::kInternal, "the source does not have the object that its row names"};
    }
    if (!source) return std::move(source).error();
    TRY(copier_.put(file, source->bytes, plan.to));
    how = Moved::kCopied;
  }
  TRY(p_.rows.switch_object({.object = object,
                             .to = p_.target.kind(),
                             .to_key = plan.to.str(),
                             .ticket = plan.ticket,
                             .grace = rules_.grace}));
  return how;
}

// The bytes in a file, and they are what the row says: nothing else is ever sent to the target.
Result<StoreMove::Source> StoreMove::read_source(const Attachment& file) {
  auto key = ObjectKey::parse(file.key);
  if (!key) return Error{Errc::kInternal, "the row's key is refused"};  // parse()'s own words may quote it
  Source source;
  if (p_.open_source) {
    TRY_ASSIGN(source.file, p_.open_source(*key));
    source.bytes = {source.file.get(), 0, file.size_bytes, {}};
    TRY(compare_file(source.bytes, file));
    return source;
  }
  TRY_ASSIGN(const ObjectInfo info, p_.source.head(*key));
  if (info.size_bytes != file.size_bytes) return differs();
  TRY_ASSIGN(UniqueFd nameless, p_.nameless());
  source.spool = std::make_unique<Spool>(std::move(nameless));
  HashingSink sink(rules_.pace, source.spool.get());
  if (file.size_bytes > 0) TRY(p_.source.get(*key, {0, file.size_bytes}, sink));
  if (sink.finish() != file.sha256) return differs();
  source.bytes = source.spool->range();
  return source;
}

Status StoreMove::compare_file(const FileRange& bytes, const Attachment& file) {
  // One byte more than the row says is another file.
  std::byte more{};
  TRY_ASSIGN(const std::size_t behind, read_at(bytes.fd, {&more, 1}, bytes.size));
  if (behind > 0) return differs();
  TRY_ASSIGN(const Sha256Digest digest,
             hash_range(bytes, [this](std::span<const std::byte> block) { return rules_.pace(block.size()); }));
  return digest == file.sha256 ? Status(Ok{}) : Status(differs());
}

}  // namespace cloakroom
