// s3_parts_wire_test.cc — how a large file goes to a store in parts: side by side, each checked, each repeated alone.
#include "parts_server.h"
#include "storage/s3.h"
#include "storage/s3_parts.h"
#include "store_suite.h"

using namespace cloakroom;         // NOLINT: a test
using namespace cloakroom::suite;  // NOLINT: a test

namespace {

constexpr std::uint64_t kMib = 1ULL << 20;

// A second passes with each look, so that every signature has a time of its own.
struct TickingClock final : Clock {
  TimePoint now() const override { return TimePoint(std::chrono::seconds(1440938160 + ++looks)); }
  mutable std::atomic<int> looks = 0;
};

// 5 MiB and a bit in parts of 1 MiB: six.
struct Place {
  PartsServer server;
  TickingClock clock;
  std::unique_ptr<S3Client> client;
  std::string bytes = pattern(5 * kMib + 77);
  TempFile file{"before" + bytes + "after"};
  std::vector<std::chrono::milliseconds> slept;

  explicit Place(PartsServer::Script script = {}, unsigned together = 1) : server(std::move(script), together) {
    client = CHECK_OK(S3Client::make(options(server), clock));
  }
  static S3Options options(const PartsServer& server) {
    S3Options o;
    o.endpoint = server.endpoint();
    o.bucket = "files";
    o.access_key_id = "AKID";
    o.secret_access_key = "secret";
    o.parts = {.min_part_bytes = kMib, .max_parts = 1000, .wanted_part_bytes = kMib};
    o.multipart_from_bytes = 4 * kMib;
    return o;
  }
  Result<Sha256Digest> put() {
    return put_parts(
        *client, {.key = "a/b c", .headers = {{"Content-Type", "image/png"}}, .bytes = file.part(6, bytes.size())},
        {.retry = {.attempts = 3,
                   .base = std::chrono::milliseconds(8),
                   .throttled_base = std::chrono::milliseconds(40),
                   .cap = std::chrono::milliseconds(1000)},
         .tools = {[this](std::chrono::milliseconds time) { slept.push_back(time); }, [] { return 0.5; }}});
  }
};

std::string header(const PartsRequest& request, const std::string& name) {
  const std::size_t at = request.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t begin = at + name.size() + 4;
  return request.head.substr(begin, request.head.find("\r\n", begin) - begin);
}

void a_file_goes_in_equal_parts_that_the_store_can_check() {
  Place p;
  CHECK_EQ(hex_encode(CHECK_OK(p.put())), hex_encode(sha256(p.bytes)));
  CHECK_EQ(p.server.count("PUT"), 6U);
  for (const PartsRequest& request : p.server.requests()) {
    if (request.part == 0) continue;
    const std::string wanted = p.bytes.substr((request.part - 1) * kMib, kMib);
    CHECK_EQ(request.body_bytes, wanted.size());
    CHECK_EQ(request.body_hash, hex_encode(sha256(wanted)));
    CHECK_EQ(header(request, "x-amz-content-sha256"), request.body_hash);
    CHECK_EQ(header(request, "transfer-encoding") + header(request, "expect"), "");
    CHECK_EQ(request.line, "PUT /files/a/b%20c?partNumber=" + std::to_string(request.part) + "&uploadId=u1 HTTP/1.1");
  }
  const PartsRequest last = p.server.requests().back();
  CHECK_EQ(last.line, "POST /files/a/b%20c?uploadId=u1 HTTP/1.1");
  for (unsigned n = 1; n <= 6; ++n) {
    const std::string number = std::to_string(n);
    CHECK(last.text.find("<Part><PartNumber>" + number + "</PartNumber><ETag>\"e" + number + "\"</ETag></Part>") !=
          std::string::npos);
  }
  CHECK(p.slept.empty());
}

void parts_are_on_the_way_side_by_side() {
  Place p({}, 4);
  CHECK_OK(p.put());
  CHECK_EQ(p.server.most_at_once(), 4U);
}

void a_part_that_fails_is_sent_again_alone_and_signed_anew() {
  Place p([](const PartsRequest& r) -> std::string {
    if (r.attempt == 1 && r.part == 2) return PartsServer::error("500 Internal Server Error", "InternalError");
    if (r.attempt == 1 && r.part == 3) return "cut";
    if (r.attempt == 1 && r.part == 4) return PartsServer::answer("200 OK", "");  // no ETag
    if (r.attempt < 3 && r.part == 5) return PartsServer::error("503 Slow Down", "SlowDown");
    return "";
  });
  CHECK_EQ(hex_encode(CHECK_OK(p.put())), hex_encode(sha256(p.bytes)));
  CHECK_EQ(p.server.bytes(), p.bytes.size());
  std::map<unsigned, std::vector<std::string>> signatures;
  for (const PartsRequest& r : p.server.requests()) {
    if (r.part > 0) signatures[r.part].push_back(header(r, "x-amz-date") + header(r, "authorization"));
  }
  const std::array<std::size_t, 6> wanted{1, 2, 2, 2, 3, 1};
  for (unsigned n = 1; n <= 6; ++n) CHECK_EQ(signatures[n].size(), wanted[n - 1]);
  CHECK(signatures[2][0] != signatures[2][1]);
  CHECK_EQ(p.server.count("POST", "uploads="), 1U);
  CHECK_EQ(p.server.count("DELETE"), 0U);
}

void a_part_that_keeps_failing_ends_in_an_abort() {
  Place p([](const PartsRequest& r) -> std::string {
    return r.part == 2 ? PartsServer::error("500 Internal Server Error", "InternalError") : "";
  });
  const auto put = p.put();
  CHECK(!put);
  CHECK_EQ(put.error().code, Errc::kStore);
  CHECK(put.error().retryable && put.error().was_repeated);  // not now, by whoever called
  CHECK_EQ(put.error().detail, "store answered 500 InternalError to PUT part");
  CHECK_EQ(p.server.count("PUT", "partNumber=2&"), 3U);
  CHECK_EQ(p.server.count("DELETE", "uploadId=u1"), 1U);
  CHECK_EQ(p.server.count("POST", "uploadId="), 0U);
}

void a_part_waits_as_long_as_the_store_asks() {
  Place p([](const PartsRequest& r) -> std::string {
    if (r.attempt > 1 || r.part != 2) return "";
    return PartsServer::answer("503 Slow Down", "<Error><Code>SlowDown</Code></Error>", "Retry-After: 1\r\n");
  });
  const auto begun = std::chrono::steady_clock::now();
  CHECK_OK(p.put());
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::seconds(1));
  CHECK_EQ(p.server.count("PUT", "partNumber=2&"), 2U);
}

