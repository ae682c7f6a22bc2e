// rate_limits_test.cc — budgets on a real PostgreSQL: exact under concurrency, one statement, and in nobody's way.
#include "db/rate_limits.h"

#include <atomic>
#include <string>
#include <thread>

#include "database.h"

namespace {

using namespace db;

Rate rate(const char* text) {
  return CHECK_OK(parse_rate(text));
}

struct World {
  Database database{options()};
  PgRows rows{database};
  // Of a day: no interval passes while a test runs.
  RateRules rules{{rate("3/d"), rate("5/d"), rate("2/d")}, {rate("4/d"), rate("7/d"), rate("3/d")}};
  Spenders alice = spenders_of(rules, "alice", "192.0.2.7"), bob = spenders_of(rules, "bob", "192.0.2.7");
  Spenders address = spenders_of(rules, std::nullopt, "192.0.2.8");
  World() {
    clear(database);
    CHECK_OK(database.run_script("TRUNCATE rate_limits"));
  }

  Errc read(const Uuid& id, const Spenders& spenders) {
    const auto found = rows.find_within(id, "u1", spenders);
    if (!found) return found.error().code;
    return *found ? Errc::kInternal : Errc::kNotFound;  // kInternal stands for a file
  }
  Result<std::vector<DeletionTicket>> plan(const Spenders& spenders, std::size_t files = 1) {
    std::vector<ObjectKey> keys;
    for (std::size_t i = 0; i < files; ++i) keys.push_back(CHECK_OK(ObjectKey::parse("ab/" + to_hex(new_id()))));
    return rows.plan_upload(StoreKind::kLocal, keys, std::chrono::seconds(600), {spenders});
  }
};
constexpr Errc kFile = Errc::kInternal;

}  // namespace

static void a_budget_lasts_for_its_burst_and_the_refusal_says_how_long() {
  World w;
  const Attachment a = put(w.rows, upload());
  for (int i = 0; i < 5; ++i) CHECK_EQ(w.read(a.id, w.alice), kFile);
  const auto refused = w.rows.find_within(a.id, "u1", w.alice);
  CHECK_ERR(refused, Errc::kTooMany);
  CHECK_EQ(refused.error().policy, "\"downloads\";q=5;w=86400");
  const auto wait = refused.error().retry_after;
  CHECK(wait > std::chrono::minutes(287) && wait <= std::chrono::minutes(288));
  // who was refused paid nothing: five of seven are gone from the address
  CHECK_EQ(w.read(a.id, w.bob), kFile);
  CHECK_EQ(w.read(a.id, w.bob), kFile);
  CHECK_EQ(w.read(a.id, w.bob), Errc::kTooMany);
  CHECK_EQ(w.read(a.id, w.address), kFile);
}

static void a_budget_fills_again_with_time() {
  World w;
  const RateSet fast{{}, rate("20/s burst 1"), {}};
  const Spenders one{{"u:x", &fast}};
  const Uuid id = new_id();
  CHECK_EQ(w.read(id, one), Errc::kNotFound);
  CHECK_EQ(w.read(id, one), Errc::kTooMany);
  CHECK_OK(w.database.run_script("SELECT pg_sleep(0.06)"));
  CHECK_EQ(w.read(id, one), Errc::kNotFound);
}

static void without_misses_left_a_file_and_none_are_refused_alike() {
  World w;
  const Attachment a = put(w.rows, upload());
  CHECK_OK(w.rows.spend(w.alice, Budget::kMisses));
  CHECK_EQ(w.read(a.id, w.alice), kFile);
  CHECK_OK(w.rows.spend(w.alice, Budget::kMisses));
  CHECK_ERR(w.rows.spend(w.alice, Budget::kMisses), Errc::kTooMany);
  for (const Uuid& id : {a.id, new_id()}) {
    const auto refused = w.rows.find_within(id, "u1", w.alice);
    CHECK_ERR(refused, Errc::kTooMany);
    CHECK_EQ(refused.error().policy, "\"misses\";q=2;w=86400");
  }
  CHECK_EQ(w.read(a.id, w.address), kFile);
}

static void an_upload_over_its_budget_has_no_ticket() {
  World w;
  CHECK_EQ(CHECK_OK(w.plan(w.alice, 2)).size(), 2u);
  CHECK_OK(w.plan(w.alice));
  CHECK_OK(w.plan(w.alice));
  CHECK_ERR(w.plan(w.alice), Errc::kTooMany);
  CHECK_OK(w.plan(w.bob));
  CHECK_ERR(w.plan(w.bob), Errc::kTooMany);  // the address has four
  CHECK_OK(w.plan({}));
  CHECK_EQ(value(w.database, "SELECT count(*) FROM deletion_tickets"), "6");
}

static void an_unlimited_budget_beside_a_limited_one_is_never_empty() {
  World w;
  const RateSet reads_only{{}, rate("1/d"), {}}, none;
  const Spenders mixed{{"u:x", &reads_only}, {"a:x", &none}};
  const Uuid id = new_id();
  CHECK_EQ(w.read(id, mixed), Errc::kNotFound);
  CHECK_EQ(w.read(id, mixed), Errc::kTooMany);
  for (int i = 0; i < 20; ++i) CHECK_OK(w.rows.spend(mixed, Budget::kMisses));
  CHECK_OK(w.plan(mixed));
}

