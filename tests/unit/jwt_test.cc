// jwt_test.cc — tokens that are accepted, and every way in which one is not.
#include "auth/jwt.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <memory>
#include <string>

#include "base/digest.h"
#include "base/encode.h"
#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

namespace {

using Key = std::unique_ptr<EVP_PKEY, CDelete<EVP_PKEY_free>>;

const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::int64_t kNow = 1769851800;
const TimePoint kWhen{std::chrono::seconds(kNow)};
const std::string kHs256 = R"({"alg":"HS256","typ":"JWT"})";

std::string text_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string unsigned_token(const std::string& header, const std::string& claims) {
  return base64url_encode(header) + "." + base64url_encode(claims);
}

std::string hs256(const std::string& claims, const std::string& header = kHs256, const std::string& secret = kSecret) {
  const std::string text = unsigned_token(header, claims);
  return text + "." + base64url_encode(text_of(hmac_sha256(as_u8(secret), text)));
}

std::string by_key(EVP_PKEY* key, const std::string& header, const std::string& claims) {
  const std::string text = unsigned_token(header, claims);
  const std::unique_ptr<EVP_MD_CTX, CDelete<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const EVP_MD* digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_sha256() : nullptr;
  CHECK_EQ(EVP_DigestSignInit(context.get(), nullptr, digest, nullptr, key), 1);
  std::string signature(1024, '\0');
  std::size_t size = signature.size();
  CHECK_EQ(EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, as_u8(text).data(),
                          text.size()),
           1);
  return text + "." + base64url_encode(signature.substr(0, size));
}

std::string pem_of(EVP_PKEY* key) {
  const std::unique_ptr<BIO, CDelete<BIO_free_all>> out(BIO_new(BIO_s_mem()));
  CHECK_EQ(PEM_write_bio_PUBKEY(out.get(), key), 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

EVP_PKEY* rsa_key() {
  static const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}));
  return key.get();
}
EVP_PKEY* ed25519_key() {
  static const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  return key.get();
}

std::string claims(const std::string& more = "") {
  return R"({"sub":"alice","exp":)" + std::to_string(kNow + 100) + more + "}";
}
std::string with_times(const std::string& name, std::int64_t when) {
  return R"({"sub":"alice",)" + (name == "exp" ? "" : R"("exp":)" + std::to_string(kNow + 5000) + ",") + "\"" + name +
         "\":" + std::to_string(when) + "}";
}

Result<std::string> verify(const std::string& token, JwtOptions options = {kSecret, ""}) {
  return CHECK_OK(JwtVerifier::make(std::move(options))).user_of(token, kWhen);
}

// The token is refused, for this reason, and is not itself in the log.
void check_denied(const Result<std::string>& outcome, std::string_view reason, const std::string& token) {
  CHECK(!outcome);
  CHECK_EQ(outcome.error().code, Errc::kUnauthenticated);
  CHECK_EQ(outcome.error().detail, "token refused: " + std::string(reason));
  CHECK_EQ(outcome.error().say, "");
  if (token.size() > 20) CHECK_EQ(outcome.error().detail.find(token.substr(0, 20)), std::string::npos);
}
void check_denied(const std::string& token, std::string_view reason) {
  check_denied(verify(token), reason, token);
}

}  // namespace

