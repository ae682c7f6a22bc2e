// variants_test.cc — the story of a variant: made once, in its order, and what every failure leaves.
#include "domain/variants.h"

#include <string>
#include <vector>

#include "base/limits.h"
#include "check.h"
#include "domain/fallback.h"
#include "fake/variants.h"

using namespace cloakroom;

namespace {

struct World {
  fake::Journal journal;
  fake::FakeRows rows{&journal};
  fake::FakeVariantRows variant_rows{rows, &journal};
  fake::FakeStore local{StoreKind::kLocal, &journal}, s3{StoreKind::kS3, &journal};
  fake::FakeImager imager{&journal};
  fake::FixedClock clock;
  int places = 1;
  StoreKind target = StoreKind::kLocal;

  Variants variants() {
    return {{.rows = rows,
             .variants = variant_rows,
             .target = target == StoreKind::kLocal ? local : s3,
             .store_of = [this](StoreKind kind) -> BlobStore* { return kind == StoreKind::kLocal ? &local : &s3; },
             .open_local = fake::open_in(local),
             .imager = imager,
             .clock = clock,
             .place = [this]() -> MakingPlace {
               if (places == 0) return nullptr;
               --places;
               return {this, [](World* w) { ++w->places; }};
             }},
            fake::variant_rules()};
  }
  Attachment& add(std::string_view bytes = "pixels", StoreKind kind = StoreKind::kLocal) {
    Attachment a;
    a.id = make_uuid7(clock.now());
    a.filename = "beach.jpg";
    a.mime_type = "image/jpeg";
    a.size_bytes = bytes.size();
    a.store = kind;
    a.key = "k/" + to_hex(a.id);
    a.picture = Picture::kOpaque;
    put(a, bytes);
    rows.attachments.push_back(std::move(a));
    return rows.attachments.back();
  }
  void put(const Attachment& a, std::string_view bytes) {
    const UniqueFd file(::memfd_create("bytes", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(bytes))));
    BlobStore& store = a.store == StoreKind::kLocal ? local.memory : s3.memory;
    CHECK_OK(store.put(CHECK_OK(ObjectKey::parse(a.key)), {file.get(), 0, bytes.size(), {}}, {}));
  }
  Result<Variant> get(const Attachment& a, const char* name = "thumb", VariantFormat format = VariantFormat::kWebp) {
    Variants v = variants();
    return v.get(a, *v.size(name), format);
  }
  // Only the original is there, and whatever else came into a store goes at once.
  void check_nothing_kept() {
    CHECK(variant_rows.variants.empty() && variant_rows.locks.empty());
    CHECK_EQ(places, 1);
    for (const auto& [key, object] : local.memory.objects()) {
      bool planned = key.starts_with("k/");
      for (const auto& [id, deletion] : rows.deletions) {
        planned = planned || (deletion.key == key && deletion.grace.count() == 0);
      }
      CHECK(planned);
    }
  }
};

