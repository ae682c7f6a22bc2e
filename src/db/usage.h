// usage.h — what users and dialogs take: the question whether there is room, as part of a statement, and the counting.
//
// Source   sql/008_quotas.sql.
// Shape    a statement that asks has CLOAKROOM_FIND_ROOM in a WITH: one row, whose `refusal` is null when there is
// room. Counting is off until begin(); from then on every row of attachments is counted, whoever writes it. recount()
// looks
//          whether that went well.
// Errors   kDatabase, kInternal as in pg.h; a quota that is asked for before begin() is kInternal.
#pragma once

#include <string>
#include <vector>

#include "db/pg.h"
#include "domain/quota.h"

namespace cloakroom {

#define CLOAKROOM_FIND_ROOM(uploader, dialog, by_service, sizes, limits, from)   \
  "SELECT cloakroom_find_room(" uploader "::text, " dialog "::text, " by_service \
  "::bool, (SELECT sum(s)::int8 FROM "                                           \
  "unnest(" sizes "::int8[]) s), cardinality(" sizes "::int8[]), " limits "::int8[]) AS refusal" from
// Appends uploader, dialog, by_service, sizes and limits.
// Lifetime the request outlives the parameters.
void room_params(Params& params, const RoomRequest& room);

struct UsageDifference {
  std::string kind;  // user | dialog
  std::string id;
  std::int64_t bytes = 0, files = 0;  // how much too much was counted
};

class PgUsage {
 public:
  explicit PgUsage(Database& database) : database_(database) {}  // borrowed

  // Counts from now on, and what is there already. False: that was done before. May be repeated after a failure.
  // REQUIRES: a role that owns the tables.
  Result<bool> begin();
  // Puts the totals right; what was wrong. Nobody waits for it.
  Result<std::vector<UsageDifference>> recount();

 private:
  Database& database_;
};

}  // namespace cloakroom
