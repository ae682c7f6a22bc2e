// wiring.h — builds the parts of a process from a Config. The only place where everybody meets everybody.
//
// Lifetime what is made here lives as long as the Wiring; make it after fork(2), for connections are not shared.
#pragma once

#include <memory>

#include "base/config.h"
#include "base/log.h"
#include "base/scoreboard.h"
#include "db/attachments.h"
#include "db/backfill_book.h"
#include "db/direct_uploads.h"
#include "db/job_overview.h"
#include "db/pg.h"
#include "db/variants.h"
#include "domain/backfill.h"
#include "domain/download.h"
#include "domain/move.h"
#include "media/guarded_imager.h"
#include "media/image_client.h"
#include "media/magic.h"
#include "media/strip.h"
#include "routes/app.h"
#include "scan/clamd.h"
#include "scan/guarded_scanner.h"
#include "storage/direct_layers.h"
#include "storage/guarded.h"
#include "storage/legacy_folder.h"
#include "storage/local.h"
#include "storage/retry.h"
#include "storage/s3.h"
#include "storage/s3_direct.h"
#include "storage/s3_profile.h"

namespace cloakroom {

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return system_now(); }
};

struct StoreSet {
  std::unique_ptr<LocalStore> local;
  std::unique_ptr<S3Store> s3;  // null when S3 is not configured
  std::unique_ptr<RetryingStore> s3_retrying;
  std::unique_ptr<S3DirectStore> s3_direct;
  std::unique_ptr<SharedScoreboard> own_board;  // of a process that shares with nobody
  std::unique_ptr<Breaker> s3_breaker;
  std::unique_ptr<Bulkhead> s3_bulkhead;
  std::unique_ptr<CallGuard> s3_guard;
  std::unique_ptr<GuardedStore> s3_guarded;  // what everybody uses
  std::unique_ptr<RetryingDirectStore> s3_direct_retrying;
  std::unique_ptr<GuardedDirectStore> s3_direct_guarded;  // the same

  Stores all() const { return {local.get(), s3_guarded.get(), s3.get()}; }
  BlobStore& for_new_files(const Config& config) const {
    return config.storage == "s3" ? static_cast<BlobStore&>(*s3_guarded) : *local;
  }
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
// The row of the table for the store in the settings.
const S3Profile& profile_of(const S3Config& s3);
// The settings, and what its profile says where they say nothing.
S3Options s3_options(const S3Config& s3);
// `board`: what the children of a worker share; null: a process of its own.
Result<StoreSet> make_stores(const Config& config, const Clock& clock, Scoreboard* board = nullptr);
// Moves what S3_FALLBACK=local kept, and may have kept before it was turned off. REQUIRES: stores.s3.
Mover make_mover(const Config& config, const StoreSet& stores, Rows& rows, const Clock& clock);
// Of the keys of files that this node keeps.
std::string kept_prefix_of(const Config& config);
// nullopt: nothing is scanned.
std::optional<Clamd> make_scanner(const Config& config);
ScannerSet make_guarded_scanner(const Config& config, Scoreboard* board);
// nullopt: there are no pictures.
std::optional<ImageClient> make_imager(const Config& config);
ImagerSet make_guarded_imager(const Config& config, Scoreboard* board);
// `making`: of a worker, whose children must not all make pictures at once; null: no limit.
Variants make_variants(const Config& config, const StoreSet& stores, Rows& rows, VariantRows& variants, Imager& imager,
                       const Clock& clock, Bulkhead* making = nullptr);
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
  PgBackfillBook backfill_book_{database_};
  std::optional<LegacyFolder> legacy_folder_;
  std::optional<LegacyFiles> legacy_files_;
  StoreSet stores_;
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