static void many_at_once_get_exactly_the_budget() {
  World w;
  const RateSet user{{}, rate("200/d"), {}}, address{{}, rate("100000/d"), {}};
  const Spenders same{{"u:storm", &user}, {"a:storm", &address}};
  std::atomic<int> accepted{0}, wrong{0};
  const auto client = [&] {
    Database database{options()};
    PgRows rows{database};
    for (int i = 0; i < 75; ++i) {
      const auto found = rows.find_within(new_id(), "u1", same);
      if (found) ++accepted;
      if (!found && found.error().code != Errc::kTooMany) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(client);
  for (std::thread& one : threads) one.join();
  CHECK_EQ(accepted.load(), 200);
  CHECK_EQ(wrong.load(), 0);
}

static void what_is_taken_in_advance_is_paid_and_writes_no_row_again() {
  World w;
  const RateSet plenty{{}, rate("6400/d"), {}};
  const Spenders one{{"u:x", &plenty}};
  const auto written = [&] {
    return value(w.database, "SELECT round(extract(epoch FROM downloads - now()) / 13.5) FROM rate_limits");
  };
  const Uuid id = new_id();
  CHECK_EQ(w.read(id, one), Errc::kNotFound);
  CHECK_EQ(written(), "1");
  for (int i = 0; i < 32; ++i) CHECK_EQ(w.read(id, one), Errc::kNotFound);
  CHECK_EQ(written(), "33");
  CHECK_EQ(w.read(id, one), Errc::kNotFound);
  CHECK_EQ(written(), "65");
}

static void few_misses_left_are_asked_for_each_time() {
  World w;
  const RateSet some{{}, rate("6400/d"), rate("10/d")};
  const Spenders one{{"u:x", &some}};
  PgRows other(w.database);  // another process
  for (int i = 0; i < 40; ++i) CHECK_EQ(w.read(new_id(), one), Errc::kNotFound);
  for (int i = 0; i < 10; ++i) CHECK_OK(other.spend(one, Budget::kMisses));
  CHECK_EQ(w.read(new_id(), one), Errc::kTooMany);
}

static void a_refused_miss_ends_what_was_taken_in_advance() {
  World w;
  const RateSet some{{}, rate("6400/d"), rate("200/d")};
  const Spenders one{{"u:x", &some}};
  for (int i = 0; i < 3; ++i) CHECK_EQ(w.read(new_id(), one), Errc::kNotFound);
  for (int i = 0; i < 200; ++i) CHECK_OK(w.rows.spend(one, Budget::kMisses));
  CHECK_ERR(w.rows.spend(one, Budget::kMisses), Errc::kTooMany);
  CHECK_EQ(w.read(new_id(), one), Errc::kTooMany);
}

static void a_meter_that_is_gone_stops_nobody() {
  World w;
  const Attachment a = put(w.rows, upload());
  CHECK_OK(w.database.run_script("ALTER TABLE rate_limits RENAME TO elsewhere"));
  for (int i = 0; i < 9; ++i) CHECK_EQ(w.read(a.id, w.alice), kFile);
  CHECK_OK(w.plan(w.alice));
  CHECK_OK(w.rows.spend(w.alice, Budget::kMisses));
  CHECK_OK(PgRows(w.database).plan_upload(StoreKind::kLocal, {}, std::chrono::seconds(600), {w.alice}));
  CHECK_OK(PgRows(w.database).spend(w.alice, Budget::kMisses));
  CHECK_OK(w.database.run_script("ALTER TABLE elsewhere RENAME TO rate_limits"));
}

static void full_budgets_are_forgotten() {
  World w;
  CHECK_OK(w.rows.spend(w.alice, Budget::kMisses));
  CHECK_OK(w.database.run_script("INSERT INTO rate_limits (key, downloads) VALUES ('u:old', now() - interval '1 s')"));
  PgRateLimits rates(w.database);
  CHECK_EQ(CHECK_OK(rates.forget()), 1u);
  CHECK_EQ(CHECK_OK(rates.forget()), 0u);
  CHECK_EQ(value(w.database, "SELECT count(*) FROM rate_limits"), "2");
}

static void budgets_are_unlogged_and_without_further_indexes() {
  World w;
  // a transaction that wrote to unlogged tables alone has nothing to flush
  CHECK_EQ(value(w.database, "SELECT relpersistence FROM pg_class WHERE oid = 'rate_limits'::regclass"), "u");
  CHECK_EQ(value(w.database,
                 "SELECT count(*) FROM pg_indexes WHERE tablename = 'rate_limits' AND schemaname = "
                 "current_schema()"),
           "1");
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_budget_lasts_for_its_burst_and_the_refusal_says_how_long),
      CASE(a_budget_fills_again_with_time),
      CASE(without_misses_left_a_file_and_none_are_refused_alike),
      CASE(an_upload_over_its_budget_has_no_ticket),
      CASE(an_unlimited_budget_beside_a_limited_one_is_never_empty),
      CASE(many_at_once_get_exactly_the_budget),
      CASE(what_is_taken_in_advance_is_paid_and_writes_no_row_again),
      CASE(few_misses_left_are_asked_for_each_time),
      CASE(a_refused_miss_ends_what_was_taken_in_advance),
      CASE(a_meter_that_is_gone_stops_nobody),
      CASE(full_budgets_are_forgotten),
      CASE(budgets_are_unlogged_and_without_further_indexes),
  };
  return db::run("rate_limits", tests);
}
