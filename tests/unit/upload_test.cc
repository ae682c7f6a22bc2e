// upload_test.cc — the story of an upload: its order, and what is left behind when a step of it fails.
#include "domain/upload.h"

#include <sys/mman.h>

#include <string>
#include <thread>
#include <vector>

#include "base/limits.h"
#include "check.h"
#include "fake/clock.h"
#include "fake/imager.h"
#include "fake/rows.h"
#include "fake/sniffer.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

// Files as parts of one body, as multipart gives them.
struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeStore store{StoreKind::kS3, &journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  UniqueFd body{::memfd_create("body", MFD_CLOEXEC)};
  std::uint64_t body_bytes = 0;
  UploadRequest request{.caller = {Caller::Kind::kUser, "alice"}, .dialog_id = "d1", .files = {}};
  UploadRules rules{.keys = {"pre/", KeyNaming::kFolder},
                    .max_file_bytes = 10,
                    .allowed_types = {},
                    .object_cache_control = "public, max-age=60",
                    .orphan_grace = std::chrono::seconds(3600)};

  World& file(std::string name, std::string_view bytes) {
    CHECK_OK(write_all(body.get(), std::as_bytes(std::span(bytes))));
    request.files.push_back({std::move(name), {body.get(), body_bytes, bytes.size(), {}}});
    body_bytes += bytes.size();
    return *this;
  }
  Result<std::vector<Attachment>> take() { return Uploads(rows, store, sniffer, clock, rules).take(request); }

  void check_nothing_kept() {
    CHECK(rows.attachments.empty());
    for (const auto& [id, deletion] : rows.deletions) CHECK_EQ(deletion.grace.count(), 0);  // now, not after the grace
    for (const auto& [key, object] : store.memory.objects()) {
      bool planned = false;
      for (const auto& [id, deletion] : rows.deletions) planned = planned || deletion.key == key;
      CHECK(planned);
    }
  }
};

std::size_t count(const fake::Journal& journal, const std::string& call) {
  return static_cast<std::size_t>(std::count(journal.begin(), journal.end(), call));
}

}  // namespace

static void tickets_come_before_bytes_and_bytes_before_rows() {
  World w;
  CHECK_OK(w.file("a.txt", "one").file("b.txt", "two").take());
  const fake::Journal wanted{"plan_deletions", "put", "put", "commit_upload"};
  CHECK(w.journal == wanted);
  CHECK(w.rows.deletions.empty());
}

static void what_is_stored_is_what_was_sent_and_what_the_row_says() {
  World w;
  w.sniffer.next_types = {"image/png", "application/octet-stream"};
  const auto made = CHECK_OK(w.file("../x 1.PNG", "pixels").file("empty", "").take());
  CHECK_EQ(made.size(), 2u);
  const Attachment& a = made[0];
  CHECK_EQ(a.filename, ".._x 1.PNG");
  CHECK_EQ(a.mime_type, "image/png");
  CHECK_EQ(a.size_bytes, 6u);
  CHECK(a.sha256 == sha256("pixels") && made[1].sha256 == sha256(""));
  CHECK(a.uploader_id == "alice" && a.dialog_id == "d1" && !a.message_id);
  CHECK(a.status == AttachmentStatus::kUploaded && a.store == StoreKind::kS3 && a.created_at == w.clock.now());
  CHECK_EQ(a.key, "pre/" + to_string(a.id) + "/.._x_1.PNG");
  CHECK(!(a.id == made[1].id));
  const auto& object = w.store.memory.objects().at(a.key);
  CHECK_EQ(std::string_view(reinterpret_cast<const char*>(object.bytes.data()), object.bytes.size()), "pixels");
  CHECK_EQ(object.meta.content_type, "image/png");
  CHECK_EQ(object.meta.cache_control, "public, max-age=60");
  CHECK_EQ(object.meta.attachment_id, to_string(a.id));
  CHECK_EQ(w.rows.attachments.size(), 2u);
  CHECK_EQ(w.rows.attachments[1].key, made[1].key);
}

static void the_sniffer_sees_the_head_of_each_file_alone() {
  World w;
  w.rules.max_file_bytes = 100000;
  const std::string large(limits::kSniffBytes + 100, 'x');
  CHECK_OK(w.file("a", "first").file("b", large).file("c", "").take());
  CHECK_EQ(w.sniffer.heads[0], "first");
  CHECK_EQ(w.sniffer.heads[1], large.substr(0, limits::kSniffBytes));
  CHECK_EQ(w.sniffer.heads[2], "");
}

