// download_test.cc — the delivery decision: which plan for which store, setting and wish.
#include "domain/download.h"

#include <string>

#include "check.h"
#include "domain/proxy_cache.h"
#include "fake/store.h"

using namespace cloakroom;
using namespace std::chrono_literals;

namespace {

constexpr BrowserHeaders kInline{"inline", "image/png"};

struct World {
  fake::FakeStore local{StoreKind::kLocal};
  fake::FakeStore s3{StoreKind::kS3};
  fake::FakePresigner presigner;
  Attachment attachment;
  fake::FakeStore secondary{StoreKind::kS3Secondary};
  fake::FakePresigner second_presigner;
  Stores stores{&local, {&s3, &presigner}, {&secondary, &second_presigner}};

  explicit World(StoreKind kind = StoreKind::kLocal, std::uint64_t size_bytes = 5) {
    attachment.store = kind;
    attachment.size_bytes = size_bytes;
    attachment.key = "3f/a";
    attachment.mime_type = "image/png";
  }
  Result<DownloadPlan> plan(Delivery delivery, const DownloadWish& wish = {.headers = kInline}) const {
    return Downloads(stores, {delivery, 300s}).plan(attachment, wish);
  }
};

template <class Plan>
Plan expect(Result<DownloadPlan> plan) {
  const DownloadPlan got = CHECK_OK(std::move(plan));
  CHECK(std::holds_alternative<Plan>(got));
  return std::get<Plan>(got);
}

}  // namespace

static void proxy_hands_a_local_file_to_nginx() {
  CHECK_EQ(expect<InternalFile>(World().plan(Delivery::kProxy)).key, "3f/a");
}

static void proxy_hands_nginx_a_long_lived_internal_url_for_s3() {
  World w(StoreKind::kS3);
  const auto plan = expect<InternalS3>(w.plan(Delivery::kProxy, {.headers = kInline, .head_only = true}));
  CHECK_EQ(plan.target, "/bucket/3f/a?X-Amz-Signature=f00d");  // no host: nginx has one upstream
  CHECK(plan.fetch == Fetch::kWhole);
  CHECK_EQ(w.presigner.asked.size(), 1u);
  const auto& asked = w.presigner.asked[0];
  CHECK(!asked.for_browser && asked.expires == 604800s && asked.disposition.empty());
  CHECK_EQ(asked.method, "GET");  // one cached object serves HEAD too
}

static void large_objects_come_in_slices_unless_these_would_outlive_their_signature() {
  World w(StoreKind::kS3, kSlicedFromBytes + 1);
  CHECK(expect<InternalS3>(w.plan(Delivery::kProxy)).fetch == Fetch::kSlices);
  w.presigner.temporary = true;
  CHECK(expect<InternalS3>(w.plan(Delivery::kProxy)).fetch == Fetch::kOnce);
  w.attachment.size_bytes = kSlicedFromBytes;
  CHECK(expect<InternalS3>(w.plan(Delivery::kProxy)).fetch == Fetch::kWhole);
}

static void redirect_sends_the_browser_to_a_short_lived_public_url() {
  World w(StoreKind::kS3);
  const auto plan = expect<Redirect>(
      w.plan(Delivery::kRedirect, {.headers = {"attachment; filename=\"x\"", "text/plain; charset=utf-8"}}));
  CHECK_EQ(plan.url, "https://files.example.com/bucket/3f/a?X-Amz-Signature=f00d");
  const auto& asked = w.presigner.asked[0];
  CHECK(asked.for_browser && asked.expires == 300s);
  CHECK_EQ(asked.disposition, "attachment; filename=\"x\"");
  CHECK_EQ(asked.type, "text/plain; charset=utf-8");
  CHECK_EQ(asked.method, "GET");
}

static void a_redirected_head_is_signed_as_one() {
  World w(StoreKind::kS3);
  expect<Redirect>(w.plan(Delivery::kRedirect, {.headers = kInline, .head_only = true}));
  CHECK_EQ(w.presigner.asked[0].method, "HEAD");
}

static void older_local_files_are_still_handed_to_nginx_with_redirect() {
  CHECK_EQ(expect<InternalFile>(World().plan(Delivery::kRedirect)).key, "3f/a");
}