void with_an_empty_purse_a_part_is_sent_once() {
  Place p([](const PartsRequest& r) -> std::string {
    return r.part == 2 ? PartsServer::error("500 Internal Server Error", "InternalError") : "";
  });
  RetryQuota& purse = *p.client->options().quota;
  while (purse.take({Errc::kStore, "", {}, true}) > 0) continue;
  const auto put = p.put();
  CHECK(!put && put.error().was_repeated);
  CHECK_EQ(p.server.count("PUT", "partNumber=2&"), 1U);
}

void a_part_that_got_through_pays_back() {
  Place p([](const PartsRequest& r) -> std::string {
    return r.part == 2 && r.attempt < 3 ? PartsServer::error("500 Internal Server Error", "InternalError") : "";
  });
  CHECK_OK(p.put());
  const unsigned left = p.client->options().quota->left();
  CHECK(left >= 500 - 14);  // two were paid for, the one that worked came back
  CHECK(left < 500);
}

void a_refused_part_is_not_repeated() {
  for (const char* code : {"AccessDenied", "NoSuchUpload"}) {
    Place p([code](const PartsRequest& r) -> std::string {
      const bool gone = std::string_view(code) == "NoSuchUpload";
      return r.part == 1 ? PartsServer::error(gone ? "404 Not Found" : "403 Forbidden", code) : "";
    });
    const auto put = p.put();
    CHECK(!put && put.error().code == Errc::kStore);
    CHECK_EQ(p.server.count("PUT", "partNumber=1&"), 1U);
    CHECK_EQ(p.server.count("DELETE"), 1U);
  }
}

void an_abort_is_repeated_and_then_left_to_the_sweep() {
  for (const unsigned failures : {2U, 99U}) {
    auto left = std::make_shared<unsigned>(failures);
    Place p([left](const PartsRequest& r) -> std::string {
      if (r.part == 1) return PartsServer::error("403 Forbidden", "AccessDenied");
      if (r.line.rfind("DELETE", 0) != 0 || *left == 0) return "";
      --*left;
      return PartsServer::error("503 Slow Down", "SlowDown");
    });
    const auto put = p.put();
    CHECK_EQ(put.error().detail, "store answered 403 AccessDenied to PUT part");  // the cause, not the abort's
    CHECK_EQ(p.server.count("DELETE"), 3U);
    CHECK_EQ(p.slept.size(), 2U);
    CHECK_EQ(p.slept[0].count(), 20);  // half of the pause for those who are asked to slow down
    CHECK_EQ(p.slept[1].count(), 40);
  }
}

void a_completion_is_repeated_and_its_lost_answer_found_out() {
  auto tries = std::make_shared<int>(0);
  Place p([tries](const PartsRequest& r) -> std::string {
    if (r.line.rfind("HEAD", 0) == 0) return "HTTP/1.1 200 OK\r\nContent-Length: 5242957\r\n\r\n";
    if (r.line.rfind("POST", 0) != 0 || r.line.find("uploadId=") == std::string::npos) return "";
    ++*tries;
    if (*tries == 1) return PartsServer::error("200 OK", "InternalError");
    return *tries == 2 ? "cut" : PartsServer::error("404 Not Found", "NoSuchUpload");
  });
  CHECK_OK(p.put());
  CHECK_EQ(*tries, 3);
  CHECK_EQ(p.server.count("DELETE"), 0U);
}

