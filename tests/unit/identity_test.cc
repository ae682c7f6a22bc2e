// identity_test.cc — who a request comes from, in each mode, and for whom the service may speak.
#include "auth/identity.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

using Mode = IdentityOptions::Mode;

const std::string kSecret = "0123456789abcdef";
const std::string kServiceToken = "service-token-of-tests";
const TimePoint kNow{std::chrono::seconds(1769851800)};

Identity identity(Mode mode, const std::string& cookie = "session", const std::string& service = kServiceToken) {
  std::optional<JwtVerifier> jwt;
  if (mode == Mode::kJwt) jwt = CHECK_OK(JwtVerifier::make({kSecret, ""}));
  return {{.mode = mode, .jwt_cookie = cookie, .service_token = service}, std::move(jwt)};
}

std::string token(const std::string& user) {
  return make_jwt(kSecret, "sub", {user, kNow, kNow + std::chrono::seconds(60)});
}

// "user:NAME", "service", "service:NAME" or "refused:CODE".
std::string who(const Identity& id, const Evidence& evidence) {
  const auto caller = id.who(evidence, kNow);
  if (!caller) return "refused:" + t::show(caller.error().code);
  const std::string name = caller->user_id ? ":" + *caller->user_id : "";
  return (caller->is_service() ? "service" : "user") + name;
}

const std::string kUnknown = "refused:" + t::show(Errc::kUnauthenticated);
const std::string kMalformed = "refused:" + t::show(Errc::kInvalid);

}  // namespace

static void a_token_comes_in_the_header_or_in_the_cookie() {
  const Identity id = identity(Mode::kJwt);
  for (const char* scheme : {"Bearer ", "bearer ", "BEARER  "}) {
    const std::string header = scheme + token("alice");
    CHECK_EQ(who(id, {.authorization = header}), "user:alice");
  }
  const std::string cookie = "a=b; session=" + token("bob") + "; z=1";
  CHECK_EQ(who(id, {.cookie = cookie}), "user:bob");
  const std::string header = "Bearer " + token("alice");
  CHECK_EQ(who(id, {.authorization = header, .cookie = cookie}), "user:alice");
}

static void a_request_without_a_good_token_is_nobodys() {
  const Identity id = identity(Mode::kJwt);
  const std::string basic = "Basic " + token("alice");
  const std::string bare = token("alice");
  const std::string other_cookie = "xsession=" + token("bob") + "; session =" + token("bob") + "; sessionx=1; session";
  for (const std::string_view header : {std::string_view(""), std::string_view("Bearer"), std::string_view("Bearer "),
                                        std::string_view("Bearer x"), std::string_view(basic), std::string_view(bare)})
    CHECK_EQ(who(id, {.authorization = header, .cookie = other_cookie}), kUnknown);
  CHECK_EQ(who(id, {.remote_user = "alice"}), kUnknown);  // nginx's word counts in its own mode alone
}

static void a_cookie_counts_only_when_it_is_configured() {
  const std::string cookie = "session=" + token("bob");
  const std::string nameless = "=" + token("bob");
  const Identity id = identity(Mode::kJwt, "");
  CHECK_EQ(who(id, {.cookie = cookie}), kUnknown);
  CHECK_EQ(who(id, {.cookie = nameless}), kUnknown);
}

static void a_bad_token_in_the_header_is_not_rescued_by_the_cookie() {
  const std::string cookie = "session=" + token("bob");
  CHECK_EQ(who(identity(Mode::kJwt), {.authorization = "Bearer stale", .cookie = cookie}), kUnknown);
}

static void nginx_names_the_user_in_header_mode() {
  const Identity id = identity(Mode::kHeader);
  const std::string jwt = "Bearer " + token("mallory");
  CHECK_EQ(who(id, {.remote_user = "alice"}), "user:alice");
  CHECK_EQ(who(id, {.authorization = jwt, .remote_user = "alice"}), "user:alice");
  CHECK_EQ(who(id, {.authorization = jwt}), kUnknown);
  for (const char* user : {"", "a\nb", "\xFF"}) CHECK_EQ(who(id, {.remote_user = user}), kUnknown);
}

