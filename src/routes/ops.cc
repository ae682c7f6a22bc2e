// ops.cc — for load balancers and sysadmins: alive, and able to work.
#include "base/json.h"
#include "base/log.h"
#include "domain/copy_metrics.h"
#include "domain/job_metrics.h"
#include "routes/app.h"

namespace cloakroom {

Result<Response> get_healthz(App&, const Context&) {
  return json_response(200, R"({"status":"ok"})");
}

Result<Response> get_readyz(App& app, const Context& context) {
  const Status database = app.rows.ready();
  const Status store = app.store.ready();
  // Uploads work, and what the store holds is out of reach on all hosts alike: nobody is helped when this one is taken
  // out of service.
  const bool kept_aside = !store && app.fallback != nullptr && app.fallback->ready();
  const Status scanner = app.scanner == nullptr ? Status(Ok{}) : app.scanner->ready();
  const bool ready = database && (store || kept_aside) && (scanner || !app.scanner_needed);
  const auto note = [&](const char* part, const Status& status) {
    if (!status)
      log(Level::kWarning, "not_ready",
          {{"req", context.request.id}, {"part", part}, {"detail", status.error().detail}});
    return status ? "ok" : "unavailable";
  };
  const Json body(json_object());
  json_object_set_new(body.get(), "status", json_string(ready ? "ok" : "unavailable"));
  json_object_set_new(body.get(), "database", json_string(note("database", database)));
  const char* const noted = note("store", store);
  json_object_set_new(body.get(), "store", json_string(kept_aside ? "fallback" : noted));
  if (app.scanner != nullptr) json_object_set_new(body.get(), "scanner", json_string(note("scanner", scanner)));
  return json_response(ready ? 200 : 503, dump_json(body));
}

Result<Response> get_metrics(App& app, const Context&) {
  Response response;
  response.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8").add("Cache-Control", "no-store");
  if (app.variants_made != nullptr) {
    response.body =
        "# HELP cloakroom_variants_made_total Pictures decoded for a preview by this worker.\n"
        "# TYPE cloakroom_variants_made_total counter\ncloakroom_variants_made_total " +
        std::to_string(app.variants_made->load(std::memory_order_relaxed)) + "\n";
  }
  if (app.jobs == nullptr) return response;
  TRY_ASSIGN(const auto kinds, app.jobs->by_kind());
  response.body += job_metrics(kinds);
  if (app.copies == nullptr) return response;
  TRY_ASSIGN(const CopyGap gap, app.copies->gap());
  response.body += copy_metrics(gap);
  return response;
}

}  // namespace cloakroom
