// abort_multipart_test.cc — the job that drops the parts of a direct upload nobody completed.
#include "jobs/abort_multipart.h"

#include <string>

#include "check.h"
#include "fake/direct.h"

using namespace cloakroom;

namespace {

Job job(std::string payload) {
  return {.id = 1, .kind = "abort_multipart", .payload = std::move(payload), .attempts = 1};
}

DirectStoreOfKind only(fake::FakeDirectStore* store, StoreKind kind = StoreKind::kS3) {
  return [store, kind](StoreKind asked) { return asked == kind ? store : nullptr; };
}

const Job kGood = job(R"({"key": "quarantine/a", "upload_id": "upload-1"})");

}  // namespace

static void the_upload_is_aborted_and_again_is_a_success() {
  fake::FakeDirectStore store;
  store.unfinished.insert("upload-1");
  const JobHandler handler = abort_multipart_handler(only(&store));
  CHECK_OK(handler(kGood));
  CHECK(store.unfinished.empty());
  CHECK_OK(handler(kGood));
}

static void the_store_of_the_ticket_is_asked() {
  fake::FakeDirectStore store;
  store.unfinished.insert("upload-1");
  const Job of_second = job(R"({"store": "s3-secondary", "key": "quarantine/a", "upload_id": "upload-1"})");
  CHECK_ERR(abort_multipart_handler(only(&store))(of_second), Errc::kInternal);
  CHECK_EQ(store.unfinished.size(), 1u);
  CHECK_OK(abort_multipart_handler(only(&store, StoreKind::kS3Secondary))(of_second));
  CHECK(store.unfinished.empty());
}

static void a_store_that_is_away_makes_the_job_come_again() {
  fake::FakeDirectStore store;
  store.failures.fail(1, {Errc::kStore, "away"});
  CHECK_ERR(abort_multipart_handler(only(&store))(kGood), Errc::kStore);
}

static void a_malformed_payload_and_a_missing_store_are_faults_that_name_no_key() {
  fake::FakeDirectStore store;
  for (const char* payload :
       {"", "[]", "{}", R"({"key": "a"})", R"({"key": 1, "upload_id": "x"})",
        R"({"key": "secret/../key", "upload_id": "x"})", R"({"store": "secret", "key": "a", "upload_id": "x"})"}) {
    const Status done = abort_multipart_handler(only(&store))(job(payload));
    CHECK(!done && done.error().code == Errc::kInternal);
    CHECK(done.error().detail.find("secret") == std::string::npos);
  }
  CHECK_ERR(abort_multipart_handler(only(nullptr))(kGood), Errc::kInternal);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_upload_is_aborted_and_again_is_a_success),
      CASE(the_store_of_the_ticket_is_asked),
      CASE(a_store_that_is_away_makes_the_job_come_again),
      CASE(a_malformed_payload_and_a_missing_store_are_faults_that_name_no_key),
  };
  return RUN_TESTS("abort_multipart", tests);
}
