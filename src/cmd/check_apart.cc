// check_apart.cc — an object put into one store must not be found in the other.
#include "cmd/check_apart.h"

#include "base/file.h"
#include "base/id.h"
#include "cmd/stores.h"
#include "domain/object_key.h"

namespace cloakroom {
namespace {

constexpr const char* kName = "stores.apart";
constexpr std::string_view kBytes = "stored by `cloakroom check` or `move`, which also removes it\n";

Finding judge(const Result<ObjectInfo>& seen) {
  if (seen) {
    return failure("S3_BUCKET and S3_SECONDARY_BUCKET are one bucket under two names",
                   "name another bucket in S3_SECONDARY_BUCKET, and run no `cloakroom audit --fix` before");
  }
  if (seen.error().code == Errc::kNotFound) return good("the two S3 stores are two buckets");
  return warning("whether the two S3 stores are two buckets could not be seen: " + seen.error().detail,
                 "see the checks s3-secondary.*");
}

}  // namespace

Finding check_apart(const Config& config, const Clock& clock) {
  const auto stores = make_stores(config, clock);
  if (!stores) return {kName, Verdict::kFailure, stores.error().detail, "correct the S3_ settings"};
  const auto body = open_nameless("/tmp");
  const Status written = body ? write_all(body->get(), std::as_bytes(std::span(kBytes))) : Status(body.error());
  if (!written) return {kName, Verdict::kFailure, written.error().detail, "make room in /tmp"};

  S3Store& first = *stores->s3->store;
  const ObjectKey key = make_key({config.key_prefix, KeyNaming::kFanout}, make_uuid7(clock.now()), "check.txt");
  const ObjectMeta meta{.content_type = "text/plain",
                        .content_disposition = "attachment; filename=\"check.txt\"",
                        .cache_control = "no-store",
                        .attachment_id = "check"};
  const auto put = first.put(key, {.fd = body->get(), .offset = 0, .size = kBytes.size()}, meta);
  Finding found = put ? judge(stores->s3_secondary->store->head(key))
                      : failure("no object could be stored for a try: " + put.error().detail, "see the checks s3.*");
  found.check = kName;
  // also after a put that seems to have failed
  const Status removed = first.remove(key);
  // That it stays is the smaller evil: what was found must not be lost over it.
  if (!removed && put && found.verdict != Verdict::kFailure) {
    return {kName, Verdict::kFailure, "the object '" + key.str() + "' could not be removed: " + removed.error().detail,
            "let the key delete objects, and remove that one"};
  }
  return found;
}

}  // namespace cloakroom
