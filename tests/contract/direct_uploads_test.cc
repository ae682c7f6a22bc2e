// direct_uploads_test.cc — the rows of direct uploads on a real PostgreSQL: what is one statement is all or nothing.
#include "db/direct_uploads.h"

#include <atomic>
#include <thread>

#include "database.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World {
  Database database{options()};
  PgRows rows{database};
  PgDirectUploads uploads{database};
  World() {
    clear(database);
    CHECK_OK(database.run_script("TRUNCATE direct_uploads"));
  }
  std::string count(const std::string& from) { return value(database, "SELECT count(*) FROM " + from); }

  DirectUpload add(std::chrono::seconds life = seconds(100), StoreKind store = StoreKind::kS3) {
    DirectUpload u;
    u.store = store;
    u.id = new_id();
    u.uploader_id = "u1";
    u.filename = "Ünï \\ %.jpg";
    u.declared_type = "image/png";
    u.size_bytes = 5'000'000'000;
    u.key = "quarantine/" + to_hex(u.id);
    u.expires_at = system_now() + life;
    CHECK_OK(uploads.add(u, seconds(50)));
    return u;
  }
  DeletionTicket plan(const Attachment& a) {
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
    return CHECK_OK(rows.plan_deletions(a.store, keys, seconds(600))).front();
  }
};

std::string job_of(const std::string& kind, const DirectUpload& u) {
  return "jobs WHERE kind = '" + kind + "' AND payload->>'key' = '" + u.key + "'";
}
std::string ticket_of(const DirectUpload& u) {
  return "deletion_tickets WHERE store = 's3' AND key = '" + u.key + "'";
}

void every_field_comes_back_as_it_was_written() {
  World w;
  DirectUpload u = w.add();
  CHECK_OK(w.uploads.set_upload_id(u.id, "2~a+/b="));
  const DirectUpload back = *CHECK_OK(w.uploads.find(u.id));
  CHECK(back.id == u.id && back.uploader_id == "u1" && !back.dialog_id && !back.sha256 && !back.attachment_id);
  CHECK(back.filename == u.filename && back.declared_type == u.declared_type && back.key == u.key);
  CHECK(back.size_bytes == u.size_bytes && back.part_bytes == 0 && back.expires_at == u.expires_at);
  CHECK(back.upload_id == "2~a+/b=");

  DirectUpload full;
  full.id = new_id();
  full.dialog_id = "d1";
  full.sha256 = sha256("x");
  full.key = "k";
  full.part_bytes = 64 << 20;
  full.expires_at = system_now();
  CHECK_OK(w.uploads.add(full, seconds(1)));
  const DirectUpload again = *CHECK_OK(w.uploads.find(full.id));
  CHECK(!again.uploader_id && again.dialog_id == "d1" && again.sha256 == sha256("x") && !again.upload_id);
  CHECK_EQ(again.part_bytes, std::uint64_t{64} << 20);
  CHECK(!CHECK_OK(w.uploads.find(new_id())));
  CHECK_ERR(w.uploads.set_upload_id(new_id(), "x"), Errc::kConflict);
}

void a_new_row_has_a_ticket_that_outlives_its_signature() {
  World w;
  const DirectUpload u = w.add();
  CHECK_EQ(w.count(ticket_of(u) + " AND due_at BETWEEN now() + interval '140 s' AND now() + interval '150 s'"), "1");
}

void commit_makes_the_attachment_and_ends_the_upload() {
  World w;
  const DirectUpload u = w.add();
  Attachment a = upload();
  a.store = StoreKind::kS3;
  a.dialog_id = "d1";
  a.sha256 = sha256("bytes");
  const DeletionTicket ticket = w.plan(a);
  CHECK_OK(w.uploads.commit(u, a, ticket));
  const auto found = CHECK_OK(w.rows.find(a.id, std::nullopt));
  CHECK(found && found->attachment.uploader_id == a.uploader_id && found->attachment.dialog_id == "d1");
  CHECK(found->attachment.sha256 == a.sha256 && found->attachment.key == a.key &&
        found->attachment.size_bytes == a.size_bytes && found->attachment.store == StoreKind::kS3 &&
        found->attachment.filename == a.filename && found->attachment.mime_type == a.mime_type &&
        found->attachment.created_at == a.created_at);
  CHECK(CHECK_OK(w.uploads.find(u.id))->attachment_id == a.id);
  CHECK_EQ(w.count(job_of("delete_object", u)), "1");
  CHECK_EQ(w.count("deletion_tickets WHERE id = " + std::to_string(ticket.id)), "0");
  CHECK_EQ(w.count(ticket_of(u)), "1");  // its sender can still write to it
}

// The object, its deletion and the end of its parts are all of the store that the ticket is for.
void a_ticket_of_the_second_store_names_it_in_all_that_follows() {
  World w;
  const auto add = [&](int life_seconds) { return w.add(seconds(life_seconds), StoreKind::kS3Secondary); };
  const auto of_second = [](const std::string& from) { return from + " AND payload->>'store' = 's3-secondary'"; };
  const DirectUpload committed = add(100), refused = add(100), left = add(-1000);
  CHECK(CHECK_OK(w.uploads.find(committed.id))->store == StoreKind::kS3Secondary);
  CHECK_EQ(w.count("deletion_tickets WHERE store = 's3-secondary'"), "3");
  const Attachment a = upload();
  CHECK_OK(w.uploads.commit(committed, a, w.plan(a)));
  CHECK_EQ(w.count(of_second(job_of("delete_object", committed))), "1");
  CHECK_OK(w.uploads.refuse(refused));
  CHECK_EQ(w.count(of_second(job_of("delete_object", refused))), "1");
  CHECK_OK(w.uploads.set_upload_id(left.id, "2~x"));
  CHECK_EQ(CHECK_OK(w.uploads.clean_up(seconds(60))), 1u);
  CHECK_EQ(w.count(of_second(job_of("abort_multipart", left))), "1");
}

