// abort_multipart.cc — payload to upload, store.abort_parts().
#include "jobs/abort_multipart.h"

#include "base/json.h"

namespace cloakroom {

JobHandler abort_multipart_handler(DirectStore* store) {
  return [store](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of an abort_multipart job is malformed"};
    auto root = parse_json(job.payload);
    const char* key = nullptr;
    const char* upload_id = nullptr;
    if (!root || json_unpack(root->get(), "{s:s, s:s}", "key", &key, "upload_id", &upload_id) != 0) return malformed;
    const auto parsed = ObjectKey::parse(key);
    if (!parsed) return malformed;
    if (store == nullptr) return Error{Errc::kInternal, "no S3 store is configured here"};
    return store->abort_parts({*parsed, upload_id});
  };
}

}  // namespace cloakroom
