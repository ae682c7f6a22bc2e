// wiring.h — builds the parts of a process from a Config. The only place where everybody meets everybody.
//
// Lifetime what is made here lives as long as the Wiring; make it after fork(2), for connections are not shared.
#pragma once

#include <atomic>
#include <memory>

#include "base/config.h"
#include "base/log.h"
#include "cmd/stores.h"
#include "db/attachments.h"
#include "db/backfill_book.h"
#include "db/copies.h"
#include "db/direct_uploads.h"
#include "db/job_overview.h"
#include "db/pg.h"
#include "db/variants.h"
#include "domain/backfill.h"
#include "domain/copy_reader.h"
#include "domain/move.h"
#include "domain/store_move.h"
#include "media/guarded_imager.h"
#include "media/image_client.h"
#include "media/magic.h"
#include "media/strip.h"
#include "routes/app.h"
#include "scan/clamd.h"
#include "scan/guarded_scanner.h"
#include "storage/legacy_folder.h"

namespace cloakroom {

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return system_now(); }
};

// All null when nothing is scanned.
struct ScannerSet {
  std::unique_ptr<Clamd> clamd;
  std::unique_ptr<SharedScoreboard> own_board;
  std::unique_ptr<Breaker> breaker;
  std::unique_ptr<Bulkhead> bulkhead;
  std::unique_ptr<CallGuard> guard;
  std::unique_ptr<GuardedScanner> guarded;  // what a worker uses
};
struct ImagerSet {
  std::unique_ptr<ImageClient> client;  // null: there are no pictures
  std::unique_ptr<SharedScoreboard> own_board;
  std::unique_ptr<Breaker> breaker;
  std::unique_ptr<Bulkhead> looking;
  std::unique_ptr<GuardedImager> guarded;  // what everybody uses
};
// Local files get copies in S3.
inline bool is_hybrid(const Config& config) {
  return config.storage == "hybrid";
}
StoredHeaders stored_headers(const Attachment& attachment);
NamelessFile nameless_file(const Config& config);
// Moves what S3_FALLBACK=local kept, and may have kept before it was turned off. REQUIRES: an S3 store.
Mover make_mover(const Config& config, const StoreSet& stores, Rows& rows, const Clock& clock);
// What a move from store to store needs of the settings; the rest of the rules is the command's.
struct MoveRoute {
  StoreKind from, to;
};
StoreMoveRules store_move_rules(const Config& config, Proof proof);
StoreMove::Parts store_move_parts(const Config& config, const StoreSet& stores, MoveRoute route, MoveRows& rows,
                                  const Clock& clock);
// Whoever read a row before its object was moved has opened the old one by then; no `--grace` is shorter.
inline constexpr std::chrono::seconds kMoveLinger{10};
// nullopt: nothing is scanned.
std::optional<Clamd> make_scanner(const Config& config);
ScannerSet make_guarded_scanner(const Config& config, Scoreboard* board);
// nullopt: there are no pictures.
std::optional<ImageClient> make_imager(const Config& config);
ImagerSet make_guarded_imager(const Config& config, Scoreboard* board);
// Of a worker: its children must not all make pictures at once, and count together. Null: no limit, nobody counts.
struct MakingBoard {
  Bulkhead* making = nullptr;
  std::atomic<std::uint64_t>* made = nullptr;
};
Variants make_variants(const Config& config, const StoreSet& stores, Rows& rows, VariantRows& variants, Imager& imager,
                       const Clock& clock, const MakingBoard& board = {});
// The scanner that a backfill asks, if there is one. Lives as long as the rules that point to it.
struct BackfillScan {
  explicit BackfillScan(const Config& config);
  ScannerSet scanner;
  std::optional<VirusScan> scan;
};
// What the settings say; the rest is the command's.
BackfillRules backfill_rules(const Config& config, BackfillScan& scan);
Result<Identity> make_identity(const Config& config);
Level log_level(const Config& config);
DatabaseOptions database_options(const Config& config, const char* program);

// Everything that answers requests.
class Service {
 public:
  static Result<std::unique_ptr<Service>> make(const Config& config, const Clock& clock, Sniffer& sniffer,
                                               Scoreboard* board = nullptr);
  Served serve(Exchange& exchange, const Turn& turn = {});

 private:
  Service(const Config& config, const Clock& clock, Sniffer& sniffer, StoreSet stores, Identity identity,
          Scoreboard* board);

  Database database_;
  PgRows rows_;
  PgJobOverview job_overview_{database_};
  PgCopies copies_{database_};
  PgBackfillBook backfill_book_{database_};
  std::optional<LegacyFolder> legacy_folder_;
  std::optional<LegacyFiles> legacy_files_;
  StoreSet stores_;
  std::optional<CopyReader> copy_reader_;
  Identity identity_;
  ScannerSet scanner_;
  std::optional<VirusScan> scan_;
  std::optional<PictureStripper> stripper_;
  std::optional<MetadataStrip> strip_;
  ImagerSet imager_;
  Uploads uploads_;
  Downloads downloads_;
  PgDirectUploads direct_rows_;
  std::optional<DirectUploads> direct_uploads_;  // where new files go to an S3 store
  PgVariants variant_rows_;
  std::optional<Bulkhead> making_;
  std::optional<Variants> variants_;  // where there is an Imager
  App app_;
  std::optional<LinkTokens> links_;
  Dispatcher dispatcher_;
};

}  // namespace cloakroom
