// usage.cc — the statements of counting, and the parameters of the question for room.
#include "db/usage.h"

#include <utility>

namespace cloakroom {
namespace {

constexpr const char* kRecount = "SELECT kind, id, bytes_off, files_off FROM cloakroom_recount_usage()";
constexpr const char* kMark = "INSERT INTO usage_counting DEFAULT VALUES ON CONFLICT DO NOTHING";

PgArray limits_array(const QuotaRules& rules) {
  PgArray limits(PgArray::Element::kInt8, 4);
  for (const Quota& quota : {rules.user, rules.dialog}) {
    limits.int8(static_cast<std::int64_t>(quota.bytes));
    limits.int8(static_cast<std::int64_t>(quota.files));
  }
  return limits;
}

// Of many rows it takes longer than a request may.
Result<ResultSet> run_recount(Database& database) {
  TRY(database.run_script("SET LOCAL statement_timeout = 0"));
  return database.run_once(kRecount, Params{});
}

}  // namespace

void room_params(Params& params, const RoomRequest& room) {
  PgArray sizes(PgArray::Element::kInt8, room.sizes.size());
  for (const std::uint64_t size : room.sizes) sizes.int8(static_cast<std::int64_t>(size));
  params.text(room.uploader_id).text(room.dialog_id).boolean(room.by_service);
  params.array(std::move(sizes)).array(limits_array(room.rules));
}

Result<bool> PgUsage::begin() {
  TRY_ASSIGN(const auto started, database_.run_once("SELECT cloakroom_start_counting()", Params{}));
  if (!started.boolean(0, 0)) return false;
  TRY(database_.begin());
  const auto counted = run_recount(database_);
  Status done = counted ? database_.run_script(kMark) : Status(counted.error());
  if (done) done = database_.commit();
  if (!done) {
    database_.rollback();
    return std::move(done).error();
  }
  return true;
}

Result<std::vector<UsageDifference>> PgUsage::recount() {
  TRY(database_.begin());
  auto set = run_recount(database_);
  const Status done = set ? database_.commit() : Status(set.error());
  if (!done) {
    database_.rollback();
    return done.error();
  }
  std::vector<UsageDifference> wrong;
  for (int row = 0; row < set->rows(); ++row) {
    wrong.push_back(
        {std::string(set->text(row, 0)), std::string(set->text(row, 1)), set->integer(row, 2), set->integer(row, 3)});
  }
  return wrong;
}

}  // namespace cloakroom
