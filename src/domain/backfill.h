// backfill.h — takes over the files of an old application, row by row of its table, each file of a message once.
//
// Order    of one file: is it in the book, open, size, sniff, virus scan; then
//            copy    deletion ticket, bytes (hashed on the way, durable), row
//            adopt   hash where they lie, row. An object that has a row already is copied: two rows never share one.
//          The row, linked and with its line in the book, is the commit point (domain/upload.h has the same order). A
//          page's position is kept behind it, so a run that was killed goes through some rows again and finds them in
//          the book.
// Rule     bytes are kept as they are: nothing is stripped from pictures, nothing is too large. Names and types are
//          made as those of uploads. created_at is the old one.
// Errors   what is wrong with one file is told and counted, and the next run tries it again. What would be wrong with
//          the next file too (store, database, scanner or disk) ends the run, which goes on when it is called again.
// Memory   one page of rows, one copy buffer.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "domain/backfill_mapping.h"
#include "domain/backfill_ports.h"
#include "domain/legacy_record.h"
#include "domain/stored_meta.h"
#include "domain/virus_scan.h"

namespace cloakroom {

struct BackfillRules {
  KeyRule keys;  // of copies
  std::string object_cache_control;
  std::chrono::seconds orphan_grace{};
  StoredHeadersOf stored_headers = {};
  VirusScan* scan = nullptr;      // null: nothing is scanned
  bool makes_variants = false;    // pictures get a job
  std::string adopt_prefix = {};  // of a path, to make its key in the store
  std::string fingerprint = {};
  bool begins_again = false, is_rehearsal = false;
  std::uint64_t most_taken = 0;  // 0: any number
  std::size_t page = 200;
  std::uint64_t bytes_per_second = 0;  // 0: as fast as it goes
};

struct BackfillTellers {
  std::function<void(const LegacyTrouble&)> failed = [](const LegacyTrouble&) {};
  std::function<void(const LegacyFile&, const Attachment&)> taken = [](const LegacyFile&, const Attachment&) {};
  // Between two files: an error ends the run.
  std::function<Status()> between = [] { return Status(Ok{}); };
  // How much of what LegacyRows::left() said is done.
  std::function<void(std::uint64_t, const BackfillTotals&)> progress = [](std::uint64_t, const BackfillTotals&) {};
  std::function<void(std::chrono::milliseconds)> pause = {};  // null: sleeps
};

class Backfill {
 public:
  struct Parts {
    LegacyRows& rows;
    LegacyStore& bytes;
    BlobStore& store;  // where copies go, and where what is adopted lies
    Rows& tickets;
    BackfillBook& book;
    Sniffer& sniffer;
    const Clock& clock;
  };
  Backfill(Parts parts, const BackfillMapping& mapping, BackfillRules rules, BackfillTellers tellers)  // borrowed
      : p_(parts), mapping_(mapping), rules_(std::move(rules)), tell_(std::move(tellers)) {}

  // Where the last run stopped. Before run().
  Result<BackfillRun> resume();
  // False: `most_taken` was reached before the end. REQUIRES: resume().
  Result<bool> run();

  const BackfillTotals& totals() const { return run_.totals; }

 private:
  Result<bool> page_of(std::vector<LegacyRow> rows);
  // False: enough were taken.
  Result<bool> row_of(const LegacyRow& row, const LegacyRecord& record, std::set<MessagePath>& known);
  void fail(LegacyTrouble trouble);
  Status take(const LegacyFile& file);
  Result<Attachment> describe(const LegacyFile& file, const LegacyBytes& bytes);
  Status scan(const Attachment& attachment, const LegacyBytes& bytes);
  Status adopt(const LegacyFile& file, const LegacyBytes& bytes, Attachment& attachment);
  Status copy(const LegacyFile& file, const LegacyBytes& bytes, Attachment& attachment);
  Result<Sha256Digest> put(const ObjectKey& key, const LegacyBytes& bytes, const Attachment& attachment);
  void pace(std::uint64_t bytes);

  Parts p_;
  const BackfillMapping& mapping_;
  BackfillRules rules_;
  BackfillTellers tell_;
  BackfillRun run_;
  std::map<std::string, ObjectOwner> owners_;  // of what this page would adopt
  std::uint64_t walked_ = 0, taken_now_ = 0;
  std::chrono::steady_clock::time_point paid_until_{};
};

}  // namespace cloakroom
