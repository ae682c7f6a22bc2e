// backfill.cc — the walk, and the story of one file in its order.
#include "domain/backfill.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/limits.h"
#include "domain/abandon.h"
#include "domain/filename.h"
#include "domain/honest_name.h"
#include "domain/pictures.h"

namespace cloakroom {
namespace {

constexpr std::chrono::milliseconds kLeastPause{20};  // shorter ones are saved up

// It would be the same with the next file.
bool ends_the_run(const Error& error) {
  switch (error.code) {
    case Errc::kStore:
    case Errc::kStoreAway:
    case Errc::kDatabase:
    case Errc::kScannerAway:
    case Errc::kDiskFull:
    case Errc::kUnavailable:
    case Errc::kNotYet:
      return true;
    default:
      return false;
  }
}

std::string_view reason_of(const Error& error) {
  switch (error.code) {
    case Errc::kNotFound:
      return "missing";
    case Errc::kDenied:
      return "unreadable";
    case Errc::kInvalid:
      return "bad_path";
    case Errc::kPreconditionFailed:
      return "wrong_size";
    case Errc::kInfected:
      return "infected";
    case Errc::kNotScanned:
    case Errc::kTooLarge:
      return "not_scanned";
    case Errc::kConflict:
      return "conflict";
    default:
      return "internal";
  }
}

class Hasher final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    hash_.update(bytes);
    return Ok{};
  }
  Sha256Digest digest() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

// Keeps what fits.
class Head final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return Ok{};
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

FileRange range_of(const LegacyBytes& bytes) {
  return {bytes.file.get(), 0, bytes.size_bytes, {}};
}

// Whether an object may stay where it is, and become an attachment's; false: a copy of it may.
Result<bool> may_stay(const ObjectKey& key, const std::string& key_prefix,
                      const std::map<std::string, ObjectOwner>& owners) {
  if (key.str().front() == '.') return Error{Errc::kInvalid, "what begins with a dot in the store is not for files"};
  if (const auto owner = owners.find(key.str()); owner != owners.end()) {
    if (owner->second == ObjectOwner::kRow) return false;
    return Error{Errc::kConflict, "the object is about to be deleted: it belonged to an attachment that is gone"};
  }
  // an audit deletes what has such a name and no row: it may be at it now
  if (is_own_key(key_prefix, key.str()) || quarantined_ticket(key_prefix, key.str())) {
    return Error{Errc::kInvalid,
                 "it has a name as ours have, and no row: what an upload has left, as far as anybody can tell. Rename "
                 "its folder, or take it over with \"mode\": \"copy\""};
  }
  return true;
}

Result<Sha256Digest> hash_object(BlobStore& store, const ObjectKey& key, std::uint64_t size_bytes) {
  Hasher hasher;
  if (size_bytes > 0) TRY(store.get(key, {0, size_bytes}, hasher));
  return hasher.digest();
}

}  // namespace

Result<BackfillRun> Backfill::resume() {
  if (!rules_.begins_again) {
    TRY_ASSIGN(auto last, p_.book.run_of(mapping_.name, rules_.fingerprint));
    if (last && !last->is_finished) run_ = *std::move(last);
  }
  return run_;
}

Result<bool> Backfill::run() {
  const auto keep = [this] {
    return rules_.is_rehearsal ? Status(Ok{}) : p_.book.keep_run(mapping_.name, rules_.fingerprint, run_);
  };
  TRY(keep());  // a new run is one from its beginning
  while (true) {
    TRY(tell_.between());
    TRY_ASSIGN(auto rows, p_.rows.after(run_.position, rules_.page));
    if (rows.empty()) break;
    if (rows.back().position == run_.position) {
      return Error{Errc::kInvalid, "the rows behind '" + run_.position + "' end there, too: the key has no order"};
    }
    const auto done = page_of(std::move(rows));
    const Status kept = keep();  // also of a page that was broken off
    if (!done) return done.error();
    TRY(kept);
    if (!*done) return false;
  }
  run_.is_finished = true;
  TRY(keep());
  return true;
}

