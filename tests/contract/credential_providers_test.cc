// credential_providers_test.cc — credentials from a file, a token service and a metadata service on loopback.
#include "storage/credential_providers.h"

#include <chrono>
#include <string>

#include "fake/clock.h"
#include "fake/temp_folder.h"
#include "scripted_server.h"
#include "storage/s3_client.h"
#include "storage/s3_errors.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

const std::string kSecret = "wJalr/secret+that=must-not-show";
constexpr std::string_view kEnd = "2026-01-31T15:30:00Z";

std::string answer(const std::string& status, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string error_of(CredentialProvider& provider) {
  const auto result = provider.fetch();
  if (result) t::raise(__FILE__, __LINE__, "fetch() succeeded");
  CHECK(result.error().code == Errc::kStore || result.error().code == Errc::kInvalid ||
        result.error().code == Errc::kNotFound);
  CHECK(result.error().detail.find(kSecret) == std::string::npos);
  CHECK(result.error().detail.find("sekret") == std::string::npos);
  return result.error().detail;
}

Credentials taken(CredentialProvider& provider) {
  const std::optional<Credentials> found = CHECK_OK(provider.fetch());
  CHECK(found.has_value());
  return *found;
}

// The shared credentials file

Credentials from_file(const std::string& text, const std::string& profile) {
  const fake::TempFolder folder;
  SharedFileProvider provider({folder.write("credentials", text), profile, true});
  return taken(provider);
}

void a_profile_is_read_from_the_file() {
  const std::string text =
      "# of the team\n[default]\r\naws_access_key_id = AKID1\r\naws_secret_access_key=se=cr/et1\r\n\n"
      "; the other\n[ batch ]\nAWS_ACCESS_KEY_ID=AKID2\n  aws_secret_access_key = secret2\n"
      "aws_session_token = tok\nregion = eu-west-1\n[last]\nnonsense\naws_access_key_id=AKID3\naws_secret_access_key=x";
  CHECK_EQ(from_file(text, "default").access_key_id, "AKID1");
  CHECK_EQ(from_file(text, "default").secret_access_key, "se=cr/et1");
  CHECK_EQ(from_file(text, "default").session_token, "");
  CHECK_EQ(from_file(text, "batch").access_key_id, "AKID2");
  CHECK_EQ(from_file(text, "batch").session_token, "tok");
  CHECK_EQ(from_file(text, "last").secret_access_key, "x");
  CHECK(!from_file(text, "last").expires_at);
}

void a_file_that_was_named_must_be_of_use() {
  const fake::TempFolder folder;
  SharedFileProvider absent({folder / "absent", "default", true});
  CHECK(error_of(absent).find("absent") != std::string::npos);
  const std::string path = folder.write("credentials", "[default]\naws_secret_access_key = " + kSecret + "\n");
  SharedFileProvider half({path, "default", true});
  CHECK_EQ(error_of(half), "profile 'default' in '" + path + "' has no aws_access_key_id or no aws_secret_access_key");
  SharedFileProvider other({path, "other", true});
  CHECK_EQ(error_of(other), "profile 'other' in '" + path + "' does not exist");
  SharedFileProvider huge({folder.write("huge", std::string(70000, '#')), "default", true});
  CHECK(error_of(huge).find("larger than 65536 bytes") != std::string::npos);
}

void a_file_that_nobody_named_may_be_absent_or_empty() {
  const fake::TempFolder folder;
  SharedFileProvider absent({folder / "absent", "default", false});
  CHECK(!CHECK_OK(absent.fetch()).has_value());
  SharedFileProvider empty({folder.write("credentials", ""), "default", false});
  CHECK(!CHECK_OK(empty.fetch()).has_value());
}

// The web identity

std::string role_xml(const std::string& end = std::string(kEnd)) {
  return "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
         "  <AssumeRoleWithWebIdentityResult><Credentials><SessionToken>tok/en+1==</SessionToken>"
         "<SecretAccessKey>" +
         kSecret + "</SecretAccessKey><Expiration>" + end +
         "</Expiration><AccessKeyId>ASIA1</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult>"
         "</AssumeRoleWithWebIdentityResponse>";
}

WebIdentityProvider::Options identity(const ScriptedServer& server, const std::string& file) {
  return {file, "arn:aws:iam::1:role/files", "cloakroom", server.endpoint(), std::chrono::milliseconds(400)};
}

void a_role_is_assumed_with_the_token_as_it_is_now_and_without_a_signature() {
  ScriptedServer server({answer("200 OK", role_xml()), answer("200 OK", role_xml("2026-01-31T16:30:00.500Z"))});
  const fake::TempFolder folder;
  WebIdentityProvider provider(identity(server, folder.write("token", "first.token&1\n")));
  const Credentials credentials = taken(provider);
  CHECK_EQ(credentials.access_key_id, "ASIA1");
  CHECK_EQ(credentials.secret_access_key, kSecret);
  CHECK_EQ(credentials.session_token, "tok/en+1==");
  CHECK_EQ(iso8601_ms(*credentials.expires_at), "2026-01-31T15:30:00.000Z");
  folder.write("token", "second.token");
  CHECK_EQ(iso8601_ms(*taken(provider).expires_at), "2026-01-31T16:30:00.000Z");

  const std::string first = server.requests().at(0);
  CHECK_EQ(first.substr(0, first.find("\r\n")), "POST / HTTP/1.1");
  CHECK_EQ(first.substr(first.find("\r\n\r\n") + 4),
           "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Ffiles"
           "&RoleSessionName=cloakroom&WebIdentityToken=first.token%261");
  CHECK(first.find("\r\nContent-Type: application/x-www-form-urlencoded\r\n") != std::string::npos);
  CHECK(ascii_lower(first).find("authorization") == std::string::npos);
  CHECK(server.requests().at(1).ends_with("&WebIdentityToken=second.token"));
}

void what_the_token_service_refuses_is_named_by_its_code_alone() {
  ScriptedServer server(
      {answer("400 Bad Request",
              "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredTokenException</Code><Message>Token sekret expired"
              "</Message></Error></ErrorResponse>"),
       answer("503 Unavailable", "sekret"), answer("200 OK", "<html>sekret"), answer("200 OK", role_xml("soon")),
       answer("200 OK", "<AssumeRoleWithWebIdentityResponse/>"),
       answer("307 Temporary Redirect\r\nLocation: http://127.0.0.1:9/", "")});
  const fake::TempFolder folder;
  WebIdentityProvider provider(identity(server, folder.write("token", "sekret.token")));
  CHECK_EQ(error_of(provider), "the token service answered 400 ExpiredTokenException");
  CHECK_EQ(error_of(provider), "the token service answered 503");
  for (int i = 0; i < 3; ++i) CHECK_EQ(error_of(provider), "cannot read the answer of the token service");
  CHECK_EQ(error_of(provider), "the token service answered 307");  // the token goes nowhere else
}

void a_web_identity_without_a_token_asks_nobody() {
  ScriptedServer server({answer("200 OK", role_xml())});
  const fake::TempFolder folder;
  WebIdentityProvider empty(identity(server, folder.write("token", " \n")));
  CHECK(error_of(empty).find("holds no token") != std::string::npos);
  WebIdentityProvider absent(identity(server, folder / "absent"));
  CHECK(error_of(absent).find("absent") != std::string::npos);
  CHECK_EQ(server.requests().size(), 0U);
}

// The metadata service

std::string metadata_json(const std::string& end = std::string(kEnd)) {
  return "{\"Code\":\"Success\",\"LastUpdated\":\"2026-01-31T09:30:00Z\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":"
         "\"ASIA2\","
         "\"SecretAccessKey\":\"" +
         kSecret + "\",\"Token\":\"tok/en+2==\",\"Expiration\":\"" + end + "\"}";
}

MetadataProvider metadata(const ScriptedServer& server) {
  return MetadataProvider({server.endpoint(), std::chrono::milliseconds(300)});
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void the_role_of_a_machine_is_asked_for_by_version_2() {
  ScriptedServer server(
      {answer("200 OK", "AQAE-token=="), answer("200 OK", "files role"), answer("200 OK", metadata_json())});
  MetadataProvider provider = metadata(server);
  const Credentials credentials = taken(provider);
  CHECK_EQ(credentials.access_key_id, "ASIA2");
  CHECK_EQ(credentials.secret_access_key, kSecret);
  CHECK_EQ(credentials.session_token, "tok/en+2==");
  CHECK_EQ(iso8601_ms(*credentials.expires_at), "2026-01-31T15:30:00.000Z");
  const auto requests = server.requests();
  CHECK(has(requests.at(0), "PUT /latest/api/token HTTP/1.1\r\n"));
  CHECK(has(requests.at(0), "\r\nX-aws-ec2-metadata-token-ttl-seconds: 21600\r\n"));
  CHECK(has(requests.at(1), "GET /latest/meta-data/iam/security-credentials/ HTTP/1.1\r\n"));
  CHECK(has(requests.at(2), "GET /latest/meta-data/iam/security-credentials/files%20role HTTP/1.1\r\n"));
  for (const std::size_t i : {1U, 2U}) CHECK(has(requests.at(i), "\r\nX-aws-ec2-metadata-token: AQAE-token==\r\n"));
}

void a_machine_without_a_role_has_no_credentials() {
  ScriptedServer server(
      {answer("200 OK", "t"), answer("404 Not Found", ""), answer("200 OK", "t"), answer("200 OK", "\n")});
  MetadataProvider provider = metadata(server);
  CHECK(!CHECK_OK(provider.fetch()).has_value());
  CHECK(!CHECK_OK(provider.fetch()).has_value());
}

void without_a_token_version_1_is_not_tried() {
  ScriptedServer server({answer("403 Forbidden", "sekret"), answer("200 OK", ""), answer("200 OK", "a\r\nb")});
  MetadataProvider provider = metadata(server);
  CHECK_EQ(error_of(provider), "the instance metadata service answered 403");
  CHECK_EQ(error_of(provider), "the instance metadata service gave no token");
  CHECK_EQ(error_of(provider), "the instance metadata service gave no token");
  for (const std::string& request : server.requests()) CHECK(has(request, "PUT /latest/api/token"));
}

void bad_answers_of_the_metadata_service_are_errors_that_quote_nothing() {
  const std::array<std::string, 7> bad{
      answer("500 Oops", "sekret"),
      answer("200 OK", "sekret, not JSON"),
      answer("200 OK", "{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"sekret\"}"),
      answer("200 OK", metadata_json("soon")),
      answer("200 OK", "{}"),
      answer("200 OK", metadata_json().substr(0, 60)),
      answer("200 OK", "[" + std::string(200000, ' '))};
  for (const std::string& last : bad) {
    ScriptedServer server({answer("200 OK", "t"), answer("200 OK", "role"), last});
    MetadataProvider provider = metadata(server);
    CHECK(has(error_of(provider), "the instance metadata service "));
  }
}

void a_server_that_hangs_is_given_up_in_bounded_time() {
  ScriptedServer server({Reply("", true)});  // takes the request and says nothing
  const auto begun = std::chrono::steady_clock::now();
  MetadataProvider provider = metadata(server);
  error_of(provider);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(2));

  ScriptedServer trickle({Reply("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", true)});
  const fake::TempFolder folder;
  WebIdentityProvider identity_provider(identity(trickle, folder.write("token", "t")));
  error_of(identity_provider);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(4));
}

