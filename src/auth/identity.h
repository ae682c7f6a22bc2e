// identity.h — who sent a request: a user by token, cookie or nginx's word, or the application's own server.
//
// Errors   kUnauthenticated nobody we know; kInvalid a header that only the service may send, or one that is malformed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/jwt.h"
#include "domain/access.h"

namespace cloakroom {

// What the request brought; "" when absent.
struct Evidence {
  std::string_view authorization = {};  // Authorization
  std::string_view cookie = {};         // Cookie
  std::string_view remote_user = {};    // REMOTE_USER, set by nginx
  std::string_view uploader_id = {};    // X-Uploader-Id: the user for whom the service acts
  std::string_view app_access = {};     // CLOAKROOM_ACCESS, set by nginx: "granted" when the application said so
  std::string_view app_access_id = {};  // CLOAKROOM_ACCESS_ID, set by nginx: the file it was asked about
};

struct IdentityOptions {
  enum class Mode { kJwt, kHeader, kNone };
  Mode mode = Mode::kJwt;
  std::string jwt_cookie;
  std::string service_token;
};

class Identity {
 public:
  // `jwt` is needed in mode kJwt.
  Identity(IdentityOptions options, std::optional<JwtVerifier> jwt)
      : options_(std::move(options)), jwt_(std::move(jwt)) {}

  Result<Caller> who(const Evidence& evidence, TimePoint now) const;
  // False where everybody is the same one.
  bool tells_users_apart() const { return options_.mode != IdentityOptions::Mode::kNone; }
  // Whether the application lets the user have what this request names, by nginx's word. For addresses that name no id:
  // with an id it is about that file alone (Caller::granted_id).
  bool is_granted(const Evidence& evidence) const {
    return options_.mode == IdentityOptions::Mode::kHeader && evidence.app_access == "granted";
  }
  // Whether somebody without nginx's word can say who he is: needed where nginx lets links pass unasked.
  bool knows_users_by_token() const { return options_.mode == IdentityOptions::Mode::kJwt; }

  // Whether who() would believe what a browser adds to every request, also to one that a foreign page made it send: a
  // cookie, basic auth, nginx's word. A bearer token is added by a script of ours alone.
  static bool is_ambient(const Evidence& evidence);

 private:
  Result<Caller> user(const Evidence& evidence, std::string_view bearer, TimePoint now) const;

  IdentityOptions options_;
  std::optional<JwtVerifier> jwt_;
};

}  // namespace cloakroom
