// credentials_test.cc — when credentials are fetched anew, and what happens when that fails; how long URLs live by
// them.
#include "storage/credentials.h"

#include <deque>
#include <string>

#include "check.h"
#include "fake/clock.h"
#include "storage/s3_client.h"

using namespace cloakroom;  // NOLINT: a test
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

const TimePoint kStart{seconds(1769851800)};

// Answers what is laid up for it; repeats the last.
class FakeProvider final : public CredentialProvider {
 public:
  struct Script {
    std::deque<Result<std::optional<Credentials>>> answers;
    int asked = 0;
  };
  explicit FakeProvider(Script& script) : script_(script) {}
  std::string_view name() const override { return "the fake"; }
  Result<std::optional<Credentials>> fetch() override {
    ++script_.asked;
    Result<std::optional<Credentials>> next = script_.answers.front();
    if (script_.answers.size() > 1) script_.answers.pop_front();
    return next;
  }

 private:
  Script& script_;
};

using Script = FakeProvider::Script;

std::optional<Credentials> ending(const std::string& id, std::optional<TimePoint> end) {
  return Credentials{id, "secret-of-" + id, "token-of-" + id, end};
}
const Error kAway{Errc::kStore, "the fake answered 500", {}, true};

RefreshingCredentials made_of(std::initializer_list<Script*> scripts) {
  std::vector<std::unique_ptr<CredentialProvider>> providers;
  for (Script* script : scripts) providers.push_back(std::make_unique<FakeProvider>(*script));
  return RefreshingCredentials(std::move(providers));
}

std::string id_at(RefreshingCredentials& source, TimePoint when) {
  return CHECK_OK(source.current(when)).access_key_id;
}

void lasting_credentials_are_fetched_once() {
  Script script{{ending("a", std::nullopt)}};
  auto source = made_of({&script});
  CHECK_EQ(script.asked, 0);
  for (int day = 0; day < 400; ++day) CHECK_EQ(id_at(source, kStart + std::chrono::hours(24 * day)), "a");
  CHECK_EQ(script.asked, 1);
}

void they_are_fetched_again_a_quarter_of_an_hour_before_their_end() {
  Script script{{ending("a", kStart + minutes(60)), ending("b", kStart + minutes(120))}};
  auto source = made_of({&script});
  CHECK_EQ(id_at(source, kStart), "a");
  CHECK_EQ(id_at(source, kStart + minutes(45) - seconds(1)), "a");
  CHECK_EQ(script.asked, 1);
  CHECK_EQ(id_at(source, kStart + minutes(45)), "b");
  CHECK_EQ(id_at(source, kStart + minutes(60)), "b");
  CHECK_EQ(script.asked, 2);
}

void a_failed_refresh_keeps_the_old_ones_and_is_repeated_after_a_pause() {
  Script script{{ending("a", kStart + minutes(60)), kAway, kAway, ending("b", kStart + minutes(120))}};
  auto source = made_of({&script});
  CHECK_EQ(id_at(source, kStart), "a");
  for (int i = 0; i < 59; ++i) CHECK_EQ(id_at(source, kStart + minutes(45) + seconds(i)), "a");
  CHECK_EQ(script.asked, 2);
  CHECK_EQ(id_at(source, kStart + minutes(46)), "a");
  CHECK_EQ(script.asked, 3);
  CHECK_EQ(id_at(source, kStart + minutes(47)), "b");
  CHECK_EQ(script.asked, 4);
}

void in_the_last_ten_minutes_the_pause_is_shorter() {
  Script script{{ending("a", kStart + minutes(60)), kAway}};
  auto source = made_of({&script});
  CHECK_EQ(id_at(source, kStart), "a");
  for (int i = 0; i < 60; ++i) CHECK_EQ(id_at(source, kStart + minutes(50) + seconds(i)), "a");
  CHECK_EQ(script.asked, 1 + 6);
}

