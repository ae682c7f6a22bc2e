// file_answer.h — how a caller who may have a file gets it.
#pragma once

#include "routes/app.h"

namespace cloakroom {

// Conditions, ranges, and the way that domain/download chose. REQUIRES: the caller may read it.
Result<Response> file_answer(App& app, const Context& context, const Attachment& file);

}  // namespace cloakroom
