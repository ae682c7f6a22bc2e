// link_token_test.cc — a token counts for its file, user, address and time, and no other text does.
#include "auth/link_token.h"

#include <set>
#include <string>

#include "base/encode.h"
#include "check.h"

using namespace cloakroom;
using std::chrono::seconds;

namespace {

const TimePoint kNow{seconds(1769851800)};
const std::string kSecret = "a secret of the tests";
const Uuid kId = CHECK_OK(parse_uuid("0198c0de-beef-7abc-89ab-0123456789ab"));
const Uuid kOther = CHECK_OK(parse_uuid("0198c0de-beef-7abc-89ab-0123456789ac"));

const LinkTokens& tokens() {
  static const LinkTokens made({kSecret});
  return made;
}
std::string token(const std::string& user = {}, const std::string& ip = {}) {
  return tokens().sign({.id = kId, .expires = kNow + seconds(60), .user_id = user, .ip = ip});
}
bool holds(const std::string& text, const LinkUse& use, TimePoint now = kNow) {
  const auto outcome = tokens().verify(text, use, now);
  if (!outcome) CHECK_EQ(outcome.error().code, Errc::kUnauthenticated);
  return outcome.has_value();
}

}  // namespace

static void a_token_holds_for_its_file_until_it_expires() {
  const std::string made = token();
  CHECK_EQ(made.size(), kLinkTokenChars);
  CHECK(CHECK_OK(tokens().verify(made, {kId}, kNow)) == kNow + seconds(60));
  CHECK(holds(made, {kId, "anybody", "192.0.2.7"}));
  CHECK(holds(made, {kId}, kNow + seconds(59)));
  CHECK(!holds(made, {kId}, kNow + seconds(60)));
  CHECK(!holds(made, {kId}, kNow + seconds(61)));
  CHECK(!holds(made, {kOther}));
  CHECK(!holds(made, {Uuid{}}));
}

static void the_layout_does_not_change() {
  // links that are out there must hold after an upgrade; computed by another program (Python's hmac)
  CHECK_EQ(tokens().sign({.id = kId, .expires = kNow, .user_id = "u1", .ip = "192.0.2.7"}),
           "AQMAaX3LmIgTV7O4_TqojcoJc0cRGPEOM2RkTGG4UWF5_dCe_WS9");
}

static void a_bound_token_is_for_that_user_and_address_alone() {
  const std::string for_user = token("u1"), for_ip = token("", "192.0.2.7"), for_both = token("u1", "192.0.2.7");
  CHECK(holds(for_user, {kId, "u1", "198.51.100.1"}));
  CHECK(!holds(for_user, {kId, "u2", "198.51.100.1"}) && !holds(for_user, {kId}));
  CHECK(holds(for_ip, {kId, {}, "192.0.2.7"}));
  CHECK(!holds(for_ip, {kId, "u1", "192.0.2.8"}) && !holds(for_ip, {kId}));
  CHECK(holds(for_both, {kId, "u1", "192.0.2.7"}));
  CHECK(!holds(for_both, {kId, "u1", "192.0.2.8"}) && !holds(for_both, {kId, "u2", "192.0.2.7"}));
  // the fields cannot be shifted into each other
  CHECK(!holds(token("a", "b"), {kId, "ab", ""}) && !holds(token("ab", ""), {kId, "a", "b"}));
}

static void any_other_text_is_refused() {
  const std::string good = token();
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char c : {'A', 'B', '_', '='}) {
      std::string changed = good;
      changed[i] = c;
      CHECK_EQ(holds(changed, {kId}), changed == good);
    }
  }
  for (const std::string& text : {std::string(), good.substr(1), good + "A", good + "==", std::string(52, '.'),
                                  std::string(10000, 'A'), std::string(52, '\0')}) {
    CHECK(!holds(text, {kId}));
  }
}

static void bindings_cannot_be_taken_off() {
  std::string raw = CHECK_OK(base64url_decode(token("u1")));
  for (int bits = 0; bits < 256; ++bits) {
    raw[1] = static_cast<char>(bits);
    CHECK_EQ(holds(base64url_encode(raw), {kId, "u1", "192.0.2.7"}), bits == 1);
    CHECK(!holds(base64url_encode(raw), {kId}));
  }
}

static void the_expiry_is_signed_and_versions_are_told_apart() {
  std::string raw = CHECK_OK(base64url_decode(token()));
  raw[2] = '\x7F';
  CHECK(!holds(base64url_encode(raw), {kId}));
  raw = CHECK_OK(base64url_decode(token()));
  raw[0] = 2;
  CHECK(!holds(base64url_encode(raw), {kId}));
}

static void a_secret_can_be_changed_without_breaking_links() {
  const std::string old = token();
  const LinkTokens both({"the next secret", kSecret}), next({"the next secret"});
  CHECK_OK(both.verify(old, {kId}, kNow));
  CHECK_ERR(next.verify(old, {kId}, kNow), Errc::kUnauthenticated);
  const std::string made = both.sign({.id = kId, .expires = kNow + seconds(60)});
  CHECK_OK(next.verify(made, {kId}, kNow));  // the first one signs
  CHECK(!holds(made, {kId}));
}

static void without_a_previous_secret_the_empty_one_signs_nothing() {
  const std::string forged = LinkTokens({""}).sign({.id = kId, .expires = kNow + seconds(60)});
  CHECK(!holds(forged, {kId}));
}

static void a_refusal_never_shows_the_token() {
  for (const std::string& text : {token("u1"), std::string("nonsense-token"), token()}) {
    const auto outcome = tokens().verify(text, {kOther, "u2"}, kNow);
    CHECK(!outcome && outcome.error().detail.find(text) == std::string::npos && outcome.error().say.empty());
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_token_holds_for_its_file_until_it_expires),
      CASE(the_layout_does_not_change),
      CASE(a_bound_token_is_for_that_user_and_address_alone),
      CASE(any_other_text_is_refused),
      CASE(bindings_cannot_be_taken_off),
      CASE(the_expiry_is_signed_and_versions_are_told_apart),
      CASE(a_secret_can_be_changed_without_breaking_links),
      CASE(without_a_previous_secret_the_empty_one_signs_nothing),
      CASE(a_refusal_never_shows_the_token),
  };
  return RUN_TESTS("link_token", tests);
}
