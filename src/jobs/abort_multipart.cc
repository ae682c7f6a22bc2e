// abort_multipart.cc — payload to upload, store.abort_parts().
#include "jobs/abort_multipart.h"

#include "base/json.h"

namespace cloakroom {

JobHandler abort_multipart_handler(DirectStoreOfKind store_of) {
  return [store_of = std::move(store_of)](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of an abort_multipart job is malformed"};
    auto root = parse_json(job.payload);
    const char* kind = "s3";
    const char* key = nullptr;
    const char* upload_id = nullptr;
    if (!root || json_unpack(root->get(), "{s?s, s:s, s:s}", "store", &kind, "key", &key, "upload_id", &upload_id) != 0)
      return malformed;
    const auto store_kind = parse_store_kind(kind);
    const auto parsed = ObjectKey::parse(key);
    if (!parsed || !store_kind) return malformed;
    DirectStore* const store = store_of(*store_kind);
    if (store == nullptr) return Error{Errc::kInternal, "the S3 store of the upload is not configured here"};
    return store->abort_parts({*parsed, upload_id});
  };
}

}  // namespace cloakroom
