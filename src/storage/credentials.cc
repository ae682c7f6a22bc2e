// credentials.cc — when to fetch, and what a failure means.
#include "storage/credentials.h"

#include <algorithm>
#include <string>

#include "base/encode.h"
#include "base/log.h"

namespace cloakroom {
namespace {

Status check(const Credentials& c, std::string_view from, TimePoint now) {
  const auto bad = [&](const char* why) {
    return Error{Errc::kStore, "cannot use the credentials of " + std::string(from) + ": " + why};
  };
  if (c.access_key_id.empty() || c.secret_access_key.empty()) return bad("access key id or secret access key is empty");
  if (!is_plain_ascii(c.access_key_id) || !is_plain_ascii(c.session_token)) return bad("they are not plain ASCII");
  if (c.expires_at && *c.expires_at <= now) return bad("they have ended already");
  return Ok{};
}

}  // namespace

Result<Credentials> RefreshingCredentials::fetch(TimePoint now) {
  for (const auto& provider : providers_) {
    if (chosen_ != nullptr && provider.get() != chosen_) continue;
    TRY_ASSIGN(std::optional<Credentials> found, provider->fetch());
    if (!found) continue;
    TRY(check(*found, provider->name(), now));
    chosen_ = provider.get();
    const std::string end = found->expires_at ? iso8601_ms(*found->expires_at) : "never";
    log(Level::kInfo, "credentials.fetched", {{"source", provider->name()}, {"expires", end}});
    return *std::move(found);
  }
  std::string asked;
  for (const auto& provider : providers_) asked.append(asked.empty() ? "" : ", ").append(provider->name());
  return Error{Errc::kStore, "no S3 credentials: set S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY; nothing was found in " +
                                 (asked.empty() ? "any other place" : asked)};
}

void RefreshingCredentials::note_failure(const Error& error, TimePoint now) {
  failed_at_ = now;
  failure_ = error;
  failure_->code = Errc::kStore;  // a missing token file is no missing object
  failure_->retryable = false;    // repeated after the pause, not by whoever asks
  const bool usable = credentials_.has_value();
  const bool in_earnest = !usable || (credentials_->expires_at && *credentials_->expires_at - now <= rules_.mandatory);
  pause_ = !usable ? rules_.empty_pause : in_earnest ? rules_.mandatory_pause : rules_.advisory_pause;
  log(in_earnest ? Level::kError : Level::kWarning, "credentials.not_refreshed",
      {{"detail", error.detail}, {"usable", usable ? "yes" : "no"}});
}

Result<Credentials> RefreshingCredentials::current(TimePoint now) {
  if (credentials_ && !distrusted_ &&
      (!credentials_->expires_at || *credentials_->expires_at - now > rules_.advisory)) {
    return *credentials_;
  }
  if (credentials_ && credentials_->expires_at && *credentials_->expires_at <= now) credentials_.reset();
  // With the end comes a try at once: the pause was meant for a time with something to sign with.
  if (failure_ && !credentials_) pause_ = std::min(pause_, rules_.empty_pause);
  const bool pausing = failure_ && now >= failed_at_ && now - failed_at_ < pause_;  // a clock set back ends it
  if (!pausing) {
    Result<Credentials> fresh = fetch(now);
    if (fresh) {
      credentials_ = *std::move(fresh);
      failure_.reset();
      distrusted_ = false;
      fetched_at_ = now;
    } else {
      note_failure(fresh.error(), now);
    }
  }
  if (credentials_) return *credentials_;
  return *failure_;
}

// A store that calls fresh ones ended is wrong about the time, or they are: fetching them for each request would not
// help.
void RefreshingCredentials::distrust(TimePoint now) {
  distrusted_ = distrusted_ || now < fetched_at_ || now - fetched_at_ >= rules_.advisory_pause;
}

}  // namespace cloakroom
