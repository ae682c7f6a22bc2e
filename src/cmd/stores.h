// stores.h — the stores of a process, built from the settings: the local disk, and up to two S3 stores.
//
// Lifetime what is made here lives as long as the StoreSet; make it after fork(2), for connections are not shared.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/config.h"
#include "base/scoreboard.h"
#include "domain/download.h"
#include "storage/direct_layers.h"
#include "storage/guarded.h"
#include "storage/local.h"
#include "storage/retry.h"
#include "storage/s3.h"
#include "storage/s3_direct.h"
#include "storage/s3_profile.h"

namespace cloakroom {

// A server that takes or gives no byte for so long while all places are taken hangs; those that work answer within it.
inline constexpr std::chrono::milliseconds kStillFor{2000};

// One S3 store with all that stands before it. Each has a breaker and a bulkhead of its own: when one is away, the
// files of the other do not notice.
struct S3Set {
  std::unique_ptr<S3Store> store;
  std::unique_ptr<RetryingStore> retrying;
  std::unique_ptr<S3DirectStore> direct;
  std::unique_ptr<Breaker> breaker;
  std::unique_ptr<Bulkhead> bulkhead;
  std::unique_ptr<CallGuard> guard;
  std::unique_ptr<GuardedStore> guarded;  // what everybody uses
  std::unique_ptr<RetryingDirectStore> direct_retrying;
  std::unique_ptr<GuardedDirectStore> direct_guarded;  // the same
};

struct StoreSet {
  std::unique_ptr<LocalStore> local;
  std::unique_ptr<SharedScoreboard> own_board;  // of a process that shares with nobody
  std::optional<S3Set> s3, s3_secondary;        // where they are configured

  Stores all() const;
  // Null for the local disk, and where it is not configured.
  const S3Set* s3_of(StoreKind kind) const;
  std::vector<const S3Set*> s3_sets() const;
  BlobStore& for_new_files(const Config& config) const;
  // Where files that were kept on the disk belong, also after STORAGE was changed. Null without an S3 store.
  const S3Set* for_kept_files(const Config& config) const;
};

// STORAGE, as a kind.
StoreKind kind_of_new_files(const Config& config);
// Null where it is not configured, and for the local disk.
const S3Config* s3_config(const Config& config, StoreKind kind);
// The row of the table for the store in the settings.
const S3Profile& profile_of(const S3Config& s3);
// The settings, and what its profile says where they say nothing.
S3Options s3_options(const S3Config& s3);
// `board`: what the children of a worker share; null: a process of its own.
Result<StoreSet> make_stores(const Config& config, const Clock& clock, Scoreboard* board = nullptr);

KeyRule key_rule(const Config& config);
// Of the keys of files that this node keeps.
std::string kept_prefix_of(const Config& config);
KeyRule kept_key_rule(const Config& config);
// New files are kept on the disk while their store is away.
bool keeps_aside(const Config& config);

}  // namespace cloakroom
