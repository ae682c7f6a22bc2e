// link_test.cc — Rows::link(): who may tie which upload to which message, all or nothing, also when two try at once.
#include <atomic>
#include <thread>

#include "database.h"

namespace {

using namespace db;

const char* const kUnlinkable =
    "one of the attachments cannot be linked: it does not exist, is not yours or is linked already; nothing was "
    "changed";

struct World : Emptied {
  Attachment uploaded(const std::optional<std::string>& uploader = "u1",
                      const std::optional<std::string>& dialog = {}) {
    auto a = upload(uploader);
    a.dialog_id = dialog;
    return put(rows, a);
  }
  std::string linked() { return value(database, "SELECT count(*) FROM attachments WHERE status = 'linked'"); }
};

LinkRequest request(std::vector<Uuid> ids, std::string message = "m1", std::optional<std::string> dialog = {}) {
  return {.attachment_ids = std::move(ids),
          .message_id = std::move(message),
          .dialog_id = std::move(dialog),
          .uploader_id = "u1",
          .by_service = false};
}

// Refused with a sentence, and the table is what it was.
std::string refusal(World& w, const LinkRequest& r) {
  const std::string rows = "SELECT string_agg(a::text, ';' ORDER BY id) FROM attachments a";
  const auto before = value(w.database, rows);
  auto outcome = w.rows.link(r);
  CHECK(!outcome);
  CHECK_EQ(outcome.error().code, Errc::kConflict);
  CHECK_EQ(value(w.database, rows), before);
  return outcome.error().say;
}

void rows_come_back_linked_in_the_order_asked_each_once() {
  World w;
  const auto a = w.uploaded(), b = w.uploaded(), c = w.uploaded();
  const auto out = CHECK_OK(w.rows.link(request({c.id, a.id, c.id, b.id}, "m1", "d1")));
  CHECK_EQ(out.size(), 3u);
  CHECK(out[0].id == c.id && out[1].id == a.id && out[2].id == b.id);
  for (const auto& one : out) {
    CHECK(one.status == AttachmentStatus::kLinked && one.message_id == "m1" && one.dialog_id == "d1");
  }
  CHECK_EQ(value(w.database, "SELECT count(*) FROM attachments WHERE linked_at <= now()"), "3");
}

void unknown_foreign_and_linked_ids_are_refused_with_the_same_sentence() {
  World w;
  const auto mine = w.uploaded(), foreign = w.uploaded("u2"), of_service = w.uploaded(std::nullopt),
             linked = w.uploaded();
  CHECK_OK(w.rows.link(request({linked.id}, "m0")));
  for (const auto& bad : {new_id(), foreign.id, of_service.id, linked.id}) {
    CHECK_EQ(refusal(w, request({mine.id, bad})), kUnlinkable);
  }
  CHECK_EQ(w.linked(), "1");
}

void the_service_links_its_own_uploads_and_those_of_the_user_it_names() {
  World w;
  const auto own = w.uploaded(std::nullopt), users = w.uploaded();
  auto for_itself = request({own.id, users.id}, "m1");
  for_itself.by_service = true;
  for_itself.uploader_id.reset();
  CHECK_EQ(refusal(w, for_itself), kUnlinkable);
  for_itself.attachment_ids = {own.id};
  CHECK_OK(w.rows.link(for_itself));
  auto for_user = request({users.id}, "m1");
  for_user.by_service = true;
  CHECK_OK(w.rows.link(for_user));  // also to a message that holds another's files: the service knows its messages
}

void an_upload_made_for_a_dialog_goes_nowhere_else() {
  World w;
  const auto a = w.uploaded("u1", "d1");
  CHECK_EQ(refusal(w, request({a.id}, "m1", "d2")), kUnlinkable);
  const auto out = CHECK_OK(w.rows.link(request({a.id}, "m1")));
  CHECK(out[0].dialog_id == "d1");
}

void attachments_of_two_dialogs_do_not_make_one_message() {
  World w;
  const auto a = w.uploaded("u1", "d1"), b = w.uploaded("u1", "d2"), c = w.uploaded();
  CHECK(refusal(w, request({a.id, b.id})).find("different dialogs") != std::string::npos);
  CHECK(refusal(w, request({a.id, c.id})).find("different dialogs") != std::string::npos);
  CHECK_OK(w.rows.link(request({a.id, c.id}, "m1", "d1")));
}

void only_a_member_links_into_a_dialog_with_members() {
  World w;
  const auto a = w.uploaded(), b = w.uploaded("u1", "d1");
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u2"}));
  CHECK(refusal(w, request({a.id}, "m1", "d1")).find("members") != std::string::npos);
  CHECK(refusal(w, request({b.id}, "m1")).find("members") != std::string::npos);  // its own dialog counts too
  auto by_service = request({b.id}, "m2");
  by_service.by_service = true;
  CHECK_OK(w.rows.link(by_service));
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u2", "u1"}));
  CHECK_OK(w.rows.link(request({a.id}, "m1", "d1")));
}

void a_dialog_whose_members_all_left_stays_closed() {
  World w;
  const auto a = w.uploaded();
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{"u2"}));
  CHECK_OK(w.rows.replace_members("d1", std::vector<std::string>{}));
  CHECK(refusal(w, request({a.id}, "m1", "d1")).find("members") != std::string::npos);
}