static void the_service_uploads_for_itself_or_for_a_user() {
  World own;
  own.request.caller = {Caller::Kind::kService, std::nullopt};
  CHECK(!CHECK_OK(own.file("a", "x").take())[0].uploader_id);
  World behalf;
  behalf.request.caller = {Caller::Kind::kService, "bob"};
  CHECK(CHECK_OK(behalf.file("a", "x").take())[0].uploader_id == "bob");
}

static void a_file_at_the_limit_passes_and_one_byte_more_does_not() {
  World at_limit;
  CHECK_OK(at_limit.file("a", "0123456789").take());
  World w;
  const auto outcome = w.file("fits", "x").file("big\n.bin", "0123456789+").take();
  CHECK(!outcome);
  CHECK_EQ(outcome.error().code, Errc::kTooLarge);
  CHECK_EQ(outcome.error().say, "The file 'big.bin' has 11 bytes; the limit is 10.");
  CHECK(w.journal.empty());  // the first file was not touched either
}

static void a_type_that_is_not_allowed_stops_all_before_anything_is_stored() {
  World w;
  w.rules.allowed_types = {"image/*"};
  w.sniffer.next_types = {"image/png", "text/html"};
  const auto outcome = w.file("a.png", "x").file("evil.png", "<script>").take();
  CHECK(!outcome);
  CHECK_EQ(outcome.error().code, Errc::kUnsupportedType);
  CHECK_EQ(outcome.error().say, "The file 'evil.png' is of type text/html, which is not accepted here.");
  CHECK(w.journal.empty());
}

static void a_sniffer_that_fails_stops_all_before_anything_is_stored() {
  World w;
  w.sniffer.broken = true;
  CHECK_ERR(w.file("a", "x").take(), Errc::kInternal);
  CHECK(w.journal.empty());
}

static void without_tickets_no_byte_is_stored() {
  World w;
  w.rows.failures.fail(1, {Errc::kDatabase, "away"});
  CHECK_ERR(w.file("a", "x").take(), Errc::kDatabase);
  CHECK_EQ(w.journal.size(), 1u);
  w.check_nothing_kept();
}

static void a_store_that_fails_on_the_second_file_keeps_none() {
  World w;
  w.store.failures.fail(2, {Errc::kDiskFull, "full"});
  CHECK_ERR(w.file("a", "1").file("b", "2").file("c", "3").take(), Errc::kDiskFull);
  const fake::Journal wanted{"plan_deletions", "put", "put", "hasten_deletions"};
  CHECK(w.journal == wanted);
  CHECK_EQ(w.rows.deletions.size(), 3u);
  w.check_nothing_kept();
}

static void a_store_that_did_not_answer_may_still_finish_so_its_tickets_stay() {
  World w;
  w.store.failures.fail(1, {Errc::kStore, "timed out"});
  CHECK_ERR(w.file("a", "1").take(), Errc::kStore);
  const fake::Journal wanted{"plan_deletions", "put"};
  CHECK(w.journal == wanted);
  CHECK_EQ(w.rows.deletions.size(), 1u);
}

static void a_commit_that_fails_is_an_error_and_keeps_none() {
  World w;
  w.rows.failures.fail(2, {Errc::kDatabase, "away"});
  CHECK_ERR(w.file("a", "1").take(), Errc::kDatabase);
  const fake::Journal wanted{"plan_deletions", "put", "commit_upload", "hasten_deletions"};
  CHECK(w.journal == wanted);
  w.check_nothing_kept();
}

static void the_error_is_the_first_one_also_when_cleaning_up_fails() {
  World w;
  w.store.failures.fail(1, {Errc::kDiskFull, "full"});
  w.rows.failures.fail(2, {Errc::kDatabase, "away"});
  CHECK_ERR(w.file("a", "1").take(), Errc::kDiskFull);
  CHECK_EQ(w.rows.deletions.size(), 1u);  // it falls due after the grace
}

// A job that ran while its object was still on the way deleted nothing, and is gone.
static void an_upload_that_outlived_its_ticket_gets_a_new_deletion() {
  World w;
  w.rows.failures.fail(2, {Errc::kConflict, "a ticket is gone"});
  CHECK_ERR(w.file("a", "1").take(), Errc::kConflict);
  CHECK_EQ(count(w.journal, "plan_deletions"), 2u);
  CHECK_EQ(w.rows.deletions.size(), 2u);
  w.check_nothing_kept();
}

static void a_body_shorter_than_its_range_keeps_nothing() {
  World w;
  w.file("a", "123");
  w.request.files[0].bytes.size = 9;
  CHECK_ERR(w.take(), Errc::kInternal);
  w.check_nothing_kept();
}

static void a_pattern_matches_a_whole_type_or_a_family() {
  const std::vector<std::string> patterns{"image/*", "application/pdf"};
  CHECK(type_allowed("image/png", patterns) && type_allowed("application/pdf", patterns));
  for (const char* type : {"imagery/png", "image", "application/pdfx", "application/pd", "text/image/png", ""})
    CHECK(!type_allowed(type, patterns));
  CHECK(type_allowed("any/thing", {}));
}

