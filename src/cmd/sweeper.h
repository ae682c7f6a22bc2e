// sweeper.h — what killed processes and expired tickets leave: files, parts of uploads to the store, rows.
//
// Log      sweep.done and sweep.failed, direct_uploads.expired; never a key
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "cmd/wiring.h"
#include "db/direct_uploads.h"
#include "db/rate_limits.h"

namespace cloakroom {

enum class Leftover { kFile, kUpload };

// Temporary files of killed workers, bodies of a killed nginx, parts of uploads to the store that nobody completed.
class Sweeper {
 public:
  // `older_than` overrides the ages by which it is known that nobody is still at work.
  Sweeper(const Config& config, const StoreSet& stores, Database& database,
          std::optional<std::chrono::seconds> older_than);

  void sweep_when_due();
  struct Found {
    std::size_t files = 0, uploads = 0;
    bool is_whole = true;  // false: something could not be looked at or removed; the log says what
  };
  // In a rehearsal nothing is removed, and nothing logged but faults. `seen` is told of each left-over, by the path of
  // a file or the key of an upload.
  using Seen = std::function<void(Leftover kind, std::string_view name)>;
  Found sweep(bool is_rehearsal = false, const Seen& seen = {});

 private:
  Result<std::size_t> abort_uploads(S3Store& store, bool is_rehearsal, const Seen& seen);

  std::vector<std::string> folders_;
  std::chrono::seconds file_age_;
  std::vector<S3Store*> s3_;
  std::string key_prefix_;
  std::chrono::seconds upload_age_, direct_age_;
  Database& database_;
  PgDirectUploads tickets_;
  std::chrono::steady_clock::time_point next_{};
};

// Rows of direct uploads that expired.
class TicketSweeper {
 public:
  TicketSweeper(DirectUploadRows& rows, std::chrono::seconds grace) : rows_(rows), grace_(grace) {}

  void sweep_when_due();

 private:
  DirectUploadRows& rows_;
  std::chrono::seconds grace_;
  std::chrono::steady_clock::time_point next_{};
};

// Budgets that are full again.
class RateSweeper {
 public:
  explicit RateSweeper(Database& database) : rates_(database) {}

  void sweep_when_due();

 private:
  PgRateLimits rates_;
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace cloakroom
