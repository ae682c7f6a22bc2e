// kept_test.cc — files that wait for their move, on a real PostgreSQL: the commit with its job, the switch, whose jobs.
#include "database.h"
#include "db/jobs.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World : Emptied {
  Attachment keep(const std::string& key) {
    Attachment a = upload();
    a.key = key;
    const ObjectKey parsed = CHECK_OK(ObjectKey::parse(key));
    const auto tickets = CHECK_OK(rows.plan_deletions(StoreKind::kLocal, std::span(&parsed, 1), seconds(60)));
    CHECK_OK(rows.commit_kept(std::span(&a, 1), tickets));
    return a;
  }
  ObjectSwitch switch_of(const Attachment& a, const std::string& to) {
    const ObjectKey key = CHECK_OK(ObjectKey::parse(to));
    const auto tickets = CHECK_OK(rows.plan_deletions(StoreKind::kS3, std::span(&key, 1), seconds(60)));
    return {.id = a.id,
            .from = StoreKind::kLocal,
            .from_key = a.key,
            .to = StoreKind::kS3,
            .to_key = to,
            .ticket = tickets.front(),
            .linger = seconds(10)};
  }
  std::string place_of(const Attachment& a) {
    return value(database, "SELECT store || ':' || key FROM attachments WHERE id = '" + to_string(a.id) + "'");
  }
};

void a_kept_row_comes_with_the_job_that_moves_it() {
  World w;
  const Attachment a = w.keep(".kept/n1/aa/1");
  CHECK_EQ(w.count("deletion_tickets"), "0");
  CHECK_EQ(w.place_of(a), "local:.kept/n1/aa/1");
  CHECK_EQ(w.count("jobs WHERE kind = 'move_object' AND payload = jsonb_build_object('id', '" + to_string(a.id) +
                   "', 'store', 'local', 'key', '.kept/n1/aa/1') AND run_at <= now()"),
           "1");
}

void a_kept_row_without_its_ticket_is_neither_row_nor_job() {
  World w;
  const Attachment a = upload();
  const std::vector<DeletionTicket> gone{{4711}};
  CHECK_ERR(w.rows.commit_kept(std::span(&a, 1), gone), Errc::kConflict);
  CHECK_EQ(w.count("attachments"), "0");
  CHECK_EQ(w.count("jobs"), "0");
}

void a_switch_changes_the_row_takes_the_ticket_and_queues_the_old_object_for_later() {
  World w;
  const Attachment a = w.keep(".kept/n1/aa/1");
  CHECK_OK(w.rows.switch_object(w.switch_of(a, "aa/copy")));
  CHECK_EQ(w.place_of(a), "s3:aa/copy");
  CHECK_EQ(w.count("deletion_tickets"), "0");
  CHECK_EQ(w.count("jobs WHERE kind = 'delete_object' AND payload = '{\"store\": \"local\", \"key\": "
                   "\".kept/n1/aa/1\"}' AND run_at BETWEEN now() + interval '8 s' AND now() + interval '10 s'"),
           "1");
}

void a_switch_of_a_row_that_changed_changes_nothing() {
  World w;
  const Attachment a = w.keep(".kept/n1/aa/1");
  const ObjectSwitch first = w.switch_of(a, "aa/first");
  const ObjectSwitch second = w.switch_of(a, "aa/second");
  CHECK_OK(w.rows.switch_object(first));
  CHECK_ERR(w.rows.switch_object(second), Errc::kConflict);
  CHECK_EQ(w.place_of(a), "s3:aa/first");
  CHECK_EQ(w.count("deletion_tickets WHERE key = 'aa/second'"), "1");  // its copy goes
  CHECK_EQ(w.count("jobs WHERE kind = 'delete_object'"), "1");

  const Attachment b = w.keep(".kept/n1/aa/2");
  const ObjectSwitch late = w.switch_of(b, "aa/late");
  CHECK(CHECK_OK(w.rows.remove_unlinked(b.id)));
  CHECK_ERR(w.rows.switch_object(late), Errc::kConflict);
  CHECK_EQ(w.count("deletion_tickets WHERE key = 'aa/late'"), "1");
}

void a_switch_without_its_ticket_changes_nothing() {
  World w;
  const Attachment a = w.keep(".kept/n1/aa/1");
  ObjectSwitch change = w.switch_of(a, "aa/copy");
  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets"));  // it was due: the copy is gone
  CHECK_ERR(w.rows.switch_object(change), Errc::kConflict);
  CHECK_EQ(w.place_of(a), "local:.kept/n1/aa/1");
}

void a_deletion_that_waited_for_the_switch_queues_the_new_object() {
  World w;
  const Attachment a = w.keep(".kept/n1/aa/1");
  const ObjectSwitch change = w.switch_of(a, "aa/copy");
  CHECK_OK(w.rows.switch_object(change));
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK_EQ(w.count("jobs WHERE kind = 'delete_object' AND payload->>'key' = 'aa/copy' AND payload->>'store' = 's3'"),
           "1");
}

void jobs_for_a_file_on_a_nodes_disk_are_that_nodes() {
  World w;
  const Attachment mine = w.keep(".kept/n1/aa/1");
  w.keep(".kept/n10/aa/2");
  const Attachment gone = w.keep(".kept/n2/aa/3");
  CHECK(CHECK_OK(w.rows.remove_unlinked(gone.id)));
  w.keep("aa/shared");
  CHECK_OK(w.database.run_script("INSERT INTO jobs (kind, payload) VALUES ('test', '5'), ('test', '{}')"));
  Database other{options()};
  PgJobQueue first(other, "r1", ".kept/n1/");
  std::string kinds;
  for (const Job& job : CHECK_OK(first.claim(10, kAnyPriority))) {
    kinds += job.kind + " ";
    CHECK(job.payload.find(".kept/n10") == std::string::npos && job.payload.find(".kept/n2") == std::string::npos);
  }
  CHECK_EQ(kinds, "test test move_object move_object ");  // moves come last
  PgJobQueue second(other, "r2", ".kept/n2/");
  CHECK_EQ(CHECK_OK(second.claim(10, kAnyPriority)).size(), 2u);  // the move and the deletion
  PgJobQueue any(other, "r3");
  CHECK_EQ(CHECK_OK(any.claim(10, kAnyPriority)).size(), 1u);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_kept_row_comes_with_the_job_that_moves_it),
      CASE(a_kept_row_without_its_ticket_is_neither_row_nor_job),
      CASE(a_switch_changes_the_row_takes_the_ticket_and_queues_the_old_object_for_later),
      CASE(a_switch_of_a_row_that_changed_changes_nothing),
      CASE(a_switch_without_its_ticket_changes_nothing),
      CASE(a_deletion_that_waited_for_the_switch_queues_the_new_object),
      CASE(jobs_for_a_file_on_a_nodes_disk_are_that_nodes),
  };
  return db::run("kept", tests);
}