// All together: a store is called with what the machine gave.

void a_store_is_called_with_the_credentials_of_the_machine() {
  ScriptedServer machine({answer("200 OK", "t"), answer("200 OK", "role"), answer("200 OK", metadata_json())});
  ScriptedServer store({answer("200 OK", ""), answer("200 OK", "")});
  const fake::FixedClock clock;  // six hours before the end
  CredentialPlaces places;
  const fake::TempFolder folder;
  places.shared_file = {folder / "absent", "default", false};
  places.metadata.endpoint = machine.endpoint();
  S3Options options;
  options.endpoint = store.endpoint();
  options.bucket = "files";
  options.credentials = std::make_shared<RefreshingCredentials>(credential_chain(places));
  const auto client = CHECK_OK(S3Client::make(options, clock));
  CHECK_EQ(CHECK_OK(client->call({.method = "HEAD"})).status, 200);
  CHECK_EQ(CHECK_OK(client->call({.method = "HEAD"})).status, 200);
  CHECK_EQ(machine.requests().size(), 3U);
  for (const std::string& request : store.requests()) {
    CHECK(has(request, "Credential=ASIA2/20260131/us-east-1/s3/aws4_request"));
    CHECK(has(request, "\r\nx-amz-security-token: tok/en+2==\r\n"));
    CHECK(!has(request, kSecret));
  }
}

