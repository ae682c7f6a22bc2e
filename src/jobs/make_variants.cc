// make_variants.cc — payload to id, then the making.
#include "jobs/make_variants.h"

#include <algorithm>

#include "base/json.h"

namespace cloakroom {

JobHandler make_variants_handler(Variants* variants, int most_failures) {
  return [variants, most = std::min(kMostDeaths, most_failures)](const Job& job) -> Status {
    const Error malformed{Errc::kInternal, "the payload of a make_variants job is malformed"};
    const auto root = parse_json(job.payload);
    const char* id = nullptr;
    if (!root || json_unpack(root->get(), "{s:s}", "id", &id) != 0) return malformed;
    const auto uuid = parse_uuid(id);
    if (!uuid) return malformed;
    if (variants == nullptr) return Ok{};
    const bool is_last = job.failures + 1 >= most;
    const auto made = variants->make_all(*uuid, is_last ? AtDeath::kGiveUp : AtDeath::kComeAgain);
    if (made) return Ok{};
    Error why = made.error();
    if (why.code == Errc::kUndecodable) why.retryable = false;  // no outage: it counts
    return why;
  };
}

}  // namespace cloakroom
