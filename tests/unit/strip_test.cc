// strip_test.cc — pictures are stripped before they are scanned, hashed and stored, by every way in; what cannot be is
// kept or refused.
#include "domain/strip.h"

#include <sys/mman.h>

#include <algorithm>
#include <string>

#include "check.h"
#include "domain/direct_upload.h"
#include "fake/clock.h"
#include "fake/direct.h"
#include "fake/pictures.h"
#include "fake/rows.h"
#include "fake/scanner.h"
#include "fake/sniffer.h"
#include "fake/store.h"
#include "fake/temp_folder.h"

using namespace cloakroom;
using namespace std::string_literals;

namespace {

const Caller kAlice{Caller::Kind::kUser, "alice"};
const std::string kPicture = fake::jpeg(fake::jpeg_segment(0xE1, fake::kJpegExif + fake::secret_exif(true)));
const std::string kStripped = fake::strip(kPicture).bytes;
const std::string kBroken = fake::png("????????SERIAL-SECRET????");

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeDirectRows tickets{rows, &journal};
  fake::FakeStore store{StoreKind::kS3, &journal};
  fake::FakeDirectStore direct{&journal};
  fake::FakeScanner scanner{&journal};
  fake::FakeSniffer sniffer;
  fake::FixedClock clock;
  VirusScan scan{scanner, {.max_bytes = 1000000, .fail_open = false}};
  PictureStripper stripper;
  MetadataStrip strip;
  UniqueFd body{::memfd_create("body", MFD_CLOEXEC)};
  std::uint64_t body_bytes = 0;
  UploadRequest request{.caller = kAlice, .dialog_id = {}, .files = {}};
  UploadRules rules{.keys = {"pre/", KeyNaming::kFolder},
                    .max_file_bytes = 100000,
                    .allowed_types = {},
                    .object_cache_control = {},
                    .orphan_grace = std::chrono::seconds(600)};
  std::size_t spooled = 0;

  explicit World(bool is_all = false) : stripper(is_all ? StripMode::kAll : StripMode::kGps), strip(stripper, is_all) {
    rules.strip = &strip;
  }
  World& file(std::string_view bytes) {
    CHECK_OK(write_all(body.get(), std::as_bytes(std::span(bytes))));
    request.files.push_back({"x.jpg", {body.get(), body_bytes, bytes.size(), {}}});
    body_bytes += bytes.size();
    return *this;
  }
  Result<std::vector<Attachment>> take() { return Uploads(rows, store, sniffer, clock, rules).take(request); }

