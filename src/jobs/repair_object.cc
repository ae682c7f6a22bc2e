// repair_object.cc — payload to id, then the work.
#include "jobs/repair_object.h"

#include "base/json.h"

namespace cloakroom {

JobHandler repair_object_handler(Repairs& repairs) {
  return [&repairs](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of a repair_object job is malformed"};
    const auto root = parse_json(job.payload);
    const char* id = nullptr;
    if (!root || json_unpack(root->get(), "{s:s}", "id", &id) != 0) return malformed;
    const auto uuid = parse_uuid(id);
    if (!uuid) return malformed;
    return repairs.repair(*uuid);
  };
}

}  // namespace cloakroom
