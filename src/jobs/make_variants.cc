// make_variants.cc — payload to id, then the making.
#include "jobs/make_variants.h"

#include "base/json.h"

namespace cloakroom {

JobHandler make_variants_handler(Variants* variants) {
  return [variants](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of a make_variants job is malformed"};
    const auto root = parse_json(job.payload);
    const char* id = nullptr;
    if (!root || json_unpack(root->get(), "{s:s}", "id", &id) != 0) return malformed;
    const auto uuid = parse_uuid(id);
    if (!uuid) return malformed;
    if (variants == nullptr) return Ok{};
    TRY(variants->make_all(*uuid));
    return Ok{};
  };
}

}  // namespace cloakroom