  DirectUploads service() {
    UploadRules with_spool = rules;
    with_spool.nameless = [this] {
      ++spooled;
      return open_nameless("/tmp");
    };
    return DirectUploads({rows, tickets, store, direct, sniffer, clock}, with_spool, {});
  }
  Result<Completed> send(std::string_view bytes, std::optional<Sha256Digest> sha256 = {}) {
    const DirectRequest wish{.caller = kAlice,
                             .dialog_id = {},
                             .filename = "x.jpg",
                             .content_type = "application/octet-stream",
                             .size_bytes = bytes.size(),
                             .sha256 = sha256};
    const DirectTicket ticket = CHECK_OK(service().open(wish));
    const UniqueFd file(::memfd_create("sent", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    const ObjectKey key = CHECK_OK(ObjectKey::parse(tickets.uploads.front().key));
    CHECK_OK(store.memory.put(key, {file.get(), 0, bytes.size(), {}}, {}));
    journal.clear();
    return service().complete(kAlice, ticket.id, {});
  }
  std::string stored(const std::string& key) const {
    const auto& bytes = store.memory.objects().at(key).bytes;
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  bool called(const std::string& call) const {
    return std::find(journal.begin(), journal.end(), call) != journal.end();
  }
};

}  // namespace

static void what_is_stored_and_hashed_is_the_stripped_picture() {
  World w;
  const auto made = CHECK_OK(w.file("text before").file(kPicture).file("SERIAL-SECRET in a text").take());
  CHECK(kStripped != kPicture && !fake::has_secret(kStripped));
  CHECK_EQ(w.stored(made[1].key), kStripped);
  CHECK(made[1].sha256 == sha256(kStripped));
  CHECK_EQ(made[1].size_bytes, kPicture.size());
  CHECK_EQ(w.stored(made[0].key), "text before");
  CHECK_EQ(w.stored(made[2].key), "SERIAL-SECRET in a text");
}

static void without_the_rule_pictures_are_kept_as_they_come() {
  World w;
  w.rules.strip = nullptr;
  CHECK_EQ(w.stored(CHECK_OK(w.file(kPicture).take())[0].key), kPicture);
  World direct;
  direct.rules.strip = nullptr;
  CHECK_EQ(direct.stored(CHECK_OK(direct.send(kPicture)).attachment.key), kPicture);
  CHECK(direct.spooled == 0 && direct.called("copy"));
}

static void the_scanner_sees_what_is_kept() {
  World w;
  w.rules.scan = &w.scan;
  CHECK_OK(w.file(kPicture).take());
  CHECK_EQ(w.scanner.seen.at(0), kStripped);
  World direct;
  direct.rules.scan = &direct.scan;
  CHECK_OK(direct.send(kPicture));
  CHECK_EQ(direct.scanner.seen.at(0), kStripped);
}

static void a_picture_that_cannot_be_read_to_its_end_is_kept_or_refused() {
  World gps;
  CHECK_EQ(CHECK_OK(gps.file(kBroken).take()).size(), 1u);
  World all(true);
  const auto refused = all.file("fine").file(kBroken).take();
  CHECK_ERR(refused, Errc::kUndecodable);
  CHECK_EQ(refused.error().say, "The picture 'x.jpg' is broken or unusual: its metadata cannot be removed.");
  CHECK(all.store.memory.objects().empty() && all.rows.deletions.empty() && all.rows.attachments.empty());
}

static void a_file_that_cannot_be_written_is_not_kept() {
  World w;
  const fake::TempFolder folder;
  const UniqueFd fd = CHECK_OK(open_file(folder.write("x", kPicture), O_RDONLY));
  w.request.files.push_back({"x.jpg", {fd.get(), 0, kPicture.size(), {}}});
  CHECK_ERR(w.take(), Errc::kInternal);
  CHECK(w.store.memory.objects().empty());
}

static void a_direct_upload_of_a_picture_is_put_stripped_and_not_copied() {
  World w;
  const auto done = CHECK_OK(w.send(kPicture, sha256(kPicture)));  // announced is what was sent
  CHECK_EQ(w.stored(done.attachment.key), kStripped);
  CHECK(done.attachment.sha256 == sha256(kStripped));
  CHECK_EQ(w.rows.attachments.size(), 1u);
  CHECK_EQ(w.spooled, 1u);
  CHECK(!w.called("copy"));
  const fake::Journal wanted{"find_upload", "head", "get", "plan_deletions", "get", "put", "commit"};
  CHECK(w.journal == wanted);
}

static void a_direct_upload_of_another_kind_is_copied_by_the_store() {
  World w;
  CHECK_EQ(w.stored(CHECK_OK(w.send("SERIAL-SECRET in a text")).attachment.key), "SERIAL-SECRET in a text");
  CHECK(w.spooled == 0 && w.called("copy"));
}

static void what_speaks_against_a_direct_upload_voids_its_ticket() {
  World other;
  CHECK_ERR(other.send(kPicture, sha256("something else")), Errc::kInvalid);
  World changed;
  changed.sniffer.next_types = {"image/jpeg", "image/png"};
  CHECK_ERR(changed.send(kPicture), Errc::kInvalid);
  World broken(true);
  CHECK_ERR(broken.send(kBroken), Errc::kUndecodable);
  World infected;
  infected.rules.scan = &infected.scan;
  infected.scanner.next.emplace_back(ScanVerdict{ScanOutcome::kInfected, "Eicar"});
  CHECK_ERR(infected.send(kPicture), Errc::kInfected);
  for (World* w : {&other, &changed, &broken, &infected}) {
    CHECK(w->tickets.uploads.empty() && w->rows.attachments.empty() && !w->called("put"));
    CHECK_EQ(w->tickets.deleted_now.size(), 1u);
  }
}

static void a_fault_on_the_way_leaves_the_ticket() {
  for (const std::size_t nth : {2U, 3U, 4U, 5U}) {  // the second look, the whole, the put; then the commit
    World w;
    if (nth < 5) w.store.failures.fail(nth, {Errc::kStore, "away"});
    if (nth == 5) w.tickets.failures.fail(3, {Errc::kDatabase, "away"});
    CHECK(!w.send(kPicture));
    CHECK(w.tickets.uploads.size() == 1 && w.rows.attachments.empty());
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(what_is_stored_and_hashed_is_the_stripped_picture),
      CASE(without_the_rule_pictures_are_kept_as_they_come),
      CASE(the_scanner_sees_what_is_kept),
      CASE(a_picture_that_cannot_be_read_to_its_end_is_kept_or_refused),
      CASE(a_file_that_cannot_be_written_is_not_kept),
      CASE(a_direct_upload_of_a_picture_is_put_stripped_and_not_copied),
      CASE(a_direct_upload_of_another_kind_is_copied_by_the_store),
      CASE(what_speaks_against_a_direct_upload_voids_its_ticket),
      CASE(a_fault_on_the_way_leaves_the_ticket),
  };
  return RUN_TESTS("strip", tests);
}
