// credentials.h — the keys that sign requests, and when they are asked for anew.
//
// Rule     fresh ones are fetched from 15 minutes before the old ones end (advisory: a failure is a warning), from 10
//          minutes on in earnest (a failure is an error in the log); in both the old ones sign on until they end. A
//          failed fetch is repeated after a pause, never by each request: meanwhile its error is the answer.
// Errors   kStore   there are no credentials now; `detail` says where they were looked for and what to do
// Security secrets are in no error and no log line, and neither is a line of what a provider answered.
// Lifetime one per process, made after fork(2): each child refreshes for itself. Not for two threads.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "storage/sigv4.h"

namespace cloakroom {

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // What to sign with at `now`; may take a round trip, bounded by the timeouts of the provider.
  virtual Result<Credentials> current(TimePoint now) = 0;
  // The store says that what current() gave last has ended: ask anew next time, if there is whom to ask.
  virtual void distrust(TimePoint) {}
};

class StaticCredentials final : public CredentialSource {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<Credentials> current(TimePoint) override { return credentials_; }

 private:
  Credentials credentials_;
};

// A place where credentials come from. Each call asks anew.
class CredentialProvider {
 public:
  virtual ~CredentialProvider() = default;
  virtual std::string_view name() const = 0;  // for the log
  // None: nothing is set up here, ask the next one. An error: it is, but does not work.
  virtual Result<std::optional<Credentials>> fetch() = 0;
};

struct RefreshRules {
  std::chrono::seconds advisory{15 * 60}, mandatory{10 * 60};    // before the end
  std::chrono::seconds advisory_pause{60}, mandatory_pause{10};  // after a failed fetch
  std::chrono::seconds empty_pause{2};                           // the same with nothing to sign with meanwhile
};

// The first provider that has some is the one that is asked from then on.
class RefreshingCredentials final : public CredentialSource {
 public:
  explicit RefreshingCredentials(std::vector<std::unique_ptr<CredentialProvider>> providers,
                                 const RefreshRules& rules = {})
      : providers_(std::move(providers)), rules_(rules) {}
  Result<Credentials> current(TimePoint now) override;
  void distrust(TimePoint now) override;

 private:
  Result<Credentials> fetch(TimePoint now);
  void note_failure(const Error& error, TimePoint now);

  std::vector<std::unique_ptr<CredentialProvider>> providers_;
  RefreshRules rules_;
  CredentialProvider* chosen_ = nullptr;
  std::optional<Credentials> credentials_;
  TimePoint fetched_at_{};
  bool distrusted_ = false;
  std::optional<Error> failure_;  // of the last fetch
  TimePoint failed_at_{};
  std::chrono::seconds pause_{};
};

}  // namespace cloakroom