Result<bool> Backfill::page_of(std::vector<LegacyRow> rows) {
  std::vector<LegacyRecord> records;
  std::vector<MessagePath> asked;
  for (const LegacyRow& row : rows) {
    LegacyRecord record;
    if (row.fields) {
      record = read_record(mapping_, row.fields.get());
    } else {
      record.troubles.push_back({"", "", "bad_row", row.trouble});
    }
    for (const LegacyFile& file : record.files) asked.emplace_back(file.message_id, file.path.str());
    records.push_back(std::move(record));
  }
  TRY_ASSIGN(std::set<MessagePath> known, p_.book.taken(mapping_.name, asked));
  if (mapping_.adopts) {
    std::vector<std::string> keys;
    for (const MessagePath& one : asked) keys.push_back(rules_.adopt_prefix + one.second);
    TRY_ASSIGN(owners_, p_.book.owners(p_.store.kind(), keys));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const BackfillTotals before = run_.totals;
    const auto whole = row_of(rows[i], records[i], known);
    if (!whole || !*whole) {
      // this row comes again: what was taken of it is counted, what was wrong with it will be found once more
      run_.totals.failed = before.failed;
      run_.totals.already = before.already;
      return whole;
    }
    ++run_.totals.rows;
    run_.position = rows[i].position;
    walked_ += rows[i].length;
    tell_.progress(walked_, run_.totals);
  }
  return true;
}

Result<bool> Backfill::row_of(const LegacyRow& row, const LegacyRecord& record, std::set<MessagePath>& known) {
  for (const LegacyTrouble& trouble : record.troubles) {
    LegacyTrouble one = trouble;
    if (one.message_id.empty() && one.path.empty()) one.detail += " (at " + row.position + ")";
    fail(std::move(one));
  }
  for (const LegacyFile& file : record.files) {
    if (!known.insert({file.message_id, file.path.str()}).second) {
      ++run_.totals.already;
      continue;
    }
    if (rules_.most_taken > 0 && taken_now_ >= rules_.most_taken) return false;
    TRY(tell_.between());
    const Status taken = take(file);
    if (taken) continue;
    if (ends_the_run(taken.error())) return taken.error();
    fail({file.message_id, file.path.str(), reason_of(taken.error()), taken.error().detail});
  }
  return true;
}

void Backfill::fail(LegacyTrouble trouble) {
  ++run_.totals.failed;
  tell_.failed(trouble);
}

Status Backfill::take(const LegacyFile& file) {
  TRY_ASSIGN(const LegacyBytes bytes, p_.bytes.open(file.path));
  if (file.size_bytes && *file.size_bytes != bytes.size_bytes) {
    return Error{Errc::kPreconditionFailed,
                 fmt::format("has {} bytes, its row says {}", bytes.size_bytes, *file.size_bytes)};
  }
  if (rules_.is_rehearsal) {
    if (mapping_.adopts) {
      TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(rules_.adopt_prefix + file.path.str()));
      TRY(may_stay(key, rules_.keys.prefix, owners_));
    }
  } else {
    TRY_ASSIGN(Attachment a, describe(file, bytes));
    TRY(scan(a, bytes));
    TRY(mapping_.adopts ? adopt(file, bytes, a) : copy(file, bytes, a));
    tell_.taken(file, a);
    pace(bytes.size_bytes);
  }
  ++taken_now_;
  ++run_.totals.taken;
  run_.totals.bytes += bytes.size_bytes;
  return Ok{};
}