static void the_token_of_rfc_7515_is_verified() {
  // appendix A.1: the claim http://example.com/is_root has no user, so that the issuer is taken for one
  const std::string key = CHECK_OK(
      base64url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"));
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
      ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const JwtVerifier verifier = CHECK_OK(JwtVerifier::make({key, "", "iss"}));
  CHECK_EQ(CHECK_OK(verifier.user_of(token, TimePoint(std::chrono::seconds(1300819379)))), "joe");
  check_denied(verifier.user_of(token, kWhen), "expired", token);
}

static void our_own_tokens_are_accepted() {
  const std::string token = make_jwt(kSecret, "uid", {"\xC3\xBC ser", kWhen, kWhen + std::chrono::seconds(10)});
  CHECK_EQ(CHECK_OK(verify(token, {kSecret, "", "uid"})), "\xC3\xBC ser");
}

static void a_user_is_text_or_a_whole_number() {
  const std::string exp = R"("exp":)" + std::to_string(kNow + 100);
  CHECK_EQ(CHECK_OK(verify(hs256(R"({"sub":42,)" + exp + "}"))), "42");
  CHECK_EQ(CHECK_OK(verify(hs256(R"({"sub":"42",)" + exp + "}"))), "42");
  for (const char* sub : {"4.5", "null", "true", "[1]", "{}", R"("")", R"("a\nb")", R"("a\u007fb")"})
    check_denied(hs256(std::string(R"({"sub":)") + sub + "," + exp + "}"), "no user id in claim sub");
  check_denied(hs256("{" + exp + "}"), "no user id in claim sub");
  check_denied(hs256(R"({"sub":")" + std::string(256, 'x') + "\"," + exp + "}"), "no user id in claim sub");
}

static void expiry_has_a_minute_of_leeway() {
  CHECK_OK(verify(hs256(with_times("exp", kNow - 59))));
  check_denied(hs256(with_times("exp", kNow - 60)), "expired");
  check_denied(hs256(with_times("exp", 0)), "expired");
  check_denied(hs256(R"({"sub":"alice"})"), "no exp");
  check_denied(hs256(R"({"sub":"alice","exp":"9999999999"})"), "no exp");
  CHECK_OK(verify(hs256(R"({"sub":"alice","exp":1e12})")));
}

static void a_token_does_not_count_before_its_time() {
  CHECK_OK(verify(hs256(with_times("nbf", kNow + 60))));
  check_denied(hs256(with_times("nbf", kNow + 61)), "not valid yet");
  check_denied(hs256(claims(R"(,"nbf":"0")")), "not valid yet");
}

static void another_key_or_a_changed_byte_is_refused() {
  check_denied(hs256(claims(), kHs256, "another secret, as long as ours"), "wrong signature");
  const std::string good = hs256(claims());
  CHECK_OK(verify(good));
  for (std::size_t at = 0; at < good.size(); at += 7) {
    std::string changed = good;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    CHECK(!verify(changed));
  }
  check_denied(good.substr(0, good.size() - 1), "wrong signature");
  check_denied(good.substr(0, good.rfind('.') + 1), "wrong signature");
  check_denied(unsigned_token(kHs256, R"({"sub":"root","exp":9999999999})") + good.substr(good.rfind('.')),
               "wrong signature");
}

static void the_token_does_not_choose_its_algorithm() {
  for (const char* alg : {"none", "None", "", "HS512", "RS256", "hs256"})
    check_denied(hs256(claims(), std::string(R"({"alg":")") + alg + "\"}"), "other algorithm");
  check_denied(unsigned_token(R"({"alg":"none"})", claims()) + ".", "other algorithm");
  check_denied(hs256(claims(), R"({"typ":"JWT"})"), "other algorithm");
  check_denied(hs256(claims(), R"({"alg":["HS256"]})"), "other algorithm");
}

static void a_public_key_never_serves_as_a_shared_secret() {
  for (EVP_PKEY* key : {rsa_key(), ed25519_key()}) {
    const std::string pem = pem_of(key);
    const std::string token = hs256(claims(), kHs256, pem);
    check_denied(verify(token, {"", pem}), "other algorithm", token);
    const std::string lying = hs256(claims(), key == rsa_key() ? R"({"alg":"RS256"})" : R"({"alg":"EdDSA"})", pem);
    check_denied(verify(lying, {"", pem}), "wrong signature", lying);
  }
}

static void critical_extensions_are_refused() {
  check_denied(hs256(claims(), R"({"alg":"HS256","crit":["b64"],"b64":false})"), "critical extension");
}

