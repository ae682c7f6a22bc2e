// routes_variants_test.cc — which picture a client gets, by its Accept header, and what is said to whom there is none
// for.
#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/service.h"
#include "fake/variants.h"

using namespace cloakroom;
using fake::Answer;

namespace {

const std::string kChromium = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";

struct World : fake::Service {
  fake::FakeVariantRows variant_rows{rows, &journal};
  fake::FakeImager imager{&journal};
  Variants variants{
      {.rows = rows,
       .variants = variant_rows,
       .target = local,
       .store_of = [this](StoreKind kind) -> BlobStore* { return kind == StoreKind::kLocal ? &local : &s3; },
       .open_local = fake::open_in(local),
       .imager = imager,
       .clock = clock},
      fake::variant_rules()};
  explicit World(fake::ServiceOptions options = {}) : Service(options) { app.variants = &variants; }

  Attachment& picture() {
    Attachment& a = add("pixels");
    a.picture = Picture::kOpaque;
    return a;
  }
  Answer get(const Attachment& a, const std::string& accept = {}, const std::string& user = "alice",
             const std::string& method = "GET", const std::string& name = "thumb", fake::Variables more = {}) {
    if (!accept.empty()) more["HTTP_ACCEPT"] = accept;
    return ask(user, method + " /api/files/" + to_string(a.id) + "/" + name + "/x.png", {}, std::move(more));
  }
};

}  // namespace

static void the_format_is_the_best_that_the_client_names() {
  World w;
  Attachment& a = w.picture();
  CHECK_EQ(w.get(a, kChromium).header("Content-Type"), "image/avif");
  CHECK_EQ(w.get(a, "image/webp,*/*").header("Content-Type"), "image/webp");
  CHECK_EQ(w.get(a, "image/webp,image/avif;q=0.5,*/*;q=0.1").header("Content-Type"), "image/webp");
  CHECK_EQ(w.get(a, "image/webp;q=0.5,image/jpeg").header("Content-Type"), "image/jpeg");
  CHECK_EQ(w.get(a, "image/webp;q=0,image/avif;q=0").header("Content-Type"), "image/jpeg");
  for (const char* plain : {"", "*/*", "image/*", "text/html"}) {
    CHECK_EQ(w.get(a, plain).header("Content-Type"), "image/jpeg");
  }
  CHECK_EQ(w.imager.rendered.size(), 3u);
}

static void transparency_and_motion_are_kept() {
  World w;
  Attachment& a = w.picture();
  a.picture = Picture::kAlpha;
  CHECK_EQ(w.get(a).header("Content-Type"), "image/png");
  Attachment& moving = w.picture();
  moving.mime_type = "image/gif";
  moving.frames = 9;
  CHECK_EQ(w.get(moving, kChromium).header("Content-Type"), "image/webp");
  CHECK_EQ(w.get(moving, "image/avif").header("Content-Type"), "image/jpeg");
  Attachment& pages = w.picture();
  pages.mime_type = "application/pdf";
  pages.frames = 9;
  CHECK_EQ(w.get(pages, kChromium).header("Content-Type"), "image/avif");
}

static void it_is_sent_as_files_are_and_says_what_it_depends_on() {
  World w;
  const Attachment& a = w.picture();
  const Answer first = w.get(a, "image/webp");
  CHECK_EQ(first.status, 200);
  CHECK_EQ(first.header("Vary"), "Accept");
  CHECK_EQ(first.header("X-Cloakroom-Vary"), "Accept");
  CHECK_EQ(first.header("X-Cloakroom-Cache-Control"), "private, max-age=60");
  CHECK(first.header("X-Cloakroom-Disposition").find("x-thumb.webp") != std::string::npos);
  CHECK(first.header("X-Accel-Redirect").find(w.variant_rows.variants.begin()->second.key) != std::string::npos);
  const Answer again = w.get(a, "image/webp", "alice", "GET", "thumb", {{"HTTP_IF_NONE_MATCH", first.header("ETag")}});
  CHECK_EQ(again.status, 304);
  CHECK_EQ(again.header("Vary"), "Accept");
  CHECK_EQ(w.get(a, "image/webp", "alice", "GET", "thumb", {{"HTTP_RANGE", "bytes=999-"}}).status, 416);
}

