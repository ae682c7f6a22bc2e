// link_token_fuzz.cc — any text as a token: none holds but the one we signed, and no byte of it can be another.
//
// Input    the text; its first byte chooses what is done with a good token
#include <cstdint>
#include <string>

#include "auth/link_token.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const LinkTokens tokens({"a secret of the fuzzer"});
  const TimePoint now{std::chrono::seconds(1769851800)};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Uuid id;
  if (tokens.verify(text, {id, "u", "192.0.2.7"}, now)) BUG("a token that nobody signed holds");
  if (size < 2) return 0;
  // the input laid over a good token, from some place on
  const std::string good =
      tokens.sign({.id = id, .expires = now + std::chrono::seconds(9), .user_id = "u", .ip = "192.0.2.7"});
  std::string changed = good;
  const std::size_t at = data[0] % (good.size() + 1);
  changed.replace(at, std::min(size - 1, good.size() - at), text.substr(1));
  const bool holds = tokens.verify(changed, {id, "u", "192.0.2.7"}, now).has_value();
  if (holds != (changed == good)) BUG("a changed token holds, or a good one does not");
  if (tokens.verify(good, {id, text, "192.0.2.7"}, now).has_value() != (text == "u")) BUG("another user's link holds");
  return 0;
}