void after_their_end_there_are_none_until_a_fetch_works() {
  Script script{{ending("a", kStart + minutes(60)), kAway, kAway, kAway, ending("b", kStart + minutes(120))}};
  auto source = made_of({&script});
  CHECK_EQ(id_at(source, kStart), "a");
  CHECK_EQ(id_at(source, kStart + minutes(60) - seconds(5)), "a");
  CHECK_EQ(script.asked, 2);
  const auto none = source.current(kStart + minutes(60));
  CHECK(!none);
  CHECK_EQ(none.error().code, Errc::kStore);
  CHECK_EQ(none.error().detail, "the fake answered 500");
  CHECK(!none.error().retryable);
  for (int i = 0; i < 100; ++i) CHECK_ERR(source.current(kStart + minutes(60) + seconds(1)), Errc::kStore);
  CHECK_EQ(script.asked, 3);
  CHECK_ERR(source.current(kStart + minutes(60) + seconds(2)), Errc::kStore);
  CHECK_EQ(id_at(source, kStart + minutes(60) + seconds(4)), "b");
}

void the_first_place_that_has_some_is_kept() {
  Script empty{{std::optional<Credentials>()}};
  Script middle{{ending("a", kStart + minutes(60)), std::optional<Credentials>()}};
  Script last{{ending("z", std::nullopt)}};
  auto source = made_of({&empty, &middle, &last});
  CHECK_EQ(id_at(source, kStart), "a");
  CHECK_EQ(id_at(source, kStart + minutes(50)), "a");  // not another identity, because one place is empty today
  CHECK_EQ(empty.asked, 1);
  CHECK_EQ(last.asked, 0);
}

void a_place_that_fails_does_not_lead_to_the_next() {
  Script broken{{kAway}};
  Script last{{ending("z", std::nullopt)}};
  auto source = made_of({&broken, &last});
  CHECK_ERR(source.current(kStart), Errc::kStore);
  CHECK_EQ(last.asked, 0);
}

void distrusted_ones_are_fetched_again_but_not_for_each_request() {
  Script script{{ending("a", std::nullopt), kAway, ending("b", std::nullopt)}};
  auto source = made_of({&script});
  CHECK_EQ(id_at(source, kStart), "a");
  source.distrust(kStart + seconds(59));  // a store that calls the freshest ended
  CHECK_EQ(id_at(source, kStart + seconds(59)), "a");
  CHECK_EQ(script.asked, 1);
  source.distrust(kStart + minutes(5));
  CHECK_EQ(id_at(source, kStart + minutes(5)), "a");  // better than none: the store may change its mind
  CHECK_EQ(id_at(source, kStart + minutes(5) + seconds(1)), "a");
  CHECK_EQ(script.asked, 2);
  CHECK_EQ(id_at(source, kStart + minutes(6)), "b");
  CHECK_EQ(id_at(source, kStart + minutes(60)), "b");
  CHECK_EQ(script.asked, 3);
}

void any_failure_of_a_place_is_one_of_the_store() {
  for (const Errc code : {Errc::kNotFound, Errc::kInvalid, Errc::kInternal}) {
    Script broken{{Error{code, "cannot open '/run/token'"}}};
    auto source = made_of({&broken});
    CHECK_ERR(source.current(kStart), Errc::kStore);
  }
}

void without_any_the_error_says_what_to_set() {
  Script empty{{std::optional<Credentials>()}};
  auto source = made_of({&empty});
  const auto none = source.current(kStart);
  CHECK(!none);
  CHECK_EQ(none.error().detail,
           "no S3 credentials: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY; nothing was found in the fake");
}

void credentials_that_cannot_be_used_are_refused_without_being_shown() {
  for (const Credentials& bad : {Credentials{"", "sekret", ""}, Credentials{"id", "", ""},
                                 Credentials{"i\nd", "sekret", ""}, Credentials{"id", "sekret", "to\r\nken"},
                                 Credentials{"id", "sekret", "t\xC3\xBC"}, Credentials{"id", "sekret", "", kStart}}) {
    Script script{{std::optional<Credentials>(bad)}};
    auto source = made_of({&script});
    const auto none = source.current(kStart);
    CHECK(!none);
    CHECK_EQ(none.error().code, Errc::kStore);
    CHECK(none.error().detail.find("sekret") == std::string::npos &&
          none.error().detail.find("ken") == std::string::npos);
  }
}

void a_clock_set_back_does_not_stop_the_fetching() {
  Script script{{kAway, ending("a", std::nullopt)}};
  auto source = made_of({&script});
  CHECK_ERR(source.current(kStart), Errc::kStore);
  CHECK_EQ(id_at(source, kStart - minutes(60)), "a");
}