void a_completion_that_keeps_failing_ends_in_an_abort() {
  Place p([](const PartsRequest& r) -> std::string {
    const bool completes = r.line.rfind("POST", 0) == 0 && r.line.find("uploadId=") != std::string::npos;
    return completes ? PartsServer::error("200 OK", "InternalError") : "";
  });
  const auto put = p.put();
  CHECK(!put && put.error().code == Errc::kStore && put.error().was_repeated);
  CHECK_EQ(p.server.count("DELETE"), 1U);
}

void an_upload_that_cannot_begin_may_be_tried_again() {
  Place p([](const PartsRequest&) { return PartsServer::error("503 Slow Down", "SlowDown"); });
  const auto put = p.put();
  CHECK(!put && put.error().retryable && !put.error().was_repeated);
  CHECK_EQ(p.server.requests().size(), 1U);
}

void a_file_that_is_shorter_than_announced_is_aborted() {
  Place p;
  const auto put = put_parts(*p.client, {.key = "a", .headers = {}, .bytes = p.file.part(6, 6 * kMib)});
  CHECK_ERR(put, Errc::kInternal);
  CHECK_EQ(p.server.count("DELETE"), 1U);
  CHECK_EQ(p.server.count("POST", "uploadId="), 0U);
}

void a_store_that_dies_is_given_up_soon() {
  auto dead = std::make_shared<bool>(false);
  Place p([dead](const PartsRequest& r) -> std::string {
    *dead = *dead || r.part == 3;
    return *dead ? "cut" : "";
  });
  const auto begun = std::chrono::steady_clock::now();
  const auto put = p.put();
  CHECK(!put && put.error().code == Errc::kStore && put.error().was_repeated);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}

void the_store_takes_parts_for_large_files_only() {
  Place p;
  const auto store = CHECK_OK(S3Store::make(Place::options(p.server), p.clock));
  const ObjectKey key = key_of("a/b c");
  CHECK_EQ(hex_encode(CHECK_OK(store->put(key, p.file.part(6, 4 * kMib + 1), text_meta()))),
           hex_encode(sha256(p.bytes.substr(0, 4 * kMib + 1))));
  CHECK_EQ(p.server.count("PUT", "partNumber="), 5U);
  const PartsRequest first = p.server.requests().front();
  CHECK_EQ(header(first, "x-amz-meta-attachment-id"), "0198c0de");
  CHECK_EQ(header(first, "cache-control"), "private, max-age=60");
  (void)store->put(key, p.file.part(6, 4 * kMib), text_meta());
  CHECK_EQ(p.server.count("PUT", "/files/a/b%20c HTTP"), 1U);
}

void a_failed_upload_is_not_begun_again_by_the_retries_of_small_calls() {
  Place p([](const PartsRequest& r) -> std::string {
    return r.part == 2 ? PartsServer::error("500 Internal Server Error", "InternalError") : "";
  });
  const auto store = CHECK_OK(S3Store::make(Place::options(p.server), p.clock));
  RetryingStore retrying(*store, RetryPolicy{}, {[](std::chrono::milliseconds) {}, [] { return 0.0; }});
  CHECK_ERR(retrying.put(key_of("a"), p.file.part(6, 5 * kMib), text_meta()), Errc::kStore);
  CHECK_EQ(p.server.count("POST", "uploads="), 1U);
}

void the_client_works_on_after_a_failed_upload() {
  auto failing = std::make_shared<bool>(true);
  Place p([failing](const PartsRequest& r) -> std::string {
    return *failing && r.part == 4 ? PartsServer::error("403 Forbidden", "AccessDenied") : "";
  });
  CHECK(!p.put());
  *failing = false;
  CHECK_OK(p.put());
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_file_goes_in_equal_parts_that_the_store_can_check),
      CASE(parts_are_on_the_way_side_by_side),
      CASE(a_part_that_fails_is_sent_again_alone_and_signed_anew),
      CASE(a_part_that_keeps_failing_ends_in_an_abort),
      CASE(a_part_waits_as_long_as_the_store_asks),
      CASE(with_an_empty_purse_a_part_is_sent_once),
      CASE(a_part_that_got_through_pays_back),
      CASE(a_refused_part_is_not_repeated),
      CASE(an_abort_is_repeated_and_then_left_to_the_sweep),
      CASE(a_completion_is_repeated_and_its_lost_answer_found_out),
      CASE(a_completion_that_keeps_failing_ends_in_an_abort),
      CASE(an_upload_that_cannot_begin_may_be_tried_again),
      CASE(a_file_that_is_shorter_than_announced_is_aborted),
      CASE(a_store_that_dies_is_given_up_soon),
      CASE(the_store_takes_parts_for_large_files_only),
      CASE(a_failed_upload_is_not_begun_again_by_the_retries_of_small_calls),
      CASE(the_client_works_on_after_a_failed_upload),
  };
  return RUN_TESTS("s3_parts_wire", tests);
}