static void everybody_is_anonymous_without_authentication() {
  CHECK_EQ(who(identity(Mode::kNone), {.remote_user = "alice"}), "user:anonymous");
}

static void the_service_token_works_in_every_mode() {
  const std::string header = "Bearer " + kServiceToken;
  for (const Mode mode : {Mode::kJwt, Mode::kHeader, Mode::kNone}) {
    const Identity id = identity(mode);
    CHECK_EQ(who(id, {.authorization = header, .remote_user = "alice"}), "service");
    CHECK_EQ(who(id, {.authorization = header, .uploader_id = "alice"}), "service:alice");
  }
}

static void part_of_the_service_token_is_no_service_token() {
  const Identity id = identity(Mode::kHeader);
  const std::string shorter = "Bearer " + kServiceToken.substr(1);
  const std::string longer = "Bearer " + kServiceToken + "x";
  CHECK_EQ(who(id, {.authorization = shorter}), kUnknown);
  CHECK_EQ(who(id, {.authorization = longer}), kUnknown);
  const std::string cookie = "session=" + kServiceToken;
  CHECK_EQ(who(identity(Mode::kJwt), {.cookie = cookie}), kUnknown);
}

static void an_unset_service_token_lets_nobody_in() {
  for (const char* header : {"", "Bearer", "Bearer ", "Bearer  "})
    CHECK_EQ(who(identity(Mode::kHeader, "", ""), {.authorization = header}), kUnknown);
}

static void only_the_service_speaks_for_a_user() {
  const std::string jwt = "Bearer " + token("alice");
  CHECK_EQ(who(identity(Mode::kJwt), {.authorization = jwt, .uploader_id = "bob"}), kMalformed);
  CHECK_EQ(who(identity(Mode::kJwt), {.authorization = jwt, .uploader_id = "alice"}), kMalformed);
  CHECK_EQ(who(identity(Mode::kNone), {.uploader_id = "bob"}), kMalformed);
  const std::string service = "Bearer " + kServiceToken;
  const std::string too_long(256, 'x');
  for (const std::string_view user : {std::string_view("\xFF"), std::string_view("a\x01"), std::string_view(too_long)})
    CHECK_EQ(who(identity(Mode::kJwt), {.authorization = service, .uploader_id = user}), kMalformed);
}

static void the_application_lets_a_user_in_through_nginx_alone() {
  const std::string file = "0198c0de-beef-7abc-89ab-0123456789ab";
  Evidence said{.remote_user = "alice", .app_access = "granted", .app_access_id = file};
  CHECK(CHECK_OK(identity(Mode::kHeader).who(said, kNow)).granted_id == CHECK_OK(parse_uuid(file)));
  CHECK(!CHECK_OK(identity(Mode::kNone).who(said, kNow)).granted_id);
  const std::string bearer = "Bearer " + token("alice");
  said.authorization = bearer;
  CHECK(!CHECK_OK(identity(Mode::kJwt).who(said, kNow)).granted_id);
  for (const auto& [word, id] : {std::pair("Granted", file.c_str()), std::pair("", file.c_str()),
                                 std::pair("granted", ""), std::pair("granted", "x")}) {
    const Evidence other{.remote_user = "alice", .app_access = word, .app_access_id = id};
    CHECK(!CHECK_OK(identity(Mode::kHeader).who(other, kNow)).granted_id);
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_token_comes_in_the_header_or_in_the_cookie),
      CASE(a_request_without_a_good_token_is_nobodys),
      CASE(a_cookie_counts_only_when_it_is_configured),
      CASE(a_bad_token_in_the_header_is_not_rescued_by_the_cookie),
      CASE(nginx_names_the_user_in_header_mode),
      CASE(everybody_is_anonymous_without_authentication),
      CASE(the_service_token_works_in_every_mode),
      CASE(part_of_the_service_token_is_no_service_token),
      CASE(an_unset_service_token_lets_nobody_in),
      CASE(only_the_service_speaks_for_a_user),
      CASE(the_application_lets_a_user_in_through_nginx_alone),
  };
  return RUN_TESTS("identity", tests);
}