S3Options options_with(std::shared_ptr<CredentialSource> source) {
  S3Options o;
  o.endpoint = "https://s3.example.com";
  o.bucket = "files";
  o.credentials = std::move(source);
  return o;
}

void a_presigned_url_ends_with_the_credentials_that_signed_it() {
  const fake::FixedClock clock(unix_seconds(kStart).count());
  Script script{{ending("a", kStart + minutes(60))}};
  const auto client =
      CHECK_OK(S3Client::make(options_with(std::make_shared<RefreshingCredentials>(made_of({&script}))), clock));
  const auto lives = [&](seconds wanted) {
    const std::string url = CHECK_OK(client->presign_url({.method = "GET", .key = "k", .expires = wanted}));
    CHECK(url.find("X-Amz-Credential=a%2F") != std::string::npos);
    CHECK(url.find("X-Amz-Security-Token=token-of-a") != std::string::npos);
    const std::size_t at = url.find("X-Amz-Expires=") + 14;
    return url.substr(at, url.find('&', at) - at);
  };
  CHECK_EQ(lives(seconds(604800)), "3600");
  CHECK_EQ(lives(seconds(3601)), "3600");
  CHECK_EQ(lives(seconds(60)), "60");
  const PostForm form = CHECK_OK(
      client->presign_post({.key = "k", .content_type = "a/b", .max_bytes = 1, .expires = std::chrono::hours(24)}));
  const PostForm same =
      CHECK_OK(client->presign_post({.key = "k", .content_type = "a/b", .max_bytes = 1, .expires = minutes(60)}));
  const auto policy = [](const PostForm& f) { return f.fields.at(f.fields.size() - 2).value; };
  CHECK_EQ(policy(form), policy(same));
}

void credentials_with_an_end_or_a_session_are_temporary() {
  const fake::FixedClock clock(unix_seconds(kStart).count());
  const auto is_temporary = [&clock](const Credentials& credentials) {
    const auto client = CHECK_OK(S3Client::make(options_with(std::make_shared<StaticCredentials>(credentials)), clock));
    return CHECK_OK(client->is_temporary());
  };
  CHECK(!is_temporary({"id", "secret", "", std::nullopt}));
  CHECK(is_temporary({"id", "secret", "token", std::nullopt}));
  CHECK(is_temporary({"id", "secret", "", kStart + minutes(60)}));
}

void without_credentials_nothing_is_signed_or_sent() {
  const fake::FixedClock clock(unix_seconds(kStart).count());
  Script script{{kAway}};
  const auto client =
      CHECK_OK(S3Client::make(options_with(std::make_shared<RefreshingCredentials>(made_of({&script}))), clock));
  CHECK_ERR(client->call({.method = "HEAD"}), Errc::kStore);
  CHECK_ERR(client->presign_url({.method = "GET", .key = "k", .expires = seconds(60)}), Errc::kStore);
  CHECK_ERR(client->presign_post({.key = "k", .content_type = "a/b", .expires = seconds(60)}), Errc::kStore);
  CHECK_EQ(script.asked, 1);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(lasting_credentials_are_fetched_once),
      CASE(they_are_fetched_again_a_quarter_of_an_hour_before_their_end),
      CASE(a_failed_refresh_keeps_the_old_ones_and_is_repeated_after_a_pause),
      CASE(in_the_last_ten_minutes_the_pause_is_shorter),
      CASE(after_their_end_there_are_none_until_a_fetch_works),
      CASE(the_first_place_that_has_some_is_kept),
      CASE(a_place_that_fails_does_not_lead_to_the_next),
      CASE(distrusted_ones_are_fetched_again_but_not_for_each_request),
      CASE(any_failure_of_a_place_is_one_of_the_store),
      CASE(without_any_the_error_says_what_to_set),
      CASE(credentials_that_cannot_be_used_are_refused_without_being_shown),
      CASE(a_clock_set_back_does_not_stop_the_fetching),
      CASE(a_presigned_url_ends_with_the_credentials_that_signed_it),
      CASE(credentials_with_an_end_or_a_session_are_temporary),
      CASE(without_credentials_nothing_is_signed_or_sent),
  };
  return RUN_TESTS("credentials", tests);
}
