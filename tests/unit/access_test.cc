// access_test.cc — who may read and remove what; and the words derived from a row.
#include "domain/access.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

const Caller kAlice{Caller::Kind::kUser, "alice"};
const Caller kBob{Caller::Kind::kUser, "bob"};
const Caller kService{Caller::Kind::kService, std::nullopt};
const Caller kServiceForBob{Caller::Kind::kService, "bob"};

ReadableAttachment of(const std::optional<std::string>& uploader, AttachmentStatus status, bool caller_is_member) {
  ReadableAttachment found;
  found.attachment.uploader_id = uploader;
  found.attachment.status = status;
  found.caller_is_member = caller_is_member;
  return found;
}

constexpr auto kUploaded = AttachmentStatus::kUploaded;
constexpr auto kLinked = AttachmentStatus::kLinked;
constexpr auto kQuarantined = AttachmentStatus::kQuarantined;

// Everybody there is, towards a file of alice with the id kFile.
const Uuid kFile = CHECK_OK(parse_uuid("0198c0de-beef-7abc-89ab-0123456789ab"));
const Uuid kElse = CHECK_OK(parse_uuid("0198c0de-beef-7abc-89ab-0123456789ac"));
const TimePoint kLater{std::chrono::seconds(1)};

Caller with_link(const Uuid& id, Caller caller = {}) {
  caller.link = FileLink{id, kLater};
  return caller;
}
Caller granted(const Uuid& id, Caller caller = kBob) {
  caller.granted_id = id;
  return caller;
}

ReadableAttachment alices(AttachmentStatus status, bool caller_is_member = false) {
  ReadableAttachment found = of("alice", status, caller_is_member);
  found.attachment.id = kFile;
  return found;
}

// "ok", "404", "403" or "409".
std::string outcome(const Status& status) {
  if (status) return "ok";
  switch (status.error().code) {
    case Errc::kNotFound:
      return "404";
    case Errc::kDenied:
      return "403";
    case Errc::kConflict:
      return "409";
    default:
      return "?";
  }
}

}  // namespace

static void the_uploader_and_the_service_always_read() {
  for (const auto status : {kUploaded, kLinked}) {
    CHECK(may_read(kAlice, of("alice", status, false)));
    CHECK(may_read(kService, of("alice", status, false)));
    CHECK(may_read(kServiceForBob, of("alice", status, false)));
  }
}

static void a_member_reads_what_is_linked_and_nothing_else() {
  CHECK(may_read(kBob, of("alice", kLinked, true)));
  CHECK(!may_read(kBob, of("alice", kUploaded, true)));
}

static void others_do_not_read() {
  CHECK(!may_read(kBob, of("alice", kLinked, false)));
  CHECK(!may_read(kBob, of("alice", kUploaded, false)));
  CHECK(!may_read(kBob, of(std::nullopt, kUploaded, false)));
  // a caller without a name is nobody's uploader, not the uploader of what the service uploaded
  CHECK(!may_read(Caller{Caller::Kind::kUser, std::nullopt}, of(std::nullopt, kUploaded, false)));
}

static void missing_and_foreign_are_the_same_error() {
  const Status missing = check_read(kBob, std::nullopt);
  const Status foreign = check_read(kBob, of("alice", kLinked, false));
  const Status missing_removal = check_remove(kBob, std::nullopt);
  const Status foreign_removal = check_remove(kBob, of("alice", kUploaded, true));
  for (const Status* status : {&missing, &foreign, &missing_removal, &foreign_removal}) {
    CHECK(!*status);
    CHECK_EQ(status->error().code, Errc::kNotFound);
    CHECK_EQ(status->error().say, cloaked().say);
    CHECK_EQ(status->error().detail, cloaked().detail);
  }
}

static void only_the_uploader_and_the_service_remove_and_only_while_unlinked() {
  CHECK_OK(check_remove(kAlice, of("alice", kUploaded, false)));
  CHECK_OK(check_remove(kService, of("alice", kUploaded, false)));
  CHECK_ERR(check_remove(kAlice, of("alice", kLinked, false)), Errc::kConflict);
  CHECK_ERR(check_remove(kService, of("alice", kLinked, false)), Errc::kConflict);
  CHECK_ERR(check_remove(kBob, of("alice", kLinked, true)), Errc::kDenied);
}

static void the_words_of_states_and_kinds_are_read_back() {
  for (const auto status : {kUploaded, kLinked, kQuarantined})
    CHECK(parse_attachment_status(to_string(status)) == status);
  for (const auto kind : {StoreKind::kLocal, StoreKind::kS3}) CHECK(parse_store_kind(to_string(kind)) == kind);
  CHECK(!parse_attachment_status("Linked") && !parse_attachment_status(""));
  CHECK(!parse_store_kind("S3") && !parse_store_kind(""));
}

static void the_file_type_follows_the_media_type() {
  CHECK_EQ(file_type("image/png"), "image");
  CHECK_EQ(file_type("video/mp4"), "video");
  CHECK_EQ(file_type("audio/ogg"), "audio");
  for (const char* type : {"application/pdf", "text/plain", "imagery/png", "", "image"})
    CHECK_EQ(file_type(type), "file");
}