static void issuer_and_audience_count_when_configured() {
  const JwtOptions options{kSecret, "", "sub", "https://id.example", "files"};
  const auto outcome = [&](const std::string& more) { return verify(hs256(claims(more)), options); };
  CHECK_OK(outcome(R"(,"iss":"https://id.example","aud":"files")"));
  CHECK_OK(outcome(R"(,"iss":"https://id.example","aud":["x","files"])"));
  for (const char* iss : {"", R"(,"iss":"https://id.example/")", R"(,"iss":["https://id.example"])"})
    check_denied(outcome(std::string(iss) + R"(,"aud":"files")"), "other issuer", "");
  for (const char* aud : {"", R"(,"aud":"file")", R"(,"aud":[])", R"(,"aud":["x",1])", R"(,"aud":{"files":1})"})
    check_denied(outcome(R"(,"iss":"https://id.example")" + std::string(aud)), "other audience", "");
  CHECK_OK(verify(hs256(claims(R"(,"iss":"anyone","aud":"anything")"))));
}

static void repeated_members_are_refused() {
  check_denied(hs256(R"({"sub":"alice","sub":"bob","exp":9999999999})"), "not a JSON object");
  check_denied(hs256(claims(), R"({"alg":"none","alg":"HS256"})"), "not a JSON object");
}

static void garbage_is_refused() {
  for (const char* token : {"", "x", "a.b", "....", "a.b.c.d"}) check_denied(token, "not three parts");
  check_denied("..", "not a JSON object");
  check_denied("!.e30.AA", "not base64url");
  check_denied(hs256(claims()) + "=", "wrong signature");
  check_denied(hs256("[]"), "not a JSON object");
  check_denied(hs256("not json"), "not a JSON object");
  check_denied(hs256(claims(), "[]"), "not a JSON object");
  check_denied(std::string(limits::kTokenBytes + 1, 'a'), "too long");
}

static void rs256_and_eddsa_tokens_are_verified_by_the_public_key() {
  const std::string rsa = by_key(rsa_key(), R"({"alg":"RS256"})", claims());
  CHECK_EQ(CHECK_OK(verify(rsa, {"", pem_of(rsa_key())})), "alice");
  const std::string ed = by_key(ed25519_key(), R"({"alg":"EdDSA"})", claims());
  CHECK_EQ(CHECK_OK(verify(ed, {"", pem_of(ed25519_key())})), "alice");
  const Key other(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  check_denied(verify(ed, {"", pem_of(other.get())}), "wrong signature", ed);
  check_denied(verify(ed, {"", pem_of(rsa_key())}), "other algorithm", ed);
  check_denied(verify(rsa.substr(0, rsa.size() - 6), {"", pem_of(rsa_key())}), "wrong signature", rsa);
}

static void unfit_keys_are_refused_at_the_start() {
  const auto make = [](const std::string& pem) { return JwtVerifier::make({"", pem}); };
  CHECK_ERR(make(""), Errc::kInvalid);
  CHECK_ERR(make("not a key"), Errc::kInvalid);
  const Key weak(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024}));
  CHECK_ERR(make(pem_of(weak.get())), Errc::kInvalid);
  const Key curve(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  CHECK_ERR(make(pem_of(curve.get())), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_token_of_rfc_7515_is_verified),
      CASE(our_own_tokens_are_accepted),
      CASE(a_user_is_text_or_a_whole_number),
      CASE(expiry_has_a_minute_of_leeway),
      CASE(a_token_does_not_count_before_its_time),
      CASE(another_key_or_a_changed_byte_is_refused),
      CASE(the_token_does_not_choose_its_algorithm),
      CASE(a_public_key_never_serves_as_a_shared_secret),
      CASE(critical_extensions_are_refused),
      CASE(issuer_and_audience_count_when_configured),
      CASE(repeated_members_are_refused),
      CASE(garbage_is_refused),
      CASE(rs256_and_eddsa_tokens_are_verified_by_the_public_key),
      CASE(unfit_keys_are_refused_at_the_start),
  };
  return RUN_TESTS("jwt", tests);
}