void nobody_adds_to_the_message_of_another() {
  World w;
  const auto theirs = w.uploaded("u2"), mine = w.uploaded(), more = w.uploaded();
  auto by_other = request({theirs.id}, "m2", "d1");
  by_other.uploader_id = "u2";
  CHECK_OK(w.rows.link(by_other));
  CHECK(refusal(w, request({mine.id}, "m2", "d1")).find("this message") != std::string::npos);
  CHECK_OK(w.rows.link(request({mine.id}, "m1", "d1")));
  CHECK_OK(w.rows.link(request({more.id}, "m1", "d1")));
}

void a_guessed_message_id_in_another_dialog_keeps_nobody_out() {
  World w;
  const auto theirs = w.uploaded("u2"), mine = w.uploaded();
  auto by_other = request({theirs.id}, "m1", "d2");
  by_other.uploader_id = "u2";
  CHECK_OK(w.rows.link(by_other));
  CHECK_OK(w.rows.link(request({mine.id}, "m1", "d1")));
}

void repeating_a_link_gives_the_same_answer_and_changes_nothing() {
  World w;
  const auto a = w.uploaded(), b = w.uploaded();
  CHECK_OK(w.rows.link(request({b.id, a.id}, "m1", "d1")));
  const std::string when = "SELECT min(linked_at) || ' ' || max(linked_at) FROM attachments";
  const auto before = value(w.database, when);
  for (const auto& again : {request({b.id, a.id}, "m1", "d1"), request({b.id, a.id}, "m1")}) {
    const auto out = CHECK_OK(w.rows.link(again));
    CHECK(out.size() == 2 && out[0].id == b.id && out[1].id == a.id && out[0].message_id == "m1");
  }
  CHECK_EQ(value(w.database, when), before);
  CHECK_EQ(refusal(w, request({b.id, a.id}, "m2", "d1")), kUnlinkable);
  CHECK_EQ(refusal(w, request({b.id, a.id}, "m1", "d2")), kUnlinkable);
  auto by_other = request({b.id, a.id}, "m1", "d1");
  by_other.uploader_id = "u2";
  CHECK_EQ(refusal(w, by_other), kUnlinkable);
  const auto fresh = w.uploaded();
  CHECK_EQ(refusal(w, request({a.id, fresh.id}, "m1", "d1")), kUnlinkable);  // half a repetition is none
}

