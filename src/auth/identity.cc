// identity.cc — the service token first, then the way the users of this instance are known.
#include "auth/identity.h"

#include <algorithm>

#include "base/encode.h"
#include "base/id.h"

namespace cloakroom {
namespace {

std::string_view bearer_of(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() || !ascii_iequal(authorization.substr(0, kScheme.size()), kScheme))
    return {};
  std::string_view token = authorization.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return token;
}

std::string_view cookie_of(std::string_view cookies, std::string_view name) {
  while (!cookies.empty() && !name.empty()) {
    std::string_view item = cookies.substr(0, cookies.find(';'));
    cookies.remove_prefix(std::min(item.size() + 1, cookies.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    if (item.size() > name.size() && item.starts_with(name) && item[name.size()] == '=')
      return item.substr(name.size() + 1);
  }
  return {};
}

// nginx asks the application about one file: whatever else the address may mean to us is not granted.
std::optional<Uuid> granted_to(const Evidence& evidence) {
  if (evidence.app_access != "granted") return std::nullopt;
  const auto id = parse_uuid(evidence.app_access_id);
  return id ? std::optional(*id) : std::nullopt;
}

}  // namespace

Result<Caller> Identity::user(const Evidence& evidence, std::string_view bearer, TimePoint now) const {
  switch (options_.mode) {
    case IdentityOptions::Mode::kNone:
      return Caller{Caller::Kind::kUser, "anonymous"};
    case IdentityOptions::Mode::kHeader:
      if (!is_foreign_id(evidence.remote_user)) return Error{Errc::kUnauthenticated, "no REMOTE_USER"};
      return Caller{Caller::Kind::kUser, std::string(evidence.remote_user), granted_to(evidence)};
    case IdentityOptions::Mode::kJwt:
      break;
  }
  const std::string_view token = bearer.empty() ? cookie_of(evidence.cookie, options_.jwt_cookie) : bearer;
  if (token.empty()) return Error{Errc::kUnauthenticated, "no token"};
  TRY_ASSIGN(std::string id, jwt_->user_of(token, now));
  return Caller{Caller::Kind::kUser, std::move(id)};
}

Result<Caller> Identity::who(const Evidence& evidence, TimePoint now) const {
  const std::string_view bearer = bearer_of(evidence.authorization);
  if (!options_.service_token.empty() && equal_constant_time(bearer, options_.service_token)) {
    if (evidence.uploader_id.empty()) return Caller{Caller::Kind::kService, std::nullopt};
    if (!is_foreign_id(evidence.uploader_id)) return refuse(Errc::kInvalid, "X-Uploader-Id is not a usable id.");
    return Caller{Caller::Kind::kService, std::string(evidence.uploader_id)};
  }
  TRY_ASSIGN(Caller caller, user(evidence, bearer, now));  // strangers learn nothing, whatever they send
  if (!evidence.uploader_id.empty()) return refuse(Errc::kInvalid, "X-Uploader-Id is for the service token alone.");
  return caller;
}

}  // namespace cloakroom
