// rate_limits.h — spending from budgets, as part of whatever statement a request makes anyway.
//
// Source   sql/006_limits.sql, domain/spending.h.
// Shape    a statement that spends has the macro in a WITH: one row when there was enough, none when not.
// Order    the user's row before the address's: no two requests wait for each other in a circle. When the address is
//          over its budget the user has paid for nothing; when the user is, his address pays nothing.
#pragma once

#include <string>

#include "db/pg.h"
#include "domain/spending.h"

namespace cloakroom {

#define CLOAKROOM_MICROSECONDS(n) n "::int8 * interval '1 microsecond'"
// The points of time ahead of which a request is refused are compared with the row as it is when it is locked: of many
// at once each sees what the one before it did.
#define CLOAKROOM_SPEND_INTO(column, key, from, every, slack)                                                        \
  "INSERT INTO rate_limits AS r (key, " column ") SELECT " key "::text, now() + " CLOAKROOM_MICROSECONDS(every) from \
      " ON CONFLICT (key) DO UPDATE SET " column " = greatest(r." column                                             \
      ", now()) + " CLOAKROOM_MICROSECONDS(every) " WHERE r." column " <= now() + " CLOAKROOM_MICROSECONDS(slack)
#define CLOAKROOM_HAS_MISSES(slack) " AND r.misses <= now() + " CLOAKROOM_MICROSECONDS(slack)

// Whether a download, which an empty budget of misses refuses, too.
enum class Misses { kAsked, kNotAsked };
// Appends, for each spender: its key, the interval, how far ahead it may be, and where misses are asked how far they
// may be. int8, in microseconds.
// `times`: of a request that pays for others in advance.
void spend_params(Params& params, const Spenders& spenders, Budget budget, Misses misses, std::uint32_t times = 1);
// How many more would be accepted of a spender whose budget is so far ahead of now.
std::int64_t left_of(const Spender& spender, Budget budget, std::int64_t ahead_microseconds);

// How far a budget is ahead of now, in microseconds.
#define CLOAKROOM_AHEAD(column) "(extract(epoch FROM " column " - now()) * 1000000)::int8"

class PgRateLimits {
 public:
  explicit PgRateLimits(Database& database) : database_(database) {}  // borrowed

  // For what has no statement of its own to ride on. kTooMany when a budget is empty. REQUIRES: spenders not empty.
  Status spend(const Spenders& spenders, Budget budget);
  // Why it was refused, and for how long.
  Error refusal(const Spenders& spenders, Budget budget, Misses misses);
  // Removes rows that hold nobody back any more; how many.
  Result<std::uint64_t> forget();

 private:
  Database& database_;
};

}  // namespace cloakroom