static void the_store_is_told_what_to_say_to_those_who_fetch_from_it() {
  World w;
  w.rules.stored_headers = [](const Attachment& a) {
    return StoredHeaders{"text/x", "inline; filename=" + a.filename};
  };
  CHECK_OK(w.file("a.txt", "1").take());
  const ObjectMeta& meta = w.store.memory.objects().begin()->second.meta;
  CHECK_EQ(meta.content_type, "text/x");
  CHECK_EQ(meta.content_disposition, "inline; filename=a.txt");
  CHECK_EQ(meta.cache_control, "public, max-age=60");
}

static void a_name_that_lies_about_the_bytes_gets_their_extension_before_the_key_is_made() {
  World w;
  w.sniffer.next_types = {"image/gif", "text/html"};
  const auto made = CHECK_OK(w.file("x.js", "1").file("x.png", "2").take());
  CHECK_EQ(made[0].filename, "x.js.gif");
  CHECK(made[0].key.ends_with("/x.js.gif"));
  CHECK_EQ(made[1].filename, "x.png.txt");
}

// A world whose Imager is asked.
struct Pictured : World {
  fake::FakeImager imager{&journal};
  Pictured() {
    rules.imager = &imager;
    sniffer.next_types = {"image/png"};
  }
};

static void a_look_at_a_picture_comes_before_the_tickets_and_fills_the_row() {
  Pictured w;
  w.imager.facts = {
      .width = 64, .height = 48, .frames = 3, .duration_ms = 90, .has_alpha = true, .placeholder = "data:x"};
  const Attachment a = CHECK_OK(w.file("a.png", "pixels").take()).front();
  CHECK_EQ(w.journal.front(), "probe");
  CHECK_EQ(w.imager.probed.front().bytes, "pixels");
  CHECK_EQ(w.imager.probed.front().mime_type, "image/png");
  CHECK(a.width == 64U && a.height == 48U && a.frames == 3U && a.duration_ms == 90U);
  CHECK(a.picture == Picture::kAlpha && a.placeholder == "data:x" && a.wants_variants);
  CHECK(w.rows.attachments.front().placeholder == "data:x");
}

static void files_of_other_kinds_and_empty_ones_are_not_looked_at() {
  Pictured w;
  w.sniffer.next_types = {"text/plain", "image/png", "application/pdf"};
  const auto made = CHECK_OK(w.file("a", "one").file("b", "").file("c", "pdf").take());
  CHECK_EQ(w.imager.probed.size(), 1u);
  CHECK(!made[0].wants_variants && !made[1].wants_variants && made[2].wants_variants);
  CHECK(made[0].picture == Picture::kUnknown && !made[0].width);
}

static void nobody_asks_for_a_picture_of_an_archive() {
  Pictured w;
  w.sniffer.next_types = {"application/zip"};
  const Attachment a = CHECK_OK(w.file("a.zip", "archive").take()).front();
  CHECK(w.imager.probed.empty() && !a.wants_variants && a.picture == Picture::kUnknown);
}

static void a_sound_has_a_length_and_no_sides() {
  Pictured w;
  w.sniffer.next_types = {"audio/mpeg", "audio/x-mpegurl"};
  w.imager.facts = {.duration_ms = 4000, .has_alpha = true};
  const auto made = CHECK_OK(w.file("a.mp3", "sound").file("a.m3u", "#EXTM3U").take());
  const Attachment& a = made.front();
  CHECK(a.duration_ms == 4000U && a.picture == Picture::kAlpha && a.wants_variants);
  CHECK(!a.width && !a.height && !a.frames && !a.placeholder);
  CHECK_EQ(w.imager.probed.size(), 1u);
}

static void a_process_that_ended_over_a_picture_is_no_verdict() {
  Pictured w;
  w.sniffer.next_types = {"image/png"};
  w.imager.failures.fail(1, Error{Errc::kUndecodable, "imager: its process ended over this file", {}, true});
  const Attachment a = CHECK_OK(w.file("a.png", "x").take()).front();
  CHECK(a.picture == Picture::kUnknown && a.wants_variants);
}

