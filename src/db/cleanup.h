// cleanup.h — the port CleanupRows over PostgreSQL.
//
// Source   sql/012_tombstones.sql, cloakroom_bury()
// Owner    OWNER_QUERY runs as a sub-select of ours, in a transaction that cannot write, for at most kOwnerTimeout.
// Names
//          in it need their schema, for search_path is ours. Its first column is compared as text.
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/cleanup.h"

namespace cloakroom {

class PgCleanup final : public CleanupRows {
 public:
  // `owner_query`: empty where nobody is asked.
  PgCleanup(Database& database, std::string owner_query) : database_(database), owner_query_(std::move(owner_query)) {}

  Result<CleanupPage> stale(std::chrono::hours age, const std::optional<CleanupFile>& after, std::size_t most) override;
  Result<CleanupPage> next(const Uuid& after, std::size_t most) override;
  // How many stale() and next() give in all, as of now.
  Result<std::uint64_t> count_stale(std::chrono::hours age);
  Result<std::uint64_t> count_all();
  Result<std::set<std::string>> living(std::span<const std::string> message_ids) override;
  Result<std::vector<Uuid>> bury(std::span<const CleanupCandidate> candidates, TimePoint seen,
                                 std::chrono::hours undo) override;

 private:
  Result<std::set<std::string>> ask_owner(std::span<const std::string> message_ids);

  Database& database_;
  std::string owner_query_;
};

// $1 age in hours int8, $2 created_at of the last one timestamptz or null, $3 its id uuid, $4 at most int8
extern const Statement kFindStale;

}  // namespace cloakroom
