// room_rows.cc — the statements of PgRows that hold a place for an upload, give it back, and tell what is taken.
#include "db/attachments.h"
#include "db/usage.h"

namespace cloakroom {
namespace {

// As the plans in metered_rows.cc: budgets first, then room, then tickets, and none of what comes later when one says
// no. No row: a budget is empty. A row with a sentence: there is no room. The function needs what was paid, so it is
// not called when nothing was.
#define CLOAKROOM_PLAN_WITHIN(paid)                                                                                  \
  "SELECT p.ticket, p.refusal FROM " paid                                                                            \
  ", LATERAL cloakroom_plan_within($1::text, $2::text[], paid * $3::int8 * interval '1 second', $4::text, $5::text," \
  " $6::bool, $7::int8[], $8::int8[]) p"
#define CLOAKROOM_PAY(key, from, every, slack) \
  CLOAKROOM_SPEND_INTO("uploads", key, from, every, slack) " RETURNING 1 AS paid"
#define CLOAKROOM_PAY_FIRST "WITH one AS (" CLOAKROOM_PAY("$9", "", "$10", "$11") ")"

constexpr Statement kPlan{"plan_within_0", CLOAKROOM_PLAN_WITHIN("(SELECT 1 AS paid) nothing")};
constexpr Statement kPlanOne{"plan_within_1", CLOAKROOM_PAY_FIRST " " CLOAKROOM_PLAN_WITHIN("one")};
constexpr Statement kPlanTwo{"plan_within_2",
                             CLOAKROOM_PAY_FIRST ", two AS (" CLOAKROOM_PAY("$12", " FROM one", "$13", "$14") ") "  //
                             CLOAKROOM_PLAN_WITHIN("two")};

constexpr Statement kGiveUp{"give_up_room",
                            "UPDATE deletion_tickets SET size_bytes = NULL WHERE id = ANY ($1::int8[])"};
constexpr Statement kUsageOfUser{"usage_of_user", "SELECT bytes, files FROM cloakroom_usage_of_user($1::text)"};

const Statement& plan_for(const Spenders& spenders) {
  if (spenders.empty()) return kPlan;
  return spenders.size() == 1 ? kPlanOne : kPlanTwo;
}

}  // namespace

// REQUIRES: as many sizes as keys, and spenders only when they are metered.
Result<std::vector<DeletionTicket>> PgRows::plan_within_room(StoreKind store, std::span<const ObjectKey> keys,
                                                             std::chrono::seconds grace, const UploadClaim& claim) {
  if (claim.room.sizes.size() != keys.size()) BUG("an upload asked for room for another number of files than it has");
  PgArray key_array(PgArray::Element::kText, keys.size());
  for (const auto& key : keys) key_array.bytes(key.str());
  Params params;
  params.text(to_string(store)).array(std::move(key_array)).int8(grace.count());
  room_params(params, claim.room);
  spend_params(params, claim.spenders, Budget::kUploads, Misses::kNotAsked);
  TRY_ASSIGN(const auto set, database_.run(plan_for(claim.spenders), params));
  if (set.rows() == 0) return rates_.refusal(claim.spenders, Budget::kUploads, Misses::kNotAsked);
  if (!set.is_null(0, 1)) return refuse(Errc::kQuota, std::string(set.text(0, 1)));
  std::vector<DeletionTicket> tickets;
  for (int row = 0; row < set.rows(); ++row) tickets.push_back({set.integer(row, 0)});
  return tickets;
}

Status PgRows::give_up_room(std::span<const DeletionTicket> tickets) {
  PgArray ids(PgArray::Element::kInt8, tickets.size());
  for (const auto& ticket : tickets) ids.int8(ticket.id);
  Params params;
  params.array(std::move(ids));
  TRY(database_.run(kGiveUp, params));
  return Ok{};
}

Result<Usage> PgRows::usage_of(const std::string& user_id) {
  Params params;
  params.text(user_id);
  TRY_ASSIGN(const auto set, database_.run(kUsageOfUser, params));
  return Usage{static_cast<std::uint64_t>(set.integer(0, 0)), static_cast<std::uint64_t>(set.integer(0, 1))};
}

}  // namespace cloakroom