void a_store_that_calls_the_token_ended_gets_a_fresh_one() {
  struct MovingClock final : Clock {
    TimePoint now() const override { return when; }
    TimePoint when = TimePoint(std::chrono::seconds(1769851800));
  } clock;
  const fake::TempFolder folder;
  const auto profile = [](const std::string& id) {
    return "[default]\naws_access_key_id=" + id + "\naws_secret_access_key=s\naws_session_token=t\n";
  };
  CredentialPlaces places;
  places.shared_file = {folder.write("credentials", profile("OLD")), "default", true};
  const std::string ended = "<Error><Code>ExpiredToken</Code><Message>x</Message></Error>";
  ScriptedServer store({answer("200 OK", ""), answer("400 Bad Request", ended), answer("200 OK", "")});
  S3Options options;
  options.endpoint = store.endpoint();
  options.bucket = "files";
  options.credentials = std::make_shared<RefreshingCredentials>(credential_chain(places));
  const auto client = CHECK_OK(S3Client::make(options, clock));
  CHECK_EQ(CHECK_OK(client->call({.method = "GET", .key = "k"})).status, 200);
  folder.write("credentials", profile("NEW"));
  clock.when += std::chrono::hours(1);
  const HttpAnswer refused = CHECK_OK(client->call({.method = "GET", .key = "k"}));
  CHECK(s3_error("GET", refused).retryable);
  CHECK_EQ(CHECK_OK(client->call({.method = "GET", .key = "k"})).status, 200);
  CHECK(has(store.requests().at(1), "Credential=OLD/"));
  CHECK(has(store.requests().at(2), "Credential=NEW/"));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_profile_is_read_from_the_file),
      CASE(a_file_that_was_named_must_be_of_use),
      CASE(a_file_that_nobody_named_may_be_absent_or_empty),
      CASE(a_role_is_assumed_with_the_token_as_it_is_now_and_without_a_signature),
      CASE(what_the_token_service_refuses_is_named_by_its_code_alone),
      CASE(a_web_identity_without_a_token_asks_nobody),
      CASE(the_role_of_a_machine_is_asked_for_by_version_2),
      CASE(a_machine_without_a_role_has_no_credentials),
      CASE(without_a_token_version_1_is_not_tried),
      CASE(bad_answers_of_the_metadata_service_are_errors_that_quote_nothing),
      CASE(a_server_that_hangs_is_given_up_in_bounded_time),
      CASE(a_store_is_called_with_the_credentials_of_the_machine),
      CASE(a_store_that_calls_the_token_ended_gets_a_fresh_one),
  };
  return RUN_TESTS("contract_credential_providers", tests);
}