static void stream_reads_from_the_store_of_the_row() {
  World local;
  CHECK(expect<Stream>(local.plan(Delivery::kStream)).store == &local.local);
  World s3(StoreKind::kS3);
  const auto plan = expect<Stream>(s3.plan(Delivery::kStream));
  CHECK(plan.store == &s3.s3);
  CHECK_EQ(plan.key.str(), "3f/a");
  CHECK(s3.presigner.asked.empty());
}

static void conditions_that_nginx_would_misjudge_are_answered_by_the_worker() {
  const DownloadWish wish{.headers = kInline, .by_worker = true};
  expect<Stream>(World().plan(Delivery::kProxy, wish));
  expect<Stream>(World(StoreKind::kS3).plan(Delivery::kProxy, wish));
}

static void nothing_is_fetched_for_an_empty_file() {
  for (const Delivery delivery : {Delivery::kProxy, Delivery::kStream}) {
    expect<EmptyBody>(World(StoreKind::kLocal, 0).plan(delivery));
    expect<EmptyBody>(World(StoreKind::kS3, 0).plan(delivery));
  }
}

static void an_s3_store_that_cannot_sign_is_streamed() {
  World w(StoreKind::kS3);
  w.stores.s3.presigner = nullptr;
  for (const Delivery delivery : {Delivery::kProxy, Delivery::kRedirect})
    CHECK(expect<Stream>(w.plan(delivery)).store == &w.s3);
}

static void a_row_of_a_store_that_is_not_configured_is_an_error() {
  World w(StoreKind::kS3);
  w.stores.s3 = {};
  CHECK_ERR(w.plan(Delivery::kProxy), Errc::kStore);
}

static void a_hostile_key_in_a_row_never_becomes_a_path() {
  for (const char* key : {"../../etc/passwd", "/etc/passwd", "a/../b", "a\nX-Evil: 1", ""}) {
    World w;
    w.attachment.key = key;
    for (const Delivery delivery : {Delivery::kProxy, Delivery::kRedirect, Delivery::kStream})
      CHECK_ERR(w.plan(delivery), Errc::kInternal);
  }
}

static void a_direct_url_exists_only_where_browsers_go_to_the_store() {
  World w(StoreKind::kS3);
  const auto url = [&](Delivery delivery) {
    return Downloads(w.stores, {delivery, 300s}).direct_url(w.attachment, kInline);
  };
  CHECK_EQ(url(Delivery::kRedirect), "https://files.example.com/bucket/3f/a?X-Amz-Signature=f00d");
  CHECK(w.presigner.asked[0].for_browser);
  CHECK_EQ(url(Delivery::kProxy), "");
  CHECK_EQ(url(Delivery::kStream), "");
  w.attachment.key = "../x";
  CHECK_EQ(url(Delivery::kRedirect), "");
  CHECK_EQ(Downloads(w.stores, {Delivery::kRedirect, 300s}).direct_url(World().attachment, kInline), "");
}

// Each plan leads to the row's store and is signed by its keys, whichever new files go to.
static void files_of_the_second_store_go_their_own_way() {
  World w(StoreKind::kS3Secondary, kSlicedFromBytes + 1);
  w.second_presigner.query = "X-Amz-Signature=5ec0";
  const auto internal = expect<InternalS3>(w.plan(Delivery::kProxy));
  CHECK(internal.store == StoreKind::kS3Secondary && internal.fetch == Fetch::kSlices);
  CHECK_EQ(internal.target, "/bucket/3f/a?X-Amz-Signature=5ec0");
  CHECK_EQ(expect<Redirect>(w.plan(Delivery::kRedirect)).url,
           "https://files.example.com/bucket/3f/a?X-Amz-Signature=5ec0");
  CHECK(expect<Stream>(w.plan(Delivery::kStream)).store == &w.secondary);
  CHECK(w.presigner.asked.empty());
  // credentials of the one say nothing of the other's
  w.presigner.temporary = true;
  CHECK(expect<InternalS3>(w.plan(Delivery::kProxy)).fetch == Fetch::kSlices);
  w.second_presigner.temporary = true;
  CHECK(expect<InternalS3>(w.plan(Delivery::kProxy)).fetch == Fetch::kOnce);
  const Downloads redirecting(w.stores, {Delivery::kRedirect, 300s});
  CHECK_EQ(redirecting.direct_url(w.attachment, kInline), "https://files.example.com/bucket/3f/a?X-Amz-Signature=5ec0");
  w.stores.s3_secondary = {};
  CHECK_ERR(w.plan(Delivery::kProxy), Errc::kStore);
  CHECK_EQ(Downloads(w.stores, {Delivery::kRedirect, 300s}).direct_url(w.attachment, kInline), "");
}

