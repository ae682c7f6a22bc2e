// abandon_test.cc — an object whose row was refused: deleted soon where that is safe, and never without a ticket.
#include "domain/abandon.h"

#include "check.h"
#include "fake/rows.h"

using namespace cloakroom;

namespace {

struct World {
  fake::FakeRows rows;
  std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse("a/1")), CHECK_OK(ObjectKey::parse("a/2"))};
  std::vector<DeletionTicket> tickets{CHECK_OK(rows.plan_deletions(StoreKind::kS3, keys, std::chrono::seconds(3600)))};

  void abandon(Errc why) { cloakroom::abandon(rows, {StoreKind::kS3, keys, tickets}, Error{why, "it failed"}); }
  // How many tickets there are for each key, and how many of them are due.
  std::pair<std::size_t, std::size_t> tickets_of(const ObjectKey& key) {
    std::pair<std::size_t, std::size_t> found;
    for (const auto& [id, deletion] : rows.deletions) {
      if (deletion.key != key.str()) continue;
      ++found.first;
      if (deletion.grace.count() == 0) ++found.second;
    }
    return found;
  }
};

using Counts = std::pair<std::size_t, std::size_t>;

void what_failed_for_good_is_deleted_soon() {
  World w;
  w.abandon(Errc::kDatabase);
  for (const ObjectKey& key : w.keys) CHECK(w.tickets_of(key) == Counts(1, 1));
}

void a_store_that_did_not_answer_may_still_finish_so_the_ticket_keeps_its_time() {
  World w;
  w.abandon(Errc::kStore);
  for (const ObjectKey& key : w.keys) CHECK(w.tickets_of(key) == Counts(1, 0));
}

// its job ran while the object was on the way
void an_object_whose_ticket_was_taken_gets_another() {
  World w;
  w.rows.deletions.clear();
  w.abandon(Errc::kConflict);
  for (const ObjectKey& key : w.keys) CHECK(w.tickets_of(key) == Counts(1, 1));
}

void a_database_that_is_away_leaves_the_tickets() {
  World w;
  w.rows.failures.fail(1, Error{Errc::kDatabase, "away"});
  w.abandon(Errc::kDatabase);
  for (const ObjectKey& key : w.keys) CHECK(w.tickets_of(key) == Counts(1, 0));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(what_failed_for_good_is_deleted_soon),
      CASE(a_store_that_did_not_answer_may_still_finish_so_the_ticket_keeps_its_time),
      CASE(an_object_whose_ticket_was_taken_gets_another),
      CASE(a_database_that_is_away_leaves_the_tickets),
  };
  return RUN_TESTS("abandon", tests);
}