static void only_what_nginx_sends_says_it_under_another_name() {
  const auto check = [](const Answer& answer, int status) {
    CHECK_EQ(answer.status, status);
    CHECK_EQ(answer.header("Vary"), "Accept");
    for (const auto& [name, value] : answer.headers) CHECK(!name.starts_with("X-Cloakroom-"));
  };
  World w;
  const Attachment& a = w.picture();
  check(w.get(a, "", "alice", "HEAD"), 200);
  const std::string etag = w.get(a).header("ETag");
  check(w.get(a, "", "alice", "HEAD"), 200);
  check(w.get(a, "", "alice", "GET", "thumb", {{"HTTP_IF_NONE_MATCH", etag}}), 304);
  check(w.get(a, "", "alice", "GET", "thumb", {{"HTTP_RANGE", "bytes=999-"}}), 416);
  check(w.get(a, "", "alice", "GET", "thumb", {{"HTTP_IF_MATCH", etag}}), 200);  // streamed
  World streamed({.delivery = Delivery::kStream});
  const Attachment& b = streamed.picture();
  check(streamed.get(b), 200);
  check(streamed.get(b, "", "alice", "GET", "thumb", {{"HTTP_RANGE", "bytes=0-1"}}), 206);
  for (const char* method : {"GET ", "HEAD "}) {
    const Answer original = streamed.ask("alice", method + fake::file_url(b));
    CHECK(original.status == 200 && original.header("Vary").empty());
  }
}

static void a_head_makes_nothing() {
  World w;
  const Attachment& a = w.picture();
  const Answer before = w.get(a, "image/webp", "alice", "HEAD");
  CHECK_EQ(before.status, 200);
  CHECK_EQ(before.header("Content-Type"), "image/webp");
  CHECK_EQ(before.header("Content-Length"), "");
  CHECK_EQ(before.header("Cache-Control"), "no-store");
  CHECK(w.imager.rendered.empty());
  w.get(a, "image/webp");
  const Answer after = w.get(a, "image/webp", "alice", "HEAD");
  CHECK_EQ(after.header("Content-Length"), "23");
  CHECK(!after.header("ETag").empty());
}

static void whoever_may_not_read_the_file_gets_the_404_that_all_get() {
  World w;
  const Attachment& a = w.picture();
  Attachment nothing;
  nothing.id = make_uuid7(w.clock.now());
  const Answer missing = w.get(nothing);
  CHECK_EQ(missing.status, 404);
  for (const Answer& other :
       {w.get(a, "", "mallory"), w.get(a, kChromium, "mallory"), w.get(a, "", "alice", "GET", "huge"),
        w.get(a, "", "alice", "GET", "%FF"), w.ask("alice", "GET " + fake::file_url(nothing))}) {
    CHECK_EQ(other.status, 404);
    CHECK_EQ(other.body, missing.body);
    CHECK(other.headers == missing.headers);
  }
  CHECK(w.imager.rendered.empty());
}

static void a_file_without_a_picture_gets_it_too() {
  World w;
  Attachment& text = w.add();
  text.mime_type = "text/plain";
  CHECK_EQ(w.get(text).status, 404);
  CHECK_EQ(w.get(text, "", "alice", "HEAD").status, 404);
  Attachment& broken = w.picture();
  w.imager.failures.fail(1, Error{Errc::kUndecodable, "bomb"});
  CHECK_EQ(w.get(broken).status, 404);
  CHECK_EQ(w.get(broken, "", "alice", "HEAD").status, 404);
  CHECK_EQ(w.imager.rendered.size(), 1u);
  w.app.variants = nullptr;  // there are no pictures here at all
  CHECK_EQ(w.get(w.picture()).status, 404);
}

static void an_original_that_is_too_large_to_be_fetched_is_a_404() {
  World w;
  Attachment& a = w.add("pixels", StoreKind::kS3);
  a.picture = Picture::kOpaque;
  a.size_bytes = limits::kFetchedPictureBytes + 1;
  CHECK_EQ(w.get(a).status, 404);
  CHECK(w.imager.rendered.empty() && w.variant_rows.locks.empty());
  a.size_bytes = 6;
  CHECK_EQ(w.get(a).status, 200);
}

static void what_may_be_there_soon_is_a_503_with_a_time() {
  World w;
  const Attachment& a = w.picture();
  w.imager.failures.fail(1, Error{Errc::kImagerAway, "down"});
  const Answer away = w.get(a);
  CHECK_EQ(away.status, 503);
  CHECK_EQ(away.header("Retry-After"), "10");
  CHECK(CHECK_OK(w.variant_rows.try_lock({a.id, "thumb", VariantFormat::kPlain})));
  const Answer busy = w.get(a);
  CHECK_EQ(busy.status, 503);
  CHECK_EQ(busy.header("Retry-After"), "1");
  w.variant_rows.locks.clear();
  CHECK_EQ(w.get(a).status, 200);
}

