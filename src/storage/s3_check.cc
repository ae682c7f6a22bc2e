// s3_check.cc — the table of checks, and the words they share.
#include "storage/s3_check.h"

#include <array>

#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

struct Row {
  std::string_view name;
  Finding (*check)(S3Probe&);
  bool needed_by_the_rest = false;
};

constexpr std::array kChecks{
    Row{"s3.endpoint", s3_check::endpoint, true},
    Row{"s3.clock", s3_check::clock, true},
    Row{"s3.region", s3_check::region, true},
    Row{"s3.credentials", s3_check::credentials, true},
    Row{"s3.bucket", s3_check::bucket, true},
    Row{"s3.put", s3_check::put, true},
    Row{"s3.head", s3_check::head},
    Row{"s3.get", s3_check::get},
    Row{"s3.range", s3_check::range},
    Row{"s3.list", s3_check::list},
    Row{"s3.presigned_get", s3_check::presigned_get},
    Row{"s3.response_overrides", s3_check::response_overrides},
    Row{"s3.presigned_put", s3_check::presigned_put},
    Row{"s3.post_policy", s3_check::post_policy},
    Row{"s3.cors", s3_check::cors},
    Row{"s3.multipart", s3_check::multipart},
    Row{"s3.lifecycle", s3_check::lifecycle},
    Row{"s3.unsigned_payload", s3_check::unsigned_payload},
    Row{"s3.checksums", s3_check::checksums},
    Row{"s3.conditional_put", s3_check::conditional_put},
    Row{"s3.delete_many", s3_check::remove_many},
    Row{"s3.delete", s3_check::versions},
};

}  // namespace

Findings check_s3(const S3Options& options, const S3Profile& profile, const S3CheckOptions& wanted,
                  const Clock& clock) {
  Findings found;
  const auto client = S3Client::make(options, clock);
  if (!client) {
    found.push_back({"s3.settings", Verdict::kFailure, client.error().detail, "correct the S3_ settings"});
    return found;
  }
  S3Probe probe(**client, profile, wanted, clock);
  for (const Row& row : kChecks) {
    if (wanted.stopped()) {
      found.push_back({"s3.stopped", Verdict::kFailure, "stopped before " + std::string(row.name), "start it again"});
      break;
    }
    Finding one = row.check(probe);
    one.check = row.name;
    found.push_back(std::move(one));
    if (row.needed_by_the_rest && found.back().verdict == Verdict::kFailure) break;
  }
  if (const std::size_t left = probe.clean(); left > 0) {
    found.push_back({"s3.clean_up", Verdict::kFailure,
                     std::to_string(left) + " probe objects could not be removed below '" + probe.all_keys() + "'",
                     "let the key delete objects, then run the check again: it removes them an hour later"});
  }
  return found;
}

namespace s3_check {

std::string told(std::string_view method, const Result<HttpAnswer>& answer) {
  return answer ? s3_error(method, *answer).detail : answer.error().detail;
}

Finding compared(const S3Probe& probe, const Comparison& c) {
  std::string text = "the store " + std::string(c.found ? "takes " : "does not take ") + std::string(c.what);
  if (!c.detail.empty()) text += " (" + c.detail + ")";
  const std::string profile = " '" + std::string(probe.profile().name) + "' ";
  if (c.expected == Fact::kUnsure) {
    text += "; the profile" + profile + "leaves it open";
    const bool could_say = c.found && probe.profile().provider == S3Provider::kOther;
    return good(text + (could_say ? ", S3_PROVIDER may say what the store is" : ""));
  }
  if (c.found == (c.expected == Fact::kYes)) return good(std::move(text));
  text += ", unlike what the profile" + profile + "says";
  if (c.found) return good(std::move(text));  // more than promised: nothing depends on its absence
  return warning(std::move(text), "set S3_PROVIDER to what the store is, or to 'other'");
}

}  // namespace s3_check
}  // namespace cloakroom
