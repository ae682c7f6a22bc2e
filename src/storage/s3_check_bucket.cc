// s3_check_bucket.cc — is the store there, does it take our signature, and is the bucket as it should be.
#include "base/encode.h"
#include "storage/s3.h"
#include "storage/s3_bucket.h"
#include "storage/s3_check.h"
#include "storage/s3_correction.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml_rules.h"

namespace cloakroom::s3_check {
namespace {

constexpr std::chrono::seconds kNoticeableSkew{60};
constexpr std::chrono::seconds kRefusedSkew{900};  // every store refuses a signature that is older

std::string quoted(std::string_view text) {
  return "'" + std::string(text) + "'";
}

Result<HttpAnswer> list_one(S3Probe& probe) {
  return probe.store().call(
      {.method = "GET", .query = "list-type=2&max-keys=1&prefix=" + percent_encode(probe.all_keys())});
}

bool one_of(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

}  // namespace

Finding endpoint(S3Probe& probe) {
  const std::string base = probe.store().internal().base();
  Result<HttpAnswer> answer = list_one(probe);
  if (!answer) {
    if (is_mistrust(answer.error())) {
      return failure(answer.error().detail + " (" + base + ")",
                     "name the file of the authority that signed the store's certificate in S3_CA_FILE, and in "
                     "S3_ENDPOINT a host name that the certificate has");
    }
    return failure(answer.error().detail + " (" + base + ")",
                   "see whether the store runs, and correct S3_ENDPOINT (scheme, host, port) or the network");
  }
  probe.first = *std::move(answer);
  const bool s3_like = probe.first.status == 200 || !s3_error_code(probe.first).empty();
  if (!s3_like) {
    return failure(base + " answered " + std::to_string(probe.first.status) + " in no way that S3 would",
                   "correct S3_ENDPOINT: it must be the S3 API, not a console or a web site");
  }
  return good(base + " answers; profile " + quoted(probe.profile().name));
}

Finding clock(S3Probe& probe) {
  const auto theirs = parse_http_date(probe.first.header("date"));
  const std::string remedy = "set this host's clock: timedatectl set-ntp true";
  if (!theirs) {
    if (s3_error_code(probe.first) == "RequestTimeTooSkewed") return failure("the clocks differ too much", remedy);
    return warning("the store tells no time", "see that this host's clock is right");
  }
  const auto ahead = unix_seconds(probe.clock().now()) - unix_seconds(*theirs);
  const std::string text = "this host's clock is " + std::to_string(std::abs(ahead.count())) + " s " +
                           (ahead.count() < 0 ? "behind" : "ahead of") + " the store's";
  const auto skew = std::chrono::abs(ahead);
  if (skew >= kRefusedSkew) return failure(text + ": presigned URLs are refused", remedy);
  if (skew >= kNoticeableSkew) return warning(text, remedy);
  return good("this host's clock and the store's agree");
}

Finding region(S3Probe& probe) {
  const std::string named = probe.configured_region();
  const std::string& used = probe.store().region();
  if (used != named) {
    return warning(
        "the bucket is in region " + quoted(used) + ", not " + quoted(named) + "; each process has to learn it",
        "set S3_REGION=" + used);
  }
  if (const auto lesson = region_lesson("GET", probe.first, named)) {
    return failure("the store refuses region " + quoted(named) + " (" + told("GET", probe.first) + ")",
                   "set S3_REGION to the region of the bucket");
  }
  return good("the store takes region " + quoted(named));
}

Finding credentials(S3Probe& probe) {
  const std::string code = s3_error_code(probe.first);
  if (one_of(code, {"InvalidAccessKeyId", "NoSuchAccessKey", "InvalidClientTokenId"})) {
    return failure("the store does not know the access key id (" + code + ")", "correct S3_ACCESS_KEY_ID");
  }
  if (code == "SignatureDoesNotMatch") {
    return failure(
        "the store refuses the signature (" + code + ")",
        "correct S3_SECRET_ACCESS_KEY; if it is right, a proxy changes the Host header or the path on the way");
  }
  if (one_of(code, {"ExpiredToken", "TokenRefreshRequired", "InvalidToken"})) {
    return failure("the session token is no longer good (" + code + ")",
                   "renew the temporary credentials, S3_SESSION_TOKEN among them");
  }
  return good("the store knows the access key and takes its signature");
}

Finding bucket(S3Probe& probe) {
  const std::string name = quoted(probe.store().options().bucket);
  if (probe.first.status == 200) return good("bucket " + name + " is there");
  const std::string code = s3_error_code(probe.first);
  if (code == "NoSuchBucket" || probe.first.status == 404) {
    if (!probe.wanted().fix) {
      return failure("bucket " + name + " does not exist",
                     "correct S3_BUCKET; or make it: start a worker, or run this with --fix");
    }
    auto store = S3Store::make(probe.store().options(), probe.clock());
    const Status made = store ? (*store)->prepare() : Status(store.error());
    if (!made)
      return failure("cannot make bucket " + name + ": " + made.error().detail, "make it by the store's own tools");
    return good("bucket " + name + " was made");
  }
  if (code == "AccessDenied" || probe.first.status == 403) {
    return warning(
        "the key may not list bucket " + name + " (" + told("GET", probe.first) + ")",
        "allow s3:ListBucket: without it a missing file looks like a forbidden one, and nothing finds left-overs");
  }
  return failure("bucket " + name + " cannot be used: " + told("GET", probe.first),
                 "see the store's own log for the cause");
}

// Last of all: removes the probe object as a deleted attachment would be.
Finding versions(S3Probe& probe) {
  const std::string key = probe.key();
  const auto removed = probe.store().call({.method = "DELETE", .key = key});
  if (!succeeded(removed))
    return failure(told("DELETE", removed), "allow s3:DeleteObject on " + quoted(probe.all_keys() + "*"));
  probe.remember("", *removed);
  const auto gone = probe.store().call({.method = "HEAD", .key = key});
  // 403: without the right to list, a store does not say what is not there
  if (!gone || (gone->status != 404 && gone->status != 403 && gone->status != 405)) {
    return failure("a deleted object is still there: " +
                       (gone ? "HEAD answered " + std::to_string(gone->status) : told("HEAD", gone)),
                   "look whether the bucket has a retention rule or an object lock");
  }
  bool hides = removed->header("x-amz-delete-marker") == "true";
  const bool may_hide = probe.profile().delete_keeps_bytes == Fact::kYes;
  if (may_hide && !hides) {
    const auto left = probe.versions_of(key);
    hides = left && !left->empty();
  }
  if (hides) {
    const std::string_view usual = may_hide ? ", as this store does unless told otherwise" : "";
    return warning("DELETE only hides: the bucket keeps old versions, and their bytes" + std::string(usual),
                   "add a lifecycle rule that removes old versions after some days, or turn versioning off");
  }
  return good("a deleted object is gone");
}

Finding lifecycle(S3Probe& probe) {
  const std::string remedy =
      "run this with --fix, or add the rule AbortIncompleteMultipartUpload by the store's own tools";
  const auto lacking = [&probe](const Error& error) {
    return compared(probe,
                    {"a lifecycle rule for unfinished uploads", probe.profile().lifecycle_abort, false, error.detail});
  };
  const auto now = get_bucket_rules(probe.store(), BucketRules::kLifecycle);
  if (!now) return lacking(now.error());
  if (has_abort_rule(*now, probe.wanted().key_prefix)) {
    return good("unfinished multipart uploads are removed by the bucket's lifecycle");
  }
  if (!probe.wanted().fix) {
    return warning("no lifecycle rule removes unfinished multipart uploads, which cost as much as finished ones",
                   remedy);
  }
  const auto rules = with_abort_rule(*now, probe.wanted().key_prefix);
  if (!rules) {
    return failure("cannot read the bucket's lifecycle: " + rules.error().detail,
                   "add the rule by the store's own tools");
  }
  if (const Status set = put_bucket_rules(probe.store(), BucketRules::kLifecycle, *rules); !set) {
    return lacking(set.error());
  }
  return good("the bucket's lifecycle now removes multipart uploads that are unfinished after 7 days");
}

}  // namespace cloakroom::s3_check