static void a_request_that_may_come_again_is_not_answered_until_its_last_turn_and_pays_once() {
  const Rate rate{.count = 100, .period = std::chrono::seconds(60), .burst = 10};
  World w({.rates = {{}, {rate, rate, rate}}});
  const Attachment& a = w.picture();
  const VariantId id{a.id, "thumb", VariantFormat::kPlain};
  CHECK(CHECK_OK(w.variant_rows.try_lock(id)));
  fake::FakeExchange exchange;
  exchange.variables = {{"REQUEST_METHOD", "GET"},
                        {"REQUEST_URI", "/api/files/" + to_string(a.id) + "/thumb/x"},
                        {"REMOTE_USER", "alice"},
                        {"REQUEST_ID", "9f2c"},
                        {"REMOTE_ADDR", "192.0.2.1"}};
  CHECK(w.dispatcher.serve(exchange, {.is_first = true, .is_last = false}) == Served::kLater);
  CHECK(w.dispatcher.serve(exchange, {.is_first = false, .is_last = false}) == Served::kLater);
  CHECK(exchange.written.empty());
  const std::size_t paid = w.rows.spent.size();
  w.variant_rows.unlock(id);
  CHECK(w.dispatcher.serve(exchange, {.is_first = false, .is_last = false}) == Served::kDone);
  CHECK_EQ(exchange.answer().status, 200);
  CHECK(paid > 0);
  CHECK_EQ(w.rows.spent.size(), paid);
}

static void a_link_and_public_files_open_variants_as_they_open_files() {
  World w;
  const Attachment& a = w.picture();
  const std::string token = fake::member(w.ask("alice", "POST " + fake::meta_url(a) + "/link-token"), "token");
  CHECK_EQ(w.ask("", "GET /api/files/" + to_string(a.id) + "/thumb/x?link=" + token).status, 200);
  CHECK_EQ(w.ask("", "GET /api/files/" + to_string(a.id) + "/thumb/x").status, 401);
  World open({.visibility = Visibility::kPublic});
  CHECK_EQ(open.get(open.picture(), "", "").status, 200);
}

static void thumb_url_is_where_a_picture_is_or_may_be() {
  World w;
  Attachment& a = w.picture();
  a.filename = "\u00dcber 1.png";
  const std::string stable = "/api/files/" + to_string(a.id) + "/thumb/%C3%9Cber%201.png";
  CHECK_EQ(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url"), stable);
  a.picture = Picture::kUnknown;
  CHECK_EQ(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url"), stable);
  a.picture = Picture::kNone;
  CHECK_EQ(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url"), "");
  a.picture = Picture::kUnknown;
  a.mime_type = "video/mp4";
  CHECK_EQ(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url"), "");
  a.status = AttachmentStatus::kQuarantined;
  CHECK_EQ(fake::member(w.ask("service", "GET " + fake::meta_url(a)), "thumb_url"), "");
}

static void with_redirects_it_is_presigned_once_it_is_there() {
  World w({.delivery = Delivery::kRedirect, .new_files = StoreKind::kS3});
  Attachment& a = w.add("pixels", StoreKind::kS3);
  a.picture = Picture::kOpaque;
  CHECK(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url").starts_with("/api/files/"));
  Variants in_s3({.rows = w.rows,
                  .variants = w.variant_rows,
                  .target = w.s3,
                  .store_of = [&](StoreKind) { return &w.s3; },
                  .open_local = {},
                  .imager = w.imager,
                  .clock = w.clock},
                 fake::variant_rules());
  w.app.variants = &in_s3;
  CHECK_EQ(CHECK_OK(in_s3.make_all(a.id)), 5u);
  const std::string url = fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url");
  CHECK(url.starts_with("https://files.example.com/bucket/pre/"));
  CHECK_EQ(w.presigner.asked.back().type, "image/webp");
  CHECK(w.ask("alice", "GET /api/attachments?status=uploaded").body.find(url) != std::string::npos);
  const Answer moved = w.get(a, "image/webp");
  CHECK_EQ(moved.status, 302);
  CHECK_EQ(moved.header("Vary"), "Accept");
  CHECK_EQ(moved.header("X-Cloakroom-Vary"), "");
  w.variant_rows.failures.fail(1, Error{Errc::kDatabase, "away"});
  CHECK(fake::member(w.ask("alice", "GET " + fake::meta_url(a)), "thumb_url").starts_with("/api/files/"));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_format_is_the_best_that_the_client_names),
      CASE(transparency_and_motion_are_kept),
      CASE(it_is_sent_as_files_are_and_says_what_it_depends_on),
      CASE(only_what_nginx_sends_says_it_under_another_name),
      CASE(a_head_makes_nothing),
      CASE(whoever_may_not_read_the_file_gets_the_404_that_all_get),
      CASE(a_file_without_a_picture_gets_it_too),
      CASE(an_original_that_is_too_large_to_be_fetched_is_a_404),
      CASE(what_may_be_there_soon_is_a_503_with_a_time),
      CASE(a_request_that_may_come_again_is_not_answered_until_its_last_turn_and_pays_once),
      CASE(thumb_url_is_where_a_picture_is_or_may_be),
      CASE(with_redirects_it_is_presigned_once_it_is_there),
      CASE(a_link_and_public_files_open_variants_as_they_open_files),
  };
  return RUN_TESTS("routes_variants", tests);
}