// Runs `body(i, rows)` on two connections that start together; how many succeeded.
template <class Body>
int race(Body body) {
  std::atomic<int> waiting{2}, won{0};
  const auto one = [&](int i) {
    Database database(options());
    PgRows rows(database);
    const bool ready = bool(rows.ready());
    --waiting;
    while (waiting > 0) std::this_thread::yield();
    if (ready && body(i, rows)) ++won;
  };
  std::thread first(one, 0), second(one, 1);
  first.join();
  second.join();
  return won;
}

// Many ids, in opposite orders: whoever locks rows in the order asked waits for the other, who waits for him.
void of_two_messages_that_want_the_same_uploads_exactly_one_gets_them() {
  World w;
  for (int round = 0; round < 30; ++round) {
    std::vector<Attachment> uploads;
    std::vector<Uuid> ids;
    for (int i = 0; i < 60; ++i) {
      uploads.push_back(upload());
      ids.push_back(uploads.back().id);
    }
    CHECK_OK(w.rows.commit_upload(uploads, {}));
    const std::vector<Uuid> reversed(ids.rbegin(), ids.rend());
    const int won = race([&](int i, PgRows& rows) {
      auto outcome = rows.link(i == 0 ? request(ids, "m-a" + std::to_string(round))
                                      : request(reversed, "m-b" + std::to_string(round)));
      return outcome || outcome.error().code != Errc::kConflict;  // a deadlock would count as a second winner
    });
    CHECK_EQ(won, 1);
    CHECK_EQ(value(w.database, "SELECT count(DISTINCT message_id) FROM attachments WHERE id = '" + to_string(ids[0]) +
                                   "' OR id = '" + to_string(ids[59]) + "'"),
             "1");
  }
}

void of_two_users_that_make_one_message_exactly_one_is_its_author() {
  World w;
  for (int round = 0; round < 50; ++round) {
    const auto a = w.uploaded("u1"), b = w.uploaded("u2");
    const int won = race([&](int i, PgRows& rows) {
      auto r = request({i == 0 ? a.id : b.id}, "m" + std::to_string(round));
      r.uploader_id = i == 0 ? "u1" : "u2";
      auto outcome = rows.link(r);
      return outcome || outcome.error().code != Errc::kConflict;
    });
    CHECK_EQ(won, 1);
  }
}

void of_two_member_lists_at_once_one_wins_whole() {
  World w;
  const std::vector<std::string> lists[2] = {{"a", "b", "c"}, {"x", "y", "z"}};
  for (int round = 0; round < 50; ++round) {
    CHECK_EQ(race([&](int i, PgRows& rows) { return bool(rows.replace_members("d", lists[i])); }), 2);
    const auto members =
        value(w.database, "SELECT string_agg(user_id, '' ORDER BY user_id) FROM dialog_members WHERE dialog_id = 'd'");
    CHECK(members == "abc" || members == "xyz");
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(rows_come_back_linked_in_the_order_asked_each_once),
      CASE(unknown_foreign_and_linked_ids_are_refused_with_the_same_sentence),
      CASE(the_service_links_its_own_uploads_and_those_of_the_user_it_names),
      CASE(an_upload_made_for_a_dialog_goes_nowhere_else),
      CASE(attachments_of_two_dialogs_do_not_make_one_message),
      CASE(only_a_member_links_into_a_dialog_with_members),
      CASE(a_dialog_whose_members_all_left_stays_closed),
      CASE(nobody_adds_to_the_message_of_another),
      CASE(a_guessed_message_id_in_another_dialog_keeps_nobody_out),
      CASE(repeating_a_link_gives_the_same_answer_and_changes_nothing),
      CASE(of_two_messages_that_want_the_same_uploads_exactly_one_gets_them),
      CASE(of_two_users_that_make_one_message_exactly_one_is_its_author),
      CASE(of_two_member_lists_at_once_one_wins_whole),
  };
  return db::run("link", tests);
}
