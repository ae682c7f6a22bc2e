// direct_upload_test.cc — the story of a direct upload: its order, what voids a ticket, and what every failure leaves.
#include "domain/direct_upload.h"

#include <sys/mman.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "check.h"
#include "fake/clock.h"
#include "fake/direct.h"
#include "fake/imager.h"
#include "fake/rows.h"
#include "fake/sniffer.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

const Caller kAlice{Caller::Kind::kUser, "alice"};

// A FakeStore in which the sender can act while it is copied from.
class EvilStore final : public BlobStore {
 public:
  explicit EvilStore(fake::Journal* journal) : inner(StoreKind::kS3, journal) {}
  fake::FakeStore inner;
  std::function<void()> before_copy = [] {};

  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return inner.prepare(); }
  Status ready() override { return inner.ready(); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override {
    return inner.put(key, bytes, meta);
  }
  Result<ObjectInfo> head(const ObjectKey& key) override { return inner.head(key); }
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override {
    return inner.get(key, range, sink);
  }
  Status remove(const ObjectKey& key) override { return inner.remove(key); }
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override {
    const auto act = std::exchange(before_copy, [] {});  // once
    act();
    return inner.copy(from, to, meta);
  }
};

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeDirectRows tickets{rows, &journal};
  EvilStore store{&journal};
  fake::FakeDirectStore direct{&journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  UploadRules uploads{.keys = {"pre/", KeyNaming::kFolder},
                      .max_file_bytes = 40,
                      .allowed_types = {},
                      .object_cache_control = "public",
                      .orphan_grace = std::chrono::seconds(600),
                      .stored_headers = [](const Attachment& a) -> StoredHeaders {
                        return {a.mime_type, "inline; filename=" + a.filename};
                      }};
  DirectRules rules{.expires = std::chrono::seconds(100), .part_bytes = 20, .max_parts = 10};
  DirectRequest wish{.caller = kAlice,
                     .dialog_id = "d1",
                     .filename = "../a.txt",
                     .content_type = "text/plain",
                     .size_bytes = 5,
                     .sha256 = {}};

  DirectUploads service() { return DirectUploads({rows, tickets, store, direct, sniffer, clock}, uploads, rules); }
  Result<DirectTicket> open() { return service().open(wish); }
  ObjectKey key() { return CHECK_OK(ObjectKey::parse(tickets.uploads.front().key)); }
  void write(std::string_view bytes) {
    const UniqueFd file(::memfd_create("body", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    CHECK_OK(store.inner.memory.put(key(), {file.get(), 0, bytes.size(), {}}, {"text/plain", "", "", ""}));
  }
  Uuid uploaded(std::string_view bytes = "hello") {
    const Uuid id = CHECK_OK(open()).id;
    write(bytes);
    journal.clear();
    return id;
  }
  Result<Completed> complete(const Uuid& id) { return service().complete(kAlice, id, {}); }

  // The ticket is void, the object has its job, and copies are deleted at once.
  void check_refused() {
    CHECK(tickets.uploads.empty() && rows.attachments.empty());
    CHECK_EQ(tickets.deleted_now.size(), 1u);
    check_copies_go(std::chrono::seconds(0));
  }
  void check_copies_go(std::chrono::seconds grace) {
    for (const auto& [name, object] : store.inner.memory.objects()) {
      bool planned = name.find("quarantine/") != std::string::npos;
      for (const auto& [id, deletion] : rows.deletions) {
        planned = planned || (deletion.key == name && deletion.grace <= grace);
      }
      for (const Attachment& a : rows.attachments) planned = planned || a.key == name;
      CHECK(planned);
    }
  }
};

}  // namespace

static void a_ticket_has_its_row_before_it_is_signed() {
  World w;
  const DirectTicket ticket = CHECK_OK(w.open());
  CHECK(w.journal == (fake::Journal{"add", "sign_upload"}));
  const DirectUpload& row = w.tickets.uploads.front();
  CHECK(row.id == ticket.id && row.uploader_id == "alice" && row.dialog_id == "d1" && !row.attachment_id);
  CHECK_EQ(row.filename, ".._a.txt");
  CHECK_EQ(row.key, "pre/quarantine/" + to_hex(ticket.id));
  CHECK(ticket.expires_at == w.clock.now() + std::chrono::seconds(100));
  CHECK_EQ(w.direct.last_expires.count(), 100);
  CHECK_EQ(w.tickets.due_expired.at(row.key).count(), 600);
  CHECK_EQ(ticket.part_bytes, 0u);
}

static void without_a_row_nothing_is_signed() {
  World w;
  w.tickets.failures.fail(1, {Errc::kDatabase, "away"});
  CHECK_ERR(w.open(), Errc::kDatabase);
  CHECK(w.journal == fake::Journal{"add"});
}

static void the_limit_of_uploads_counts_and_declared_types_are_checked() {
  World w;
  w.wish.size_bytes = 40;
  CHECK_OK(w.open());
  w.wish.size_bytes = 41;
  CHECK_ERR(w.open(), Errc::kTooLarge);
  w.wish.size_bytes = 1;
  w.uploads.allowed_types = {"image/*"};
  CHECK_ERR(w.open(), Errc::kUnsupportedType);
  w.wish.content_type = "application/octet-stream";
  CHECK_OK(w.open());
}

static void an_upload_is_judged_by_its_copy_and_then_committed() {
  World w;
  w.wish.sha256 = sha256("hello");
  const Uuid id = w.uploaded();
  const Completed done = CHECK_OK(w.complete(id));
  CHECK(w.journal == (fake::Journal{"find_upload", "head", "get", "plan_deletions", "copy", "head", "get", "commit"}));
  const Attachment& a = done.attachment;
  CHECK(done.is_new && a.sha256 == sha256("hello") && a.size_bytes == 5 && a.mime_type == "text/plain");
  CHECK(a.uploader_id == "alice" && a.dialog_id == "d1" && a.store == StoreKind::kS3);
  CHECK_EQ(a.key, "pre/" + to_string(a.id) + "/.._a.txt");
  const ObjectMeta& meta = w.store.inner.memory.objects().at(a.key).meta;
  CHECK(meta.content_type == "text/plain" && meta.cache_control == "public" && meta.attachment_id == to_string(a.id));
  CHECK_EQ(meta.content_disposition, "inline; filename=" + a.filename);
  CHECK_EQ(w.rows.attachments.size(), 1u);
  CHECK(w.rows.deletions.empty());
  CHECK_EQ(w.tickets.deleted_now.size(), 1u);
}

static void a_completed_upload_that_is_in_quarantine_is_not_shown_again() {
  World w;
  const Uuid id = w.uploaded();
  CHECK_OK(w.complete(id));
  w.rows.attachments.front().status = AttachmentStatus::kQuarantined;
  CHECK_ERR(w.complete(id), Errc::kNotFound);
  CHECK_OK(w.service().complete({Caller::Kind::kService, "alice"}, id, {}));
}

static void a_completion_costs_an_upload_and_a_repetition_nothing() {
  const RateSet rates{};
  const UploadClaim claim{{{"u:alice", &rates}}};
  World w;
  const Uuid id = w.uploaded();
  CHECK_OK(w.service().complete(kAlice, id, {}, claim));
  CHECK_OK(w.service().complete(kAlice, id, {}, claim));
  CHECK(w.rows.spent == std::vector<std::string>{"uploads u:alice"});
}

static void a_second_completion_gives_the_same_attachment() {
  World w;
  const Uuid id = w.uploaded();
  const Completed first = CHECK_OK(w.complete(id));
  const Completed second = CHECK_OK(w.complete(id));
  CHECK(first.attachment.id == second.attachment.id && !second.is_new);
  w.clock.advance(std::chrono::seconds(5000));
  CHECK(!CHECK_OK(w.complete(id)).is_new);
  w.rows.attachments.clear();
  CHECK_ERR(w.complete(id), Errc::kNotFound);
  CHECK(w.rows.attachments.empty());
}

static void only_the_owner_sees_a_ticket() {
  World w;
  const Uuid id = w.uploaded();
  for (const Caller& other : {Caller{Caller::Kind::kUser, "bob"}, Caller{Caller::Kind::kService, std::nullopt}}) {
    CHECK_ERR(w.service().complete(other, id, {}), Errc::kNotFound);
    CHECK_ERR(w.service().sign_parts(other, id, {}), Errc::kNotFound);
  }
  CHECK_ERR(w.complete(make_uuid7(w.clock.now())), Errc::kNotFound);
  CHECK_OK(w.service().complete({Caller::Kind::kService, "alice"}, id, {}));
}

static void an_expired_ticket_is_a_conflict() {
  World w;
  const Uuid id = w.uploaded();
  w.clock.advance(std::chrono::seconds(100));
  CHECK_ERR(w.complete(id), Errc::kConflict);
  CHECK_EQ(w.tickets.uploads.size(), 1u);
}

static void an_object_that_is_not_there_yet_leaves_the_ticket() {
  World w;
  const Uuid id = CHECK_OK(w.open()).id;
  CHECK_ERR(w.complete(id), Errc::kConflict);
  CHECK_EQ(w.tickets.uploads.size(), 1u);
  CHECK(w.tickets.deleted_now.empty());
}

static void another_size_type_or_hash_voids_the_ticket() {
  World size;
  CHECK_ERR(size.complete(size.uploaded("hello!")), Errc::kInvalid);
  size.check_refused();
  World type;
  type.wish.content_type = "image/png";
  CHECK_ERR(type.complete(type.uploaded()), Errc::kUnsupportedType);
  type.check_refused();
  World forbidden;
  forbidden.wish.content_type = "application/octet-stream";
  forbidden.uploads.allowed_types = {"image/*"};
  CHECK_ERR(forbidden.complete(forbidden.uploaded()), Errc::kUnsupportedType);
  forbidden.check_refused();
  World hash;
  hash.wish.sha256 = sha256("other");
  CHECK_ERR(hash.complete(hash.uploaded()), Errc::kInvalid);
  hash.check_refused();
}

static void bytes_that_change_between_look_and_copy_are_refused() {
  World longer;
  const Uuid a = longer.uploaded();
  longer.store.before_copy = [&] { longer.write("hello and more"); };
  CHECK_ERR(longer.complete(a), Errc::kInvalid);
  longer.check_refused();
  World other;
  const Uuid b = other.uploaded();
  other.sniffer.next_types = {"text/plain", "text/html"};
  other.store.before_copy = [&] { other.write("<html"); };
  CHECK_ERR(other.complete(b), Errc::kInvalid);
  other.check_refused();
}

static void bytes_that_change_after_the_copy_change_nothing() {
  World w;
  const Uuid id = w.uploaded();
  const Completed done = CHECK_OK(w.complete(id));
  w.write("evil!");
  CHECK(CHECK_OK(w.complete(id)).attachment.id == done.attachment.id);
  CHECK_EQ(w.store.inner.memory.objects().at(done.attachment.key).bytes.size(), 5u);
  CHECK(w.store.inner.memory.objects().at(done.attachment.key).bytes[0] == std::byte{'h'});
}

// STORAGE was changed while a browser was sending.
static void a_ticket_is_completed_in_the_store_it_is_for() {
  World old;
  const Uuid id = old.uploaded();
  CHECK(old.tickets.uploads.front().store == StoreKind::kS3);
  fake::FakeStore second(StoreKind::kS3Secondary);
  const auto now_second = [&](const std::function<DirectPlace(StoreKind)>& elsewhere) {
    return DirectUploads({old.rows, old.tickets, second, old.direct, old.sniffer, old.clock, elsewhere}, old.uploads,
                         old.rules);
  };
  CHECK_ERR(now_second({}).complete(kAlice, id, {}), Errc::kStore);
  CHECK_ERR(now_second([](StoreKind) { return DirectPlace{}; }).complete(kAlice, id, {}), Errc::kStore);
  CHECK_EQ(old.tickets.uploads.size(), 1u);
  auto both = now_second([&](StoreKind kind) {
    return kind == StoreKind::kS3 ? DirectPlace{&old.store, &old.direct} : DirectPlace{};
  });
  const Completed done = CHECK_OK(both.complete(kAlice, id, {}));
  CHECK(done.attachment.store == StoreKind::kS3);
  CHECK_EQ(old.store.inner.memory.objects().count(done.attachment.key), 1u);
  CHECK(second.memory.objects().empty());
  CHECK_OK(both.open(old.wish));
  CHECK(old.tickets.uploads.back().store == StoreKind::kS3Secondary);
}

static void a_store_that_fails_leaves_ticket_and_object_for_another_try() {
  for (std::size_t nth = 1; nth <= 5; ++nth) {  // head, get, copy, head, get
    World w;
    const Uuid id = w.uploaded();
    w.store.inner.failures.fail(nth, {Errc::kStore, "away"});
    CHECK_ERR(w.complete(id), Errc::kStore);
    CHECK(w.rows.attachments.empty() && w.tickets.deleted_now.empty());
    w.check_copies_go(std::chrono::seconds(600));
    CHECK(CHECK_OK(w.complete(id)).is_new);
  }
}

static void a_commit_that_fails_leaves_the_ticket_and_hastens_the_copys_end() {
  World w;
  const Uuid id = w.uploaded();
  w.tickets.failures.fail(2, {Errc::kDatabase, "away"});
  CHECK_ERR(w.complete(id), Errc::kDatabase);
  CHECK(w.rows.attachments.empty());
  w.check_copies_go(std::chrono::seconds(0));
  CHECK(CHECK_OK(w.complete(id)).is_new);
}

static void the_slower_of_two_gives_the_quicker_ones_attachment_and_keeps_no_copy() {
  World w;
  const Uuid id = w.uploaded();
  Completed quick;
  w.store.before_copy = [&] { quick = CHECK_OK(w.complete(id)); };
  const Completed slow = CHECK_OK(w.complete(id));
  CHECK(quick.is_new && !slow.is_new && slow.attachment.id == quick.attachment.id);
  CHECK_EQ(w.rows.attachments.size(), 1u);
  w.check_copies_go(std::chrono::seconds(0));
}

static void an_object_that_the_quicker_one_took_away_is_not_missing() {
  World w;
  const Uuid id = w.uploaded();
  Completed quick;
  w.store.before_copy = [&] {
    quick = CHECK_OK(w.complete(id));
    CHECK_OK(w.store.remove(w.key()));
  };
  CHECK(CHECK_OK(w.complete(id)).attachment.id == quick.attachment.id);
}

static void a_large_file_goes_in_parts_that_are_signed_when_asked_for() {
  World w;
  w.wish.size_bytes = 25;
  const DirectTicket ticket = CHECK_OK(w.open());
  CHECK(w.journal == (fake::Journal{"add", "begin_parts", "set_upload_id"}));
  CHECK(ticket.part_bytes == 20 && ticket.part_count == 2 && ticket.request.url.empty());
  w.clock.advance(std::chrono::seconds(40));
  const auto parts = CHECK_OK(w.service().sign_parts(kAlice, ticket.id, std::vector<unsigned>{2, 1}));
  CHECK(parts[0].url.ends_with("?n=2&size=5") && parts[1].url.ends_with("?n=1&size=20"));
  CHECK_EQ(w.direct.last_expires.count(), 60);  // not longer than the ticket
  for (const unsigned number : {0U, 3U}) {
    CHECK_ERR(w.service().sign_parts(kAlice, ticket.id, std::vector{number}), Errc::kInvalid);
  }
  w.write(std::string(25, 'x'));
  const std::vector<std::vector<UploadedPart>> wrong{{}, {{1, "a"}}, {{1, "a"}, {1, "b"}}, {{1, "a"}, {3, "b"}}};
  for (const auto& list : wrong) CHECK_ERR(w.service().complete(kAlice, ticket.id, list), Errc::kConflict);
  CHECK_EQ(w.direct.unfinished.size(), 1u);
  CHECK(CHECK_OK(w.service().complete(kAlice, ticket.id, std::vector<UploadedPart>{{2, "b"}, {1, "a"}})).is_new);
  CHECK(w.direct.unfinished.empty());
  CHECK_ERR(w.service().sign_parts(kAlice, ticket.id, std::vector{1U}), Errc::kConflict);
}

static void an_upload_whose_id_cannot_be_kept_is_aborted() {
  World w;
  w.wish.size_bytes = 25;
  w.tickets.failures.fail(2, {Errc::kDatabase, "away"});
  CHECK_ERR(w.open(), Errc::kDatabase);
  CHECK(w.direct.unfinished.empty());
}

static void parts_grow_when_there_would_be_too_many() {
  World w;
  w.uploads.max_file_bytes = 1ULL << 40;
  w.wish.size_bytes = (25ULL << 20) + 1;
  const DirectTicket ticket = CHECK_OK(w.open());
  CHECK_EQ(ticket.part_bytes, 3ULL << 20);  // whole mebibytes
  CHECK_EQ(ticket.part_count, 9u);
}

static void a_file_larger_than_one_copy_of_a_store_gets_a_ticket() {
  World w;
  w.uploads.max_file_bytes = 100ULL << 30;
  w.rules.part_bytes = 64ULL << 20;
  w.rules.max_parts = 1000;
  w.wish.size_bytes = 80ULL << 30;
  const DirectTicket ticket = CHECK_OK(w.open());
  CHECK_EQ(ticket.part_bytes, 82ULL << 20);
  CHECK_EQ(ticket.part_count, 1000u);
}

static void a_ticket_of_one_piece_has_no_parts() {
  World w;
  const Uuid id = w.uploaded();
  CHECK_ERR(w.service().sign_parts(kAlice, id, std::vector{1U}), Errc::kConflict);
}

static void a_name_that_lies_about_the_bytes_gets_their_extension() {
  World w;
  w.wish.filename = "x.js";
  w.wish.content_type = "application/octet-stream";
  const Uuid id = w.uploaded();
  w.sniffer.next_types = {"image/gif", "image/gif"};
  const Attachment a = CHECK_OK(w.complete(id)).attachment;
  CHECK_EQ(a.filename, "x.js.gif");
  CHECK(a.key.ends_with("/x.js.gif"));
  CHECK_EQ(w.store.inner.memory.objects().at(a.key).meta.content_disposition, "inline; filename=x.js.gif");
}

// A world with an Imager, in which a picture of five bytes was uploaded.
struct Pictured : World {
  fake::FakeImager imager;
  Uuid id;
  Pictured() {
    uploads.imager = &imager;
    uploads.nameless = [] { return UniqueFd(::memfd_create("nameless", MFD_CLOEXEC)); };
    wish.content_type = "image/png";
    sniffer.next_types = {"image/png", "image/png"};
    id = uploaded();
  }
};

static void a_picture_is_looked_at_with_the_bytes_that_are_read_anyway() {
  Pictured w;
  const Attachment a = CHECK_OK(w.complete(w.id)).attachment;
  CHECK_EQ(w.imager.probed.size(), 1u);
  CHECK_EQ(w.imager.probed.front().bytes, "hello");
  CHECK(a.width == 40U && a.placeholder.has_value() && a.wants_variants && a.sha256 == sha256("hello"));
  CHECK_EQ(std::count(w.journal.begin(), w.journal.end(), "get"), 2);  // the head, then all of it
}

static void without_room_for_a_file_or_an_imager_it_is_kept_all_the_same() {
  Pictured full;
  full.uploads.nameless = []() -> Result<UniqueFd> { return Error{Errc::kDiskFull, "full"}; };
  const Attachment a = CHECK_OK(full.complete(full.id)).attachment;
  CHECK(full.imager.probed.empty() && !a.width && a.wants_variants);
  Pictured away;
  away.imager.failures.fail(1, Error{Errc::kImagerAway, "down"});
  CHECK(CHECK_OK(away.complete(away.id)).attachment.wants_variants);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_picture_is_looked_at_with_the_bytes_that_are_read_anyway),
      CASE(without_room_for_a_file_or_an_imager_it_is_kept_all_the_same),
      CASE(a_ticket_has_its_row_before_it_is_signed),
      CASE(without_a_row_nothing_is_signed),
      CASE(the_limit_of_uploads_counts_and_declared_types_are_checked),
      CASE(an_upload_is_judged_by_its_copy_and_then_committed),
      CASE(a_completed_upload_that_is_in_quarantine_is_not_shown_again),
      CASE(a_completion_costs_an_upload_and_a_repetition_nothing),
      CASE(a_second_completion_gives_the_same_attachment),
      CASE(only_the_owner_sees_a_ticket),
      CASE(an_expired_ticket_is_a_conflict),
      CASE(an_object_that_is_not_there_yet_leaves_the_ticket),
      CASE(another_size_type_or_hash_voids_the_ticket),
      CASE(bytes_that_change_between_look_and_copy_are_refused),
      CASE(bytes_that_change_after_the_copy_change_nothing),
      CASE(a_ticket_is_completed_in_the_store_it_is_for),
      CASE(a_store_that_fails_leaves_ticket_and_object_for_another_try),
      CASE(a_commit_that_fails_leaves_the_ticket_and_hastens_the_copys_end),
      CASE(the_slower_of_two_gives_the_quicker_ones_attachment_and_keeps_no_copy),
      CASE(an_object_that_the_quicker_one_took_away_is_not_missing),
      CASE(a_large_file_goes_in_parts_that_are_signed_when_asked_for),
      CASE(an_upload_whose_id_cannot_be_kept_is_aborted),
      CASE(parts_grow_when_there_would_be_too_many),
      CASE(a_file_larger_than_one_copy_of_a_store_gets_a_ticket),
      CASE(a_ticket_of_one_piece_has_no_parts),
      CASE(a_name_that_lies_about_the_bytes_gets_their_extension),
  };
  return RUN_TESTS("direct_upload", tests);
}
