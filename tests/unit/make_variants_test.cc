// make_variants_test.cc — helpers that die over a picture: no verdict at a view, one at the last try of its job.
#include "jobs/make_variants.h"

#include <string>

#include "check.h"
#include "fake/variants.h"

using namespace cloakroom;

namespace {

const Error kDied{Errc::kUndecodable, "its process ended over this file", {}, true};

struct World {
  fake::FakeRows rows;
  fake::FakeVariantRows variant_rows{rows};
  fake::FakeStore local{StoreKind::kLocal};
  fake::FakeImager imager;
  fake::FixedClock clock;

  Variants variants() {
    return {{.rows = rows,
             .variants = variant_rows,
             .target = local,
             .store_of = [this](StoreKind) -> BlobStore* { return &local; },
             .open_local = fake::open_in(local),
             .imager = imager,
             .clock = clock},
            fake::variant_rules()};
  }
  Attachment& add() {
    Attachment a;
    a.id = make_uuid7(clock.now());
    a.filename = "beach.jpg";
    a.mime_type = "image/jpeg";
    a.size_bytes = 6;
    a.store = StoreKind::kLocal;
    a.key = "k/" + to_hex(a.id);
    a.picture = Picture::kOpaque;
    const UniqueFd file(::memfd_create("bytes", MFD_CLOEXEC));
    CHECK_OK(write_all(file.get(), std::as_bytes(std::span(std::string_view("pixels")))));
    CHECK_OK(local.memory.put(CHECK_OK(ObjectKey::parse(a.key)), {file.get(), 0, 6, {}}, {}));
    rows.attachments.push_back(std::move(a));
    return rows.attachments.back();
  }
};

Job job_for(const Attachment& a, int failures) {
  return {.id = 1, .kind = "make_variants", .payload = R"({"id":")" + to_string(a.id) + "\"}", .failures = failures};
}

}  // namespace

static void a_helper_that_dies_over_a_view_is_no_verdict_and_the_view_is_a_404_for_a_minute() {
  for (const Picture picture : {Picture::kUnknown, Picture::kOpaque}) {
    World w;
    Attachment& a = w.add();
    a.picture = picture;
    Variants variants = w.variants();
    const auto view = [&](const char* name) { return variants.get(a, *variants.size(name), VariantFormat::kWebp); };
    w.imager.failures.fail(1, kDied);
    CHECK_ERR(view("thumb"), Errc::kNotFound);
    CHECK(a.picture == picture);
    w.clock.advance(std::chrono::seconds(59));
    CHECK_ERR(view("thumb"), Errc::kNotFound);
    CHECK_EQ(w.imager.probed.size() + w.imager.rendered.size(), 1u);
    CHECK(w.variant_rows.variants.empty() && w.variant_rows.locks.empty());
    CHECK_OK(view("preview"));  // one may be too dear where others are not
    w.clock.advance(std::chrono::seconds(1));
    CHECK_OK(view("thumb"));
  }
}

static void after_a_look_that_found_no_helper_or_killed_one_nothing_is_rendered() {
  for (const Error& why : {kDied, Error{Errc::kImagerAway, "busy", {}, true}}) {
    World w;
    Attachment& a = w.add();
    a.picture = Picture::kUnknown;
    w.imager.failures.fail(1, why);
    CHECK_ERR(w.variants().make_all(a.id), why.code);
    CHECK(a.picture == Picture::kUnknown && w.imager.probed.size() == 1 && w.imager.rendered.empty());
  }
}

static void only_the_last_death_of_a_job_is_a_verdict() {
  World w;
  Attachment& a = w.add();
  a.picture = Picture::kUnknown;
  Variants variants = w.variants();
  const auto try_again = [&](int most_failures, int failures) {
    w.imager.failures.fail(1, kDied);
    return make_variants_handler(&variants, most_failures)(job_for(a, failures));
  };
  for (int failures = 0; failures + 1 < kMostDeaths; ++failures) {
    const Status outcome = try_again(20, failures);
    CHECK(!outcome && !outcome.error().retryable && a.picture == Picture::kUnknown);
  }
  CHECK(!try_again(3, 1) && a.picture == Picture::kUnknown);
  CHECK_OK(try_again(3, 2));
  CHECK(a.picture == Picture::kNone);
  a.picture = Picture::kUnknown;
  CHECK_OK(try_again(20, kMostDeaths - 1));
  CHECK(a.picture == Picture::kNone && w.imager.rendered.empty());
}

static void a_picture_that_was_seen_is_not_broken_by_deaths_over_one_size() {
  World w;
  Attachment& a = w.add();
  Variants variants = w.variants();
  w.imager.failures.fail(2, kDied);
  CHECK(!make_variants_handler(&variants, 20)(job_for(a, 0)));
  CHECK_EQ(w.variant_rows.variants.size(), 1u);  // what was made stays
  w.imager.failures.fail(1, kDied);
  CHECK_OK(make_variants_handler(&variants, 20)(job_for(a, kMostDeaths - 1)));
  CHECK(a.picture == Picture::kOpaque);
  CHECK_OK(make_variants_handler(&variants, 20)(job_for(a, 1)));
  CHECK_EQ(w.variant_rows.variants.size(), 5u);
}

static void an_imager_that_is_away_is_no_failure_of_the_job() {
  World w;
  Attachment& a = w.add();
  Variants variants = w.variants();
  w.imager.failures.fail(1, Error{Errc::kImagerAway, "down", {}, true});
  const Status outcome = make_variants_handler(&variants, 1)(job_for(a, 0));
  CHECK(!outcome && outcome.error().retryable && a.picture == Picture::kOpaque);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_helper_that_dies_over_a_view_is_no_verdict_and_the_view_is_a_404_for_a_minute),
      CASE(after_a_look_that_found_no_helper_or_killed_one_nothing_is_rendered),
      CASE(only_the_last_death_of_a_job_is_a_verdict),
      CASE(a_picture_that_was_seen_is_not_broken_by_deaths_over_one_size),
      CASE(an_imager_that_is_away_is_no_failure_of_the_job),
  };
  return RUN_TESTS("make_variants", tests);
}
