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

// Whoever may have the file gets it there, this once.
Response redirect_to(std::string_view url);  // external.cc

}  // namespace cloakroom