std::string bytes_at(fake::FakeStore& store, const std::string& key) {
  const auto& bytes = store.memory.objects().at(key).bytes;
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

static void a_variant_is_made_once_and_found_from_then_on() {
  World w;
  const Attachment& a = w.add();
  const Variant made = CHECK_OK(w.get(a));
  CHECK_EQ(made.mime_type, "image/webp");
  CHECK(made.width == 20 && made.height == 15 && made.created_at == w.clock.now());
  CHECK_EQ(bytes_at(w.local, made.key), "picture 250x0 of pixels");
  CHECK_EQ(made.size_bytes, 23u);
  CHECK(made.sha256 == sha256("picture 250x0 of pixels"));
  CHECK_EQ(CHECK_OK(w.get(a)).key, made.key);
  CHECK_EQ(w.imager.rendered.size(), 1u);
  CHECK(w.rows.deletions.empty() && w.variant_rows.locks.empty() && w.places == 1);
}

static void the_ticket_comes_before_the_bytes_and_the_row_is_last() {
  World w;
  const Attachment& a = w.add();
  w.journal.clear();
  CHECK_OK(w.get(a));
  const fake::Journal wanted{"find_variant",   "try_lock", "find_variant",  "render",
                             "plan_deletions", "put",      "commit_variant"};
  CHECK(w.journal == wanted);
}

static void its_key_is_no_other_tries_key_and_lies_below_the_prefix() {
  World w;
  const Attachment& a = w.add();
  const std::string thumb = CHECK_OK(w.get(a)).key, preview = CHECK_OK(w.get(a, "preview")).key;
  CHECK(thumb != preview && is_own_key("pre/", thumb) && is_own_key("pre/", preview));
  CHECK(thumb.find(to_hex(a.id)) == std::string::npos);
}

static void plain_is_jpeg_or_png_where_there_is_transparency() {
  World w;
  Attachment& a = w.add();
  CHECK_EQ(CHECK_OK(w.get(a, "thumb", VariantFormat::kPlain)).mime_type, "image/jpeg");
  a.picture = Picture::kAlpha;
  CHECK_EQ(CHECK_OK(w.get(a, "preview", VariantFormat::kPlain)).mime_type, "image/png");
}

static void as_a_file_it_has_the_name_of_the_original_and_its_own() {
  Variant v;
  v.id = {{}, "thumb", VariantFormat::kPlain};
  v.mime_type = mime_type_of(ImageFormat::kGif);
  Attachment a;
  a.filename = "x.tar.gif";
  CHECK_EQ(as_file(v, a).filename, "x.tar-thumb.gif");
  a.filename = "no extension";
  v.mime_type = "image/jpeg";
  CHECK_EQ(as_file(v, a).filename, "no extension-thumb.jpg");
}

static void whoever_finds_the_lock_taken_does_not_wait() {
  World w;
  const Attachment& a = w.add();
  CHECK(CHECK_OK(w.variant_rows.try_lock({a.id, "thumb", VariantFormat::kWebp})));
  CHECK_ERR(w.get(a), Errc::kNotYet);
  CHECK(w.imager.rendered.empty() && w.places == 1);
  CHECK_OK(w.get(a, "preview"));  // another one
}

static void where_all_places_are_taken_nobody_is_asked_for_the_lock() {
  World w;
  const Attachment& a = w.add();
  w.places = 0;
  CHECK_ERR(w.get(a), Errc::kNotYet);
  CHECK(w.variant_rows.locks.empty() && w.imager.rendered.empty());
}

static void one_that_was_made_while_the_lock_was_waited_for_is_taken() {
  World w;
  const Attachment& a = w.add();
  w.imager.before_render = [&] {  // others ask meanwhile, and find the lock taken
    w.places = 1;
    CHECK_ERR(w.get(a), Errc::kNotYet);
    w.places = 0;
  };
  CHECK_OK(w.get(a));
  CHECK_EQ(w.imager.rendered.size(), 1u);
}

static void a_broken_picture_is_a_404_and_is_not_decoded_again() {
  World w;
  Attachment& a = w.add();
  w.imager.failures.fail(1, Error{Errc::kUndecodable, "truncated"});
  CHECK_ERR(w.get(a), Errc::kNotFound);
  CHECK(a.picture == Picture::kNone);
  CHECK_ERR(w.get(a, "preview"), Errc::kNotFound);
  CHECK(!w.variants().may_be_made(a));
  CHECK_EQ(w.imager.rendered.size(), 1u);
  w.check_nothing_kept();
}

static void a_kind_without_pictures_is_a_404_that_nothing_remembers() {
  World w;
  Attachment& a = w.add();
  w.imager.failures.fail(1, Error{Errc::kUnsupportedType, "no ffmpeg"});
  CHECK_ERR(w.get(a), Errc::kNotFound);
  CHECK(a.picture == Picture::kOpaque);
  a.mime_type = "text/plain";
  CHECK_ERR(w.get(a), Errc::kNotFound);
  CHECK_EQ(w.imager.rendered.size(), 1u);
  w.check_nothing_kept();
}

static void an_original_of_such_a_kind_is_not_fetched_at_each_view() {
  World w;
  const Attachment& a = w.add("film", StoreKind::kS3);
  Variants variants = w.variants();
  const auto view = [&] { return variants.get(a, *variants.size("thumb"), VariantFormat::kWebp); };
  const auto fetched = [&] { return std::count(w.journal.begin(), w.journal.end(), "get"); };
  w.imager.failures.fail(1, Error{Errc::kUnsupportedType, "no ffmpeg"});
  CHECK_ERR(view(), Errc::kNotFound);
  w.clock.advance(std::chrono::seconds(59));
  CHECK_ERR(view(), Errc::kNotFound);
  CHECK_EQ(fetched(), 1);
  w.clock.advance(std::chrono::seconds(1));
  CHECK_OK(view());
  CHECK_EQ(fetched(), 2);
}

static void an_imager_that_is_away_is_no_verdict() {
  World w;
  Attachment& a = w.add();
  w.imager.failures.fail(1, Error{Errc::kImagerAway, "down", {}, true});
  CHECK_ERR(w.get(a), Errc::kImagerAway);
  CHECK(a.picture == Picture::kOpaque);
  w.check_nothing_kept();
  CHECK_OK(w.get(a));
}

static void an_original_in_the_store_is_fetched_and_its_variants_lie_there() {
  World w;
  w.target = StoreKind::kS3;
  const Attachment& a = w.add("pixels in s3", StoreKind::kS3);
  const Variant made = CHECK_OK(w.get(a));
  CHECK(made.store == StoreKind::kS3);
  CHECK_EQ(w.imager.rendered.back().bytes, "pixels in s3");
  CHECK_EQ(w.s3.memory.objects().at(made.key).meta.content_type, "image/webp");
}

static void one_that_is_too_large_to_be_fetched_has_none() {
  World w;
  Attachment& a = w.add("x", StoreKind::kS3);
  a.size_bytes = limits::kFetchedPictureBytes + 1;
  w.journal.clear();
  CHECK_ERR(w.get(a), Errc::kNotFound);
  CHECK_EQ(CHECK_OK(w.variants().make_all(a.id)), 0u);
  CHECK(std::find(w.journal.begin(), w.journal.end(), "get") == w.journal.end());
}

static void an_original_kept_on_another_node_has_to_wait_for_the_store() {
  World w;
  Attachment& a = w.add();
  a.key = std::string(kKeptRoot) + "other/x";
  CHECK_ERR(w.get(a), Errc::kStoreAway);
  w.check_nothing_kept();
}

static void an_original_that_goes_meanwhile_leaves_no_variant() {
  World w;
  const Attachment a = w.add();
  w.imager.before_render = [&] { w.rows.attachments.clear(); };
  CHECK_ERR(w.get(a), Errc::kNotFound);
  w.check_nothing_kept();
}

static void a_store_or_a_database_that_fails_leaves_only_what_has_a_ticket() {
  World w;
  const Attachment& a = w.add();
  w.local.failures.fail(1, Error{Errc::kDiskFull, "full"});
  CHECK_ERR(w.get(a), Errc::kDiskFull);
  w.check_nothing_kept();
  for (const std::size_t nth : {1U, 2U, 3U, 4U}) {  // find, lock, find, commit
    w.variant_rows.failures.fail(nth, Error{Errc::kDatabase, "away"});
    CHECK_ERR(w.get(a), Errc::kDatabase);
    w.check_nothing_kept();
  }
  CHECK_OK(w.get(a));
}

static void what_an_upload_could_not_be_told_is_learned_at_the_first_making() {
  World w;
  Attachment& a = w.add();
  a.picture = Picture::kUnknown;
  w.imager.facts = {.width = 64, .height = 48, .has_alpha = true, .placeholder = "data:x"};
  CHECK_EQ(CHECK_OK(w.get(a, "thumb", VariantFormat::kPlain)).mime_type, "image/png");
  CHECK(a.picture == Picture::kAlpha && a.width == 64U && a.placeholder == "data:x");
  Attachment& broken = w.add();
  broken.picture = Picture::kUnknown;
  w.imager.failures.fail(1, Error{Errc::kUndecodable, "bomb"});
  CHECK_ERR(w.get(broken), Errc::kNotFound);
  CHECK(broken.picture == Picture::kNone);
  CHECK_EQ(w.imager.rendered.size(), 1u);
}

static void ahead_of_need_all_sizes_are_made_in_the_formats_of_the_settings_and_thumb_for_old_clients_too() {
  World w;
  const Attachment& a = w.add();
  CHECK_EQ(CHECK_OK(w.variants().make_all(a.id)), 5u);
  CHECK_EQ(w.variant_rows.variants.size(), 5u);
  CHECK(CHECK_OK(w.variant_rows.find({a.id, "thumb", VariantFormat::kPlain})));
  CHECK(!CHECK_OK(w.variant_rows.find({a.id, "preview", VariantFormat::kPlain})));
  CHECK_EQ(CHECK_OK(w.variants().make_all(a.id)), 0u);
  CHECK_EQ(w.imager.rendered.size(), 5u);
}

static void what_moves_is_not_made_as_avif() {
  World w;
  Attachment& a = w.add();
  a.mime_type = "image/gif";
  a.frames = 12;
  CHECK_EQ(CHECK_OK(w.variants().make_all(a.id)), 3u);
  for (const auto& asked : w.imager.rendered) CHECK(asked.wanted.format != ImageFormat::kAvif);
}

static void the_first_page_of_many_is_made_as_avif() {
  for (const char* type : {"application/pdf", "image/tiff"}) {
    World w;
    Attachment& a = w.add();
    a.mime_type = type;
    a.frames = 12;
    CHECK_EQ(CHECK_OK(w.variants().make_all(a.id)), 5u);
  }
}

static void ahead_of_need_nothing_is_made_of_what_is_gone_broken_or_shut_away() {
  World w;
  CHECK_EQ(CHECK_OK(w.variants().make_all(make_uuid7(w.clock.now()))), 0u);
  w.add().picture = Picture::kNone;
  CHECK_EQ(CHECK_OK(w.variants().make_all(w.rows.attachments.back().id)), 0u);
  w.add().status = AttachmentStatus::kQuarantined;
  CHECK_EQ(CHECK_OK(w.variants().make_all(w.rows.attachments.back().id)), 0u);
  CHECK(w.imager.rendered.empty());
}

static void ahead_of_need_a_bomb_is_decoded_once_and_an_absent_imager_is_an_error() {
  World w;
  const Uuid bomb = w.add().id;
  w.imager.failures.fail(1, Error{Errc::kUndecodable, "bomb"});
  CHECK_EQ(CHECK_OK(w.variants().make_all(bomb)), 0u);
  CHECK_EQ(w.imager.rendered.size(), 1u);
  const Uuid fine = w.add().id;
  w.imager.failures.fail(1, Error{Errc::kImagerAway, "down"});
  CHECK_ERR(w.variants().make_all(fine), Errc::kImagerAway);
}

static void the_usual_thumbnail_is_named_so_or_is_the_first() {
  World w;
  CHECK_EQ(w.variants().thumb()->name, "thumb");
  CHECK(w.variants().size("huge") == nullptr);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_variant_is_made_once_and_found_from_then_on),
      CASE(the_ticket_comes_before_the_bytes_and_the_row_is_last),
      CASE(its_key_is_no_other_tries_key_and_lies_below_the_prefix),
      CASE(plain_is_jpeg_or_png_where_there_is_transparency),
      CASE(as_a_file_it_has_the_name_of_the_original_and_its_own),
      CASE(whoever_finds_the_lock_taken_does_not_wait),
      CASE(where_all_places_are_taken_nobody_is_asked_for_the_lock),
      CASE(one_that_was_made_while_the_lock_was_waited_for_is_taken),
      CASE(a_broken_picture_is_a_404_and_is_not_decoded_again),
      CASE(a_kind_without_pictures_is_a_404_that_nothing_remembers),
      CASE(an_original_of_such_a_kind_is_not_fetched_at_each_view),
      CASE(an_imager_that_is_away_is_no_verdict),
      CASE(an_original_in_the_store_is_fetched_and_its_variants_lie_there),
      CASE(one_that_is_too_large_to_be_fetched_has_none),
      CASE(an_original_kept_on_another_node_has_to_wait_for_the_store),
      CASE(an_original_that_goes_meanwhile_leaves_no_variant),
      CASE(a_store_or_a_database_that_fails_leaves_only_what_has_a_ticket),
      CASE(what_an_upload_could_not_be_told_is_learned_at_the_first_making),
      CASE(ahead_of_need_all_sizes_are_made_in_the_formats_of_the_settings_and_thumb_for_old_clients_too),
      CASE(what_moves_is_not_made_as_avif),
      CASE(the_first_page_of_many_is_made_as_avif),
      CASE(ahead_of_need_nothing_is_made_of_what_is_gone_broken_or_shut_away),
      CASE(ahead_of_need_a_bomb_is_decoded_once_and_an_absent_imager_is_an_error),
      CASE(the_usual_thumbnail_is_named_so_or_is_the_first),
  };
  return RUN_TESTS("variants", tests);
}
