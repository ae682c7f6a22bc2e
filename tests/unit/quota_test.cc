// quota_test.cc — what uploads ask room for, that every failure gives it back, and what a user is told of it.
#include "domain/quota.h"

#include <sys/mman.h>

#include "base/log.h"
#include "check.h"
#include "domain/direct_upload.h"
#include "fake/direct.h"
#include "fake/service.h"

using namespace cloakroom;

namespace {

const QuotaRules kRules{.user = {.bytes = 100, .files = 0}, .dialog = {.bytes = 0, .files = 5}};
const Error kFull{Errc::kQuota, "full", "The quota of the user is full."};

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeStore store{StoreKind::kS3, &journal}, near{StoreKind::kLocal, &journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  UniqueFd body{::memfd_create("body", MFD_CLOEXEC)};
  UploadRequest request{.caller = {Caller::Kind::kUser, "alice"}, .dialog_id = "d1", .files = {}};
  UploadRules rules{.keys = {"pre/", KeyNaming::kFanout},
                    .max_file_bytes = 10,
                    .allowed_types = {},
                    .object_cache_control = {},
                    .orphan_grace = std::chrono::seconds(3600),
                    .quotas = kRules};
  Fallback fallback;

  World() {
    set_log_level(Level::kError);
    CHECK_OK(write_all(body.get(), std::as_bytes(std::span(std::string_view("onetwo!")))));
    request.files = {{"a", {body.get(), 0, 3, {}}}, {"b", {body.get(), 3, 4, {}}}};
  }
  Result<std::vector<Attachment>> take() { return Uploads(rows, store, sniffer, clock, rules, fallback).take(request); }
};

struct DirectWorld {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeDirectRows tickets{rows, &journal};
  fake::FakeStore store{StoreKind::kS3, &journal};
  fake::FakeDirectStore direct{&journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  UploadRules uploads{.keys = {"pre/", KeyNaming::kFolder},
                      .max_file_bytes = 40,
                      .allowed_types = {},
                      .object_cache_control = {},
                      .orphan_grace = std::chrono::seconds(600),
                      .quotas = kRules};
  DirectRequest wish{.caller = {Caller::Kind::kUser, "alice"},
                     .dialog_id = "d1",
                     .filename = "a.txt",
                     .content_type = "text/plain",
                     .size_bytes = 30,
                     .sha256 = {}};
  DirectUploads uploads_by_rules() {
    const DirectRules rules{.expires = std::chrono::seconds(100), .part_bytes = 20, .max_parts = 10};
    return {{rows, tickets, store, direct, sniffer, clock}, uploads, rules};
  }
  Result<DirectTicket> open() { return uploads_by_rules().open(wish); }
  void send(std::string_view bytes) {
    fake::TempFolder folder;
    const UniqueFd fd = CHECK_OK(open_file(folder.write("bytes", bytes), O_RDONLY));
    const ObjectKey key = CHECK_OK(ObjectKey::parse(tickets.uploads.back().key));
    CHECK_OK(store.memory.put(key, {fd.get(), 0, bytes.size(), {}}, {}));
  }
  Result<Completed> complete(const Uuid& id) { return uploads_by_rules().complete(wish.caller, id, {}); }
};

}  // namespace

static void room_is_asked_for_all_files_before_a_byte_is_stored() {
  World w;
  CHECK_OK(w.take());
  const fake::Journal wanted{"find_room", "plan_deletions", "put", "put", "commit_upload"};
  CHECK(w.journal == wanted);
  const RoomRequest& room = w.rows.room_requests.at(0);
  CHECK(room.sizes == (std::vector<std::uint64_t>{3, 4}) && room.uploader_id == "alice" && room.dialog_id == "d1");
  CHECK(!room.by_service && room.rules.user.bytes == 100 && room.rules.dialog.files == 5);
  CHECK(w.rows.room.empty());  // the rows have it
  w.request.caller = {Caller::Kind::kService, std::nullopt};
  CHECK_OK(w.take());
  CHECK(w.rows.room_requests.at(1).by_service && !w.rows.room_requests.at(1).uploader_id);
}

static void without_quotas_nobody_is_asked() {
  World w;
  w.rules.quotas = {};
  w.store.failures.fail(1, {Errc::kStore, "no"});
  CHECK_ERR(w.take(), Errc::kStore);
  const fake::Journal wanted{"plan_deletions", "put"};
  CHECK(w.journal == wanted);
}

static void without_room_nothing_is_stored() {
  World w;
  w.rows.failures.fail(1, kFull);
  const auto refused = w.take();
  CHECK_ERR(refused, Errc::kQuota);
  CHECK_EQ(refused.error().say, kFull.say);
  CHECK(w.store.memory.objects().empty() && w.rows.deletions.empty());
}

static void whatever_fails_gives_the_room_back_at_once() {
  for (const Errc code : {Errc::kStore, Errc::kStoreAway, Errc::kDiskFull, Errc::kInternal}) {
    World w;
    w.store.failures.fail(2, {code, "no"});
    CHECK_ERR(w.take(), code);
    CHECK_EQ(w.rows.deletions.size(), 2u);
    CHECK(w.rows.room.empty());
  }
  World w;
  w.rows.failures.fail(3, {Errc::kDatabase, "away", {}, true});  // the commit
  CHECK_ERR(w.take(), Errc::kDatabase);
  CHECK(w.rows.room.empty());
}

static void what_is_kept_aside_asks_anew_and_holds_once() {
  World w;
  w.fallback = {&w.near, {kept_prefix("n1"), KeyNaming::kFanout}};
  w.store.failures.fail(1, {Errc::kStore, "away", {}, true});
  CHECK_OK(w.take());
  CHECK_EQ(w.rows.room_requests.size(), 2u);
  CHECK(w.rows.room.empty());
  const fake::Journal wanted{"find_room", "plan_deletions", "put", "give_up_room", "find_room", "plan_deletions", "put",
                             "put",       "commit_upload"};
  CHECK(w.journal == wanted);
}

static void a_direct_upload_asks_for_its_announced_size() {
  DirectWorld w;
  CHECK_OK(w.open());
  const RoomRequest& room = w.tickets.rooms.at(0);
  CHECK(room.sizes == std::vector<std::uint64_t>{30} && room.uploader_id == "alice" && room.dialog_id == "d1");
  CHECK(!room.by_service);
  DirectWorld full;
  full.tickets.failures.fail(1, kFull);
  CHECK_ERR(full.open(), Errc::kQuota);
  CHECK(full.tickets.uploads.empty() && full.direct.unfinished.empty());
  DirectWorld free;
  free.uploads.quotas = {};
  CHECK_OK(free.open());
  CHECK(free.tickets.rooms.empty());
}

static void a_ticket_that_nobody_gets_holds_no_room() {
  DirectWorld no_parts;
  no_parts.direct.failures.fail(1, {Errc::kStore, "no"});
  CHECK_ERR(no_parts.open(), Errc::kStore);
  CHECK(no_parts.tickets.uploads.empty());
  DirectWorld no_row;
  no_row.tickets.failures.fail(3, {Errc::kDatabase, "away"});  // set_upload_id
  CHECK_ERR(no_row.open(), Errc::kDatabase);
  CHECK(no_row.tickets.uploads.empty() && no_row.direct.unfinished.empty());
  DirectWorld no_signature;
  no_signature.wish.size_bytes = 10;  // in one piece
  no_signature.direct.failures.fail(1, {Errc::kStore, "no credentials"});
  CHECK_ERR(no_signature.open(), Errc::kStore);
  CHECK(no_signature.journal == (fake::Journal{"find_room", "add", "sign_upload", "refuse"}));
  CHECK(no_signature.tickets.rooms.size() == 1 && no_signature.tickets.uploads.empty());
}

static void a_direct_upload_keeps_its_place_while_it_is_completed() {
  DirectWorld w;
  w.wish.size_bytes = 20;  // in one part
  const Uuid id = CHECK_OK(w.open()).id;
  CHECK_ERR(w.complete(id), Errc::kConflict);  // nothing was uploaded yet
  CHECK(w.tickets.held.empty());
  w.send("as long as announced");
  w.tickets.failures.fail(2, refuse(Errc::kConflict, "expired"));  // after find_upload
  CHECK_ERR(w.complete(id), Errc::kConflict);
  CHECK(w.tickets.uploads.size() == 1 && w.rows.deletions.empty());  // nothing was copied
  CHECK_OK(w.complete(id));
  CHECK(w.tickets.held[to_hex(id)] == w.uploads.orphan_grace);
  DirectWorld free;
  free.uploads.quotas = {};
  free.wish = w.wish;
  const Uuid other = CHECK_OK(free.open()).id;
  free.send("as long as announced");
  CHECK_OK(free.complete(other));
  CHECK(free.tickets.held.empty());
}

static void a_user_is_told_what_is_limited_and_what_he_has_used() {
  fake::Service s;
  s.add("hello");
  const auto quota = [&](std::string_view user) { return fake::member(s.ask(user, "GET /api/limits"), "quota"); };
  CHECK_EQ(quota("alice"), "(absent)");
  s.app.options.quotas.dialog = {1, 1};
  CHECK_EQ(quota("alice"), "(absent)");
  s.app.options.quotas.user = {100, 0};
  CHECK_EQ(quota("alice"), R"({"bytes":100,"bytes_used":5})");
  s.app.options.quotas.user = {0, 3};
  CHECK_EQ(quota("alice"), R"({"files":3,"files_used":1})");
  s.app.options.quotas.user = {100, 3};
  CHECK_EQ(quota("bob"), R"({"bytes":100,"bytes_used":0,"files":3,"files_used":0})");
  CHECK_EQ(quota("service"), "(absent)");
  const auto answer = s.ask("alice", "GET /api/limits");
  CHECK_EQ(fake::member(answer, "max_upload_size"), "100");
  CHECK_EQ(fake::member(answer, "max_request_size"), "1000");
  CHECK_EQ(fake::member(answer, "allowed_types"), "[]");
  CHECK_EQ(fake::member(answer, "direct_uploads"), "false");
  CHECK_EQ(s.ask("", "GET /api/limits").status, 401);
  s.rows.failures.fail(1, {Errc::kDatabase, "away"});
  CHECK_EQ(s.ask("alice", "GET /api/limits").status, 503);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(room_is_asked_for_all_files_before_a_byte_is_stored),
      CASE(without_quotas_nobody_is_asked),
      CASE(without_room_nothing_is_stored),
      CASE(whatever_fails_gives_the_room_back_at_once),
      CASE(what_is_kept_aside_asks_anew_and_holds_once),
      CASE(a_direct_upload_asks_for_its_announced_size),
      CASE(a_ticket_that_nobody_gets_holds_no_room),
      CASE(a_direct_upload_keeps_its_place_while_it_is_completed),
      CASE(a_user_is_told_what_is_limited_and_what_he_has_used),
  };
  return RUN_TESTS("quota", tests);
}
