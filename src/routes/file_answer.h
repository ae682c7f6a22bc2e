// file_answer.h — how a caller who may have a file gets it.
#pragma once

#include <functional>

#include "routes/app.h"

namespace cloakroom {

// Conditions, ranges, and the way that domain/download chose. REQUIRES: the caller may read it.
Result<Response> file_answer(App& app, const Context& context, const Attachment& file);

// The same for a file that lies elsewhere than in a store.
struct Sending {
  std::function<Result<DownloadPlan>(const DownloadWish&)> plan;
  std::string cache_control;
};
Result<Response> file_answer(App& app, const Context& context, const Attachment& file, const Sending& sending);

// Who reads, and by which rule (domain/access.h).
struct Reader {
  Visibility visibility;
  const Caller& caller;
};

// The file as it can be read now: by its copy where the disk has not what was stored; by its row as it is now where the
// file waited on a node's disk for its move, and is gone from there. REQUIRES: `caller` may read it.
// Errors   kNotFound (cloaked) its row is gone meanwhile, or is not for this caller any more; kDatabase
Result<Attachment> as_readable_now(App& app, const Reader& reader, Attachment file);

// Whoever may have the file gets it there, this once.
Response redirect_to(std::string_view url);  // external.cc

}  // namespace cloakroom