void a_second_commit_changes_nothing() {
  World w;
  const DirectUpload u = w.add();
  const Attachment first = upload();
  const Attachment second = upload();
  CHECK_OK(w.uploads.commit(u, first, w.plan(first)));
  const DeletionTicket ticket = w.plan(second);
  CHECK_ERR(w.uploads.commit(u, second, ticket), Errc::kConflict);
  CHECK_EQ(w.count("attachments"), "1");
  CHECK_EQ(w.count("deletion_tickets WHERE id = " + std::to_string(ticket.id)), "1");
  CHECK_EQ(w.count(job_of("delete_object", u)), "1");
  CHECK_OK(w.uploads.refuse(u));  // too late
  CHECK(CHECK_OK(w.uploads.find(u.id))->attachment_id == first.id);
  CHECK_EQ(w.count(job_of("delete_object", u)), "1");
}

void a_commit_whose_ticket_is_gone_changes_nothing() {
  World w;
  const DirectUpload u = w.add();
  const Attachment a = upload();
  const DeletionTicket ticket = w.plan(a);
  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets WHERE id = " + std::to_string(ticket.id)));
  CHECK_ERR(w.uploads.commit(u, a, ticket), Errc::kConflict);
  CHECK_EQ(w.count("attachments"), "0");
  CHECK(!CHECK_OK(w.uploads.find(u.id))->attachment_id);
  CHECK_EQ(w.count(job_of("delete_object", u)), "0");
}

void of_many_commits_at_once_one_succeeds() {
  World w;
  for (int round = 0; round < 5; ++round) {
    const DirectUpload u = w.add();
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        Database database{options()};
        PgRows rows{database};
        const Attachment a = upload();
        const auto key = ObjectKey::parse(a.key);
        const auto tickets = rows.plan_deletions(a.store, std::span(&*key, 1), seconds(600));
        if (tickets && PgDirectUploads(database).commit(u, a, tickets->front())) ++done;
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK_EQ(done.load(), 1);
  }
  CHECK_EQ(w.count("attachments"), "5");
}

void a_refused_upload_is_gone_and_its_object_has_a_job() {
  World w;
  const DirectUpload u = w.add();
  CHECK_OK(w.uploads.refuse(u));
  CHECK_OK(w.uploads.refuse(u));
  CHECK(!CHECK_OK(w.uploads.find(u.id)));
  CHECK_EQ(w.count(job_of("delete_object", u)), "1");
  CHECK_EQ(w.count(ticket_of(u)), "1");
  const Attachment a = upload();
  CHECK_ERR(w.uploads.commit(u, a, w.plan(a)), Errc::kConflict);
}

void the_clean_up_takes_what_expired_and_aborts_what_is_unfinished() {
  World w;
  const DirectUpload fresh = w.add();
  const DirectUpload in_grace = w.add(seconds(-10));
  const DirectUpload old = w.add(seconds(-1000));
  const DirectUpload in_parts = w.add(seconds(-1000));
  CHECK_OK(w.uploads.set_upload_id(in_parts.id, "2~x"));
  const DirectUpload finished = w.add(seconds(-1000));
  CHECK_OK(w.uploads.set_upload_id(finished.id, "2~y"));
  const Attachment a = upload();
  CHECK_OK(w.uploads.commit(finished, a, w.plan(a)));
  CHECK_EQ(CHECK_OK(w.uploads.clean_up(seconds(60))), 3u);
  CHECK(CHECK_OK(w.uploads.find(fresh.id)) && CHECK_OK(w.uploads.find(in_grace.id)));
  CHECK(!CHECK_OK(w.uploads.find(old.id)) && !CHECK_OK(w.uploads.find(finished.id)));
  CHECK_EQ(w.count(job_of("abort_multipart", in_parts) + " AND payload->>'upload_id' = '2~x'"), "1");
  CHECK_EQ(w.count("jobs WHERE kind = 'abort_multipart'"), "1");
  CHECK_EQ(w.count("attachments"), "1");
  CHECK_EQ(CHECK_OK(w.uploads.clean_up(seconds(60))), 0u);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(every_field_comes_back_as_it_was_written),
      CASE(a_new_row_has_a_ticket_that_outlives_its_signature),
      CASE(commit_makes_the_attachment_and_ends_the_upload),
      CASE(a_ticket_of_the_second_store_names_it_in_all_that_follows),
      CASE(a_second_commit_changes_nothing),
      CASE(a_commit_whose_ticket_is_gone_changes_nothing),
      CASE(of_many_commits_at_once_one_succeeds),
      CASE(a_refused_upload_is_gone_and_its_object_has_a_job),
      CASE(the_clean_up_takes_what_expired_and_aborts_what_is_unfinished),
  };
  return db::run("direct_uploads", tests);
}