static void a_cdn_stands_before_one_bucket_and_the_other_s_files_are_signed() {
  World first(StoreKind::kS3), second(StoreKind::kS3Secondary);
  const DownloadRules rules{Delivery::kRedirect, 300s, "https://cdn.example.com", StoreKind::kS3Secondary};
  const Downloads of_first(first.stores, rules), of_second(second.stores, rules);
  CHECK_EQ(of_second.cdn_url(second.attachment), "https://cdn.example.com/3f/a");
  CHECK_EQ(of_first.cdn_url(first.attachment), "");
  CHECK_EQ(expect<Redirect>(of_first.plan(first.attachment, {.headers = kInline})).url,
           "https://files.example.com/bucket/3f/a?X-Amz-Signature=f00d");
  CHECK(!first.presigner.asked.empty() && second.second_presigner.asked.empty());
}

static void a_cdn_serves_what_lies_in_the_bucket() {
  World w(StoreKind::kS3);
  w.attachment.key = "3f/a b.png";
  const Downloads downloads(w.stores, {Delivery::kRedirect, 300s, "https://cdn.example.com/x"});
  CHECK_EQ(downloads.cdn_url(w.attachment), "https://cdn.example.com/x/3f/a%20b.png");
  CHECK_EQ(downloads.direct_url(w.attachment, kInline), downloads.cdn_url(w.attachment));
  CHECK_EQ(expect<Redirect>(downloads.plan(w.attachment, {.headers = kInline})).url, downloads.cdn_url(w.attachment));
  CHECK(w.presigner.asked.empty());
  // the CDN cannot send other headers than those stored: a signed URL can
  const DownloadWish other{.headers = {"attachment", "image/png"}, .other_than_stored = true};
  CHECK_EQ(expect<Redirect>(downloads.plan(w.attachment, other)).url.find("https://files.example.com/"), 0u);
  CHECK_EQ(w.presigner.asked[0].disposition, "attachment");
  // and with DELIVERY=proxy the stable address is still nginx's
  expect<InternalS3>(
      Downloads(w.stores, {Delivery::kProxy, 300s, "https://cdn.example.com"}).plan(w.attachment, other));
  w.attachment.key = "../x";
  CHECK_EQ(downloads.cdn_url(w.attachment), "");
  CHECK_EQ(downloads.cdn_url(World().attachment), "");  // on the disk
}

int main() {
  const CMUnitTest tests[] = {
      CASE(proxy_hands_a_local_file_to_nginx),
      CASE(proxy_hands_nginx_a_long_lived_internal_url_for_s3),
      CASE(large_objects_come_in_slices_unless_these_would_outlive_their_signature),
      CASE(redirect_sends_the_browser_to_a_short_lived_public_url),
      CASE(a_redirected_head_is_signed_as_one),
      CASE(older_local_files_are_still_handed_to_nginx_with_redirect),
      CASE(stream_reads_from_the_store_of_the_row),
      CASE(conditions_that_nginx_would_misjudge_are_answered_by_the_worker),
      CASE(nothing_is_fetched_for_an_empty_file),
      CASE(an_s3_store_that_cannot_sign_is_streamed),
      CASE(a_row_of_a_store_that_is_not_configured_is_an_error),
      CASE(a_hostile_key_in_a_row_never_becomes_a_path),
      CASE(a_direct_url_exists_only_where_browsers_go_to_the_store),
      CASE(files_of_the_second_store_go_their_own_way),
      CASE(a_cdn_stands_before_one_bucket_and_the_other_s_files_are_signed),
      CASE(a_cdn_serves_what_lies_in_the_bucket),
  };
  return RUN_TESTS("download", tests);
}