static void after_its_time_the_rest_of_an_upload_is_looked_at_by_the_job() {
  Pictured w;
  w.rules.look_at_pictures = std::chrono::milliseconds(20);
  w.imager.before_probe = [] { std::this_thread::sleep_for(std::chrono::milliseconds(30)); };
  w.sniffer.next_types = {"image/png", "image/png", "text/plain"};
  const auto made = CHECK_OK(w.file("a.png", "1").file("b.png", "2").file("c.txt", "3").take());
  CHECK_EQ(w.imager.probed.size(), 1u);
  CHECK(made[0].width == 40U && made[0].wants_variants);
  CHECK(!made[1].width && made[1].picture == Picture::kUnknown && made[1].wants_variants);
  CHECK(!made[2].wants_variants);
  CHECK(UploadRules{}.look_at_pictures == std::chrono::seconds(2));
}

// What begins with "P" is a picture; nothing has to go.
struct FakeStripper final : MetadataStripper {
  explicit FakeStripper(fake::Journal& to) : journal(to) {}
  fake::Journal& journal;
  bool takes(std::span<const std::byte> head) const override { return !head.empty() && head[0] == std::byte{'P'}; }
  Result<StripPlan> plan(const FileRange&) override {
    journal.emplace_back("strip");
    return StripPlan{};
  }
};

static void a_picture_is_paid_for_before_it_is_searched_for_metadata() {
  World w;
  FakeStripper stripper(w.journal);
  MetadataStrip strip(stripper, false);
  w.rules.strip = &strip;
  w.request.claim.spenders = {{"u:alice", {}}};
  CHECK_OK(w.file("a", "Picture").take());
  CHECK(w.journal == (fake::Journal{"spend", "strip", "plan_deletions", "put", "commit_upload"}));
  CHECK_EQ(w.rows.spent.size(), 1u);
  w.journal.clear();
  w.rows.failures.fail(1, Error{Errc::kTooMany, "spent"});
  CHECK_ERR(w.take(), Errc::kTooMany);
  CHECK(w.journal == fake::Journal{"spend"});
}

static void what_needs_no_search_is_paid_for_with_its_tickets() {
  World w;
  FakeStripper stripper(w.journal);
  MetadataStrip strip(stripper, false);
  w.rules.strip = &strip;
  CHECK_OK(w.file("a", "text").take());
  CHECK_EQ(w.journal.front(), "plan_deletions");
}

static void no_answer_of_an_imager_fails_an_upload() {
  struct Case {
    Errc code;
    Picture picture;
    bool wants_variants;
  };
  for (const Case& c :
       {Case{Errc::kImagerAway, Picture::kUnknown, true}, Case{Errc::kUndecodable, Picture::kNone, false},
        Case{Errc::kUnsupportedType, Picture::kUnknown, false}}) {
    Pictured w;
    w.imager.failures.fail(1, Error{c.code, "no"});
    const Attachment a = CHECK_OK(w.file("a.png", "pixels").take()).front();
    CHECK(!a.width && a.picture == c.picture && a.wants_variants == c.wants_variants);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_look_at_a_picture_comes_before_the_tickets_and_fills_the_row),
      CASE(files_of_other_kinds_and_empty_ones_are_not_looked_at),
      CASE(nobody_asks_for_a_picture_of_an_archive),
      CASE(a_sound_has_a_length_and_no_sides),
      CASE(a_process_that_ended_over_a_picture_is_no_verdict),
      CASE(no_answer_of_an_imager_fails_an_upload),
      CASE(after_its_time_the_rest_of_an_upload_is_looked_at_by_the_job),
      CASE(a_picture_is_paid_for_before_it_is_searched_for_metadata),
      CASE(what_needs_no_search_is_paid_for_with_its_tickets),
      CASE(tickets_come_before_bytes_and_bytes_before_rows),
      CASE(what_is_stored_is_what_was_sent_and_what_the_row_says),
      CASE(the_sniffer_sees_the_head_of_each_file_alone),
      CASE(the_service_uploads_for_itself_or_for_a_user),
      CASE(a_file_at_the_limit_passes_and_one_byte_more_does_not),
      CASE(a_type_that_is_not_allowed_stops_all_before_anything_is_stored),
      CASE(a_sniffer_that_fails_stops_all_before_anything_is_stored),
      CASE(without_tickets_no_byte_is_stored),
      CASE(a_store_that_fails_on_the_second_file_keeps_none),
      CASE(a_store_that_did_not_answer_may_still_finish_so_its_tickets_stay),
      CASE(a_commit_that_fails_is_an_error_and_keeps_none),
      CASE(the_error_is_the_first_one_also_when_cleaning_up_fails),
      CASE(an_upload_that_outlived_its_ticket_gets_a_new_deletion),
      CASE(a_body_shorter_than_its_range_keeps_nothing),
      CASE(a_pattern_matches_a_whole_type_or_a_family),
      CASE(a_name_that_lies_about_the_bytes_gets_their_extension_before_the_key_is_made),
      CASE(the_store_is_told_what_to_say_to_those_who_fetch_from_it),
  };
  return RUN_TESTS("upload", tests);
}