Result<Attachment> Backfill::describe(const LegacyFile& file, const LegacyBytes& bytes) {
  Attachment a;
  const std::uint64_t head_size = std::min<std::uint64_t>(bytes.size_bytes, limits::kSniffBytes);
  if (bytes.object) {
    Head head;
    if (head_size > 0) TRY(p_.store.get(*bytes.object, {0, head_size}, head));
    TRY_ASSIGN(a.mime_type, p_.sniffer.mime_type(head.bytes()));
  } else {
    const std::span<std::byte> head = copy_buffer().first(static_cast<std::size_t>(head_size));
    TRY_ASSIGN(const std::size_t got, read_at(bytes.file.get(), head, 0));
    TRY_ASSIGN(a.mime_type, p_.sniffer.mime_type(head.first(got)));
  }
  a.filename = honest_filename(clean_filename(file.filename), a.mime_type);
  const TimePoint now = p_.clock.now();
  a.id = make_uuid7(now);
  a.created_at = file.created_at.value_or(now);
  a.status = AttachmentStatus::kLinked;
  a.message_id = file.message_id;
  a.dialog_id = file.dialog_id;
  a.uploader_id = file.uploader_id;
  a.account_id = file.account_id;
  a.size_bytes = bytes.size_bytes;
  a.wants_variants = rules_.makes_variants && a.size_bytes > 0 && may_have_picture(a.mime_type);
  return a;
}

Status Backfill::scan(const Attachment& a, const LegacyBytes& bytes) {
  if (rules_.scan == nullptr) return Ok{};
  const ByteSource source = [&](ByteSink& sink) -> Status {
    if (!bytes.object) return source_of(range_of(bytes))(sink);
    return a.size_bytes == 0 ? Status(Ok{}) : p_.store.get(*bytes.object, {0, a.size_bytes}, sink);
  };
  return rules_.scan->check({.way = "backfill",
                             .filename = a.filename,
                             .user = a.uploader_id,
                             .size_bytes = a.size_bytes,
                             .digest = [] { return std::optional<Sha256Digest>(); }},
                            source);
}

Status Backfill::adopt(const LegacyFile& file, const LegacyBytes& bytes, Attachment& a) {
  TRY_ASSIGN(const ObjectKey key, ObjectKey::parse(rules_.adopt_prefix + file.path.str()));
  TRY_ASSIGN(const bool stays, may_stay(key, rules_.keys.prefix, owners_));
  if (!stays) return copy(file, bytes, a);
  a.store = p_.store.kind();
  a.key = key.str();
  if (bytes.object) {
    TRY_ASSIGN(a.sha256, hash_object(p_.store, *bytes.object, a.size_bytes));
  } else {
    TRY_ASSIGN(a.sha256, hash_range(range_of(bytes)));
  }
  TRY(p_.book.commit(mapping_.name, file.path.str(), a, {}));
  owners_.emplace(key.str(), ObjectOwner::kRow);
  return Ok{};
}

// What is read for the hash is the copy, where the store itself made it (decision 11).
Result<Sha256Digest> Backfill::put(const ObjectKey& key, const LegacyBytes& bytes, const Attachment& a) {
  const ObjectMeta meta = stored_meta(a, rules_.object_cache_control, rules_.stored_headers);
  if (!bytes.object) return p_.store.put(key, range_of(bytes), meta);
  TRY(p_.store.copy(*bytes.object, key, meta));
  return hash_object(p_.store, key, a.size_bytes);
}

Status Backfill::copy(const LegacyFile& file, const LegacyBytes& bytes, Attachment& a) {
  const ObjectKey key = make_key(rules_.keys, a.id, a.filename);
  a.store = p_.store.kind();
  a.key = key.str();
  const std::span<const ObjectKey> keys(&key, 1);
  TRY_ASSIGN(const auto tickets, p_.tickets.plan_deletions(a.store, keys, rules_.orphan_grace));
  auto digest = put(key, bytes, a);
  if (digest) a.sha256 = *digest;
  Status done = digest ? p_.book.commit(mapping_.name, file.path.str(), a, tickets) : Status(digest.error());
  if (done) return done;
  abandon(p_.tickets, {a.store, keys, tickets}, done.error());
  return done;
}

void Backfill::pace(std::uint64_t bytes) {
  if (rules_.bytes_per_second == 0) return;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = static_cast<double>(bytes) / static_cast<double>(rules_.bytes_per_second);
  paid_until_ = std::max(paid_until_, now) +
                std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(paid_until_ - now);
  if (rest < kLeastPause) return;
  if (tell_.pause) return tell_.pause(rest);
  std::this_thread::sleep_for(rest);
}

}  // namespace cloakroom
