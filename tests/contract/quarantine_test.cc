// quarantine_test.cc — rows that were found infected: nobody links them, they keep their message, and they go with it.
#include "database.h"

namespace {

using namespace db;

struct World {
  Database database{options()};
  PgRows rows{database};
  World() { clear(database); }

  std::string count(const std::string& from) { return value(database, "SELECT count(*) FROM " + from); }
};

LinkRequest request(const Uuid& id) {
  return {.attachment_ids = {id}, .message_id = "m1", .dialog_id = "d1", .uploader_id = "u1", .by_service = false};
}

void an_upload_in_quarantine_is_found_as_such_and_not_linked() {
  World w;
  const auto a = put(w.rows, upload("u1"));
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK(CHECK_OK(w.rows.find(a.id, "u1"))->attachment.status == AttachmentStatus::kQuarantined);
  CHECK_ERR(w.rows.link(request(a.id)), Errc::kConflict);
  CHECK_EQ(CHECK_OK(w.rows.find_unlinked("u1", 10)).size(), 0u);
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));  // again is a success
  CHECK(!CHECK_OK(w.rows.quarantine(new_id())));
}

void a_linked_file_in_quarantine_keeps_its_message_and_goes_with_it() {
  World w;
  const auto a = put(w.rows, upload("u1"));
  CHECK_OK(w.rows.link(request(a.id)));
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  const auto found = CHECK_OK(w.rows.find_by_messages(std::vector<std::string>{"m1"}, "u1"));
  CHECK_EQ(found.size(), 1u);
  CHECK(found[0].attachment.status == AttachmentStatus::kQuarantined && found[0].attachment.dialog_id == "d1");
  CHECK_ERR(w.rows.link(request(a.id)), Errc::kConflict);  // a repeated link is no way out
  CHECK_EQ(CHECK_OK(w.rows.remove_message("m1")), 1u);
  CHECK_EQ(w.count("jobs WHERE kind = 'delete_object' AND payload->>'key' = '" + a.key + "'"), "1");
}

void what_is_in_quarantine_can_be_removed_and_what_is_linked_cannot() {
  World w;
  const auto a = put(w.rows, upload("u1"));
  CHECK_OK(w.rows.link(request(a.id)));
  CHECK(!CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK_EQ(w.count("attachments"), "0");
}

void the_table_still_refuses_what_it_refused() {
  World w;
  const auto a = put(w.rows, upload("u1"));
  for (const char* change : {"status = 'linked'", "status = 'infected'", "message_id = 'm1'", "status = NULL"}) {
    CHECK(!w.database.run_script("UPDATE attachments SET " + std::string(change)));
  }
  CHECK(CHECK_OK(w.rows.find(a.id, "u1"))->attachment.status == AttachmentStatus::kUploaded);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_upload_in_quarantine_is_found_as_such_and_not_linked),
      CASE(a_linked_file_in_quarantine_keeps_its_message_and_goes_with_it),
      CASE(what_is_in_quarantine_can_be_removed_and_what_is_linked_cannot),
      CASE(the_table_still_refuses_what_it_refused),
  };
  return db::run("quarantine", tests);
}