static void the_extension_is_what_follows_the_last_dot() {
  CHECK_EQ(extension_of("x.JPG"), "jpg");
  CHECK_EQ(extension_of("a.tar.gz"), "gz");
  for (const char* name : {"", "x", ".bashrc", "x.", "x.seventeen-letters"}) CHECK_EQ(extension_of(name), "");
  CHECK_EQ(extension_of("x.sixteen-letters"), "sixteen-letters");
}

static void public_bytes_are_for_everybody_and_what_is_known_of_them_is_not() {
  const auto there = of("alice", kUploaded, false);
  CHECK_OK(check_read_file(Visibility::kPublic, Caller{}, there));
  CHECK_ERR(check_read_file(Visibility::kPublic, Caller{}, std::nullopt), Errc::kNotFound);
  CHECK_ERR(check_read_file(Visibility::kPrivate, kBob, there), Errc::kNotFound);
  CHECK_OK(check_read_file(Visibility::kPrivate, kAlice, there));
  CHECK_ERR(check_read(Caller{}, there), Errc::kNotFound);
}

// The rule as a table: bytes, metadata, making a link, removal.
static void every_caller_may_what_the_table_says() {
  struct Row {
    const char* who;
    Caller caller;
    bool member;
    const char *uploaded, *linked, *quarantined;
  };
  const Row rows[] = {
      {"nobody", {}, false, "404 404 404 404", "404 404 404 404", "404 404 404 404"},
      {"a stranger", kBob, false, "404 404 404 404", "404 404 404 404", "404 404 404 404"},
      {"the uploader", kAlice, false, "ok ok ok ok", "ok ok ok 409", "404 404 404 404"},
      {"a member", kBob, true, "404 404 404 404", "ok ok ok 403", "404 404 404 404"},
      {"the service", kService, false, "ok ok ok ok", "ok ok ok 409", "404 ok 404 ok"},
      {"a link", with_link(kFile), false, "ok 404 404 404", "ok 404 404 404", "404 404 404 404"},
      {"a link, by a stranger", with_link(kFile, kBob), false, "ok 404 404 404", "ok 404 404 404", "404 404 404 404"},
      {"a link to another file", with_link(kElse), false, "404 404 404 404", "404 404 404 404", "404 404 404 404"},
      {"let in by the application", granted(kFile), false, "ok ok ok 403", "ok ok ok 403", "404 404 404 404"},
      {"let in elsewhere", granted(kElse), false, "404 404 404 404", "404 404 404 404", "404 404 404 404"},
      {"nobody, let in", granted(kFile, Caller{}), false, "404 404 404 404", "404 404 404 404", "404 404 404 404"},
  };
  for (const Row& row : rows) {
    for (const auto& [status, wanted] : {std::pair(kUploaded, row.uploaded), std::pair(kLinked, row.linked),
                                         std::pair(kQuarantined, row.quarantined)}) {
      const std::optional<ReadableAttachment> found = alices(status, row.member);
      const std::string got = outcome(check_read_file(Visibility::kPrivate, row.caller, found)) + " " +
                              outcome(check_read(row.caller, found)) + " " +
                              outcome(check_make_link(row.caller, found)) + " " +
                              outcome(check_remove(row.caller, found));
      CHECK_EQ(std::string(row.who) + ": " + got, std::string(row.who) + ": " + wanted);
      CHECK_EQ(outcome(check_read_file(Visibility::kPublic, row.caller, found)), status == kQuarantined ? "404" : "ok");
    }
    CHECK_EQ(outcome(check_read_file(Visibility::kPrivate, row.caller, std::nullopt)), "404");
    CHECK_EQ(outcome(check_make_link(row.caller, std::nullopt)), "404");
  }
}

static void an_address_with_another_dialog_leads_nowhere() {
  Attachment a;
  CHECK_ERR(check_dialog("d1", a), Errc::kNotFound);
  a.dialog_id = "d1";
  CHECK_OK(check_dialog("d1", a));
  for (const char* other : {"d2", "", "d", "d1 ", "D1"}) CHECK_ERR(check_dialog(other, a), Errc::kNotFound);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_uploader_and_the_service_always_read),
      CASE(a_member_reads_what_is_linked_and_nothing_else),
      CASE(others_do_not_read),
      CASE(missing_and_foreign_are_the_same_error),
      CASE(only_the_uploader_and_the_service_remove_and_only_while_unlinked),
      CASE(the_words_of_states_and_kinds_are_read_back),
      CASE(the_file_type_follows_the_media_type),
      CASE(the_extension_is_what_follows_the_last_dot),
      CASE(public_bytes_are_for_everybody_and_what_is_known_of_them_is_not),
      CASE(every_caller_may_what_the_table_says),
      CASE(an_address_with_another_dialog_leads_nowhere),
  };
  return RUN_TESTS("access", tests);
}
