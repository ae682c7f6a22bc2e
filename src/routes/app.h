// app.h — what the handlers share: the services they call, and the request they answer.
#pragma once

#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/identity.h"
#include "auth/link_token.h"
#include "domain/access.h"
#include "domain/copy_reader.h"
#include "domain/direct_upload.h"
#include "domain/download.h"
#include "domain/jobs.h"
#include "domain/legacy_files.h"
#include "domain/upload.h"
#include "domain/variants.h"
#include "http/body.h"
#include "http/origin.h"
#include "http/reply.h"
#include "http/request.h"
#include "http/router.h"

namespace cloakroom {

struct LinkRules {
  std::chrono::seconds expires{}, max_expires{};
};

// Old addresses; an empty path: there are none.
struct LegacyRules {
  std::string path;  // "/uploads/"
  LegacyAccess access = LegacyAccess::kService;
  bool by_worker = false;  // who sends the bytes: else nginx
};

struct AppOptions {
  std::string instance;       // part of nginx's internal locations
  std::string route_prefix;   // "/api"
  std::string cache_control;  // of downloads
  BodyRules bodies;
  Visibility visibility = Visibility::kPrivate;
  LinkRules links = {};
  OriginRules origins = {};
  std::string resource_policy = "same-site";  // Cross-Origin-Resource-Policy of every answer
  RateRules rates = {};
  QuotaRules quotas = {};
  LegacyRules legacy = {};
};

// One per process; the references outlive it.
struct App {
  AppOptions options;
  Rows& rows;
  BlobStore& store;  // where new files go
  Uploads& uploads;
  Downloads& downloads;
  Identity& identity;
  const Clock& clock;
  DirectUploads* direct_uploads = nullptr;                    // null where new files do not go to an S3 store
  BlobStore* fallback = nullptr;                              // where they go while `store` is away; null: nowhere
  const LinkTokens* links = nullptr;                          // null: no links
  Scanner* scanner = nullptr;                                 // null: nothing is scanned
  bool scanner_needed = true;                                 // without it no upload is taken
  Variants* variants = nullptr;                               // null: there are no pictures
  JobOverview* jobs = nullptr;                                // null: nobody is asked about the queue
  const std::atomic<std::uint64_t>* variants_made = nullptr;  // by this worker's children; null: nobody counts
  CopyRows* copies = nullptr;                                 // null, and so the next one: files have no copies
  CopyReader* copy_reader = nullptr;
  LegacyAddresses* legacy = nullptr;    // needed where there are old addresses
  LegacyFiles* legacy_files = nullptr;  // null: only what was taken over has any
};

struct Context {
  const Request& request;
  std::span<const std::string> params;  // of the path, in order
  Caller caller;                        // of a route that asks for one
  Spenders spenders = {};               // whose budgets this request is taken from
};

// kReader: a caller, or whoever has a link; with VISIBILITY=public anybody, and nobody is asked who he is.
enum class Access { kAnyone, kReader, kCaller, kService };

struct Route {
  std::string_view methods;
  std::string_view pattern;
  Access access;
  Result<Response> (*handler)(App&, const Context&);
};
Evidence evidence_of(const Request& request);
// What an address names. An id that cannot exist is asked for like any other: its 404 takes as long.
Uuid named_id(std::string_view text);
// One file by its id, which spends a download.
Result<std::optional<ReadableAttachment>> find_file(App& app, const Context& context, const Uuid& id);
// The same, with its variants of a name.
Result<FileAndVariants> find_file_and_variants(App& app, const Context& context, const Uuid& id, std::string_view name);
// A link that came with a request for a file is added to the caller, and makes one of nobody. A bad one is like none.
void take_link(const App& app, const Route& route, const Context& context, Result<Caller>& caller);  // links.cc
// "/api/files/ID/NAME?link=TOKEN"
std::string link_url(const App& app, const Attachment& attachment, std::string_view token);
// kDenied for a write that a foreign page may have made the browser send: with a cookie, or with what nginx says.
Status check_origin(const App& app, const Request& request);

// A request whose answer is being made by somebody else may come again instead of waiting here (kNotYet).
struct Turn {
  bool is_first = true;  // budgets are taken from once
  bool is_last = true;
  std::chrono::steady_clock::time_point begun = std::chrono::steady_clock::now();  // the first one
};
enum class Served { kDone, kLater };

// Routes, answers and logs one request; the caller has a live exchange and finishes it.
class Dispatcher {
 public:
  explicit Dispatcher(App& app);
  // kLater: nothing was answered nor logged, ask again with the same exchange. Not in its last turn.
  Served serve(Exchange& exchange, const Turn& turn = {});

 private:
  struct Outcome;
  Result<Response> answer(const Request& request, const Turn& turn, Outcome& outcome);
  Result<Response> answer_legacy(const Request& request, const Turn& turn, Outcome& outcome);
  Result<Response> handle(const Route& route, Context& context, const Turn& turn);
  HeaderList policies(const Request& request) const;

  App& app_;
  Router router_;
};

// Handlers, by file.
Result<Response> post_upload(App&, const Context&);  // upload.cc
Result<Response> put_upload(App&, const Context&);
Result<Response> may_upload(App&, const Context&);
Result<Response> post_direct_upload(App&, const Context&);  // direct.cc
Result<Response> sign_direct_parts(App&, const Context&);
Result<Response> complete_direct_upload(App&, const Context&);
Result<Response> get_file(App&, const Context&);  // files.cc
Result<Response> get_dialog_file(App&, const Context&);
Result<Response> get_legacy(App&, const Context&);       // legacy.cc
Result<Response> get_variant(App&, const Context&);      // variants.cc
Result<Response> post_link_token(App&, const Context&);  // links.cc
Result<Response> get_attachment(App&, const Context&);   // attachments.cc
Result<Response> list_attachments(App&, const Context&);
Result<Response> post_attachment(App&, const Context&);  // external.cc
Result<Response> delete_attachment(App&, const Context&);
Result<Response> link_attachments(App&, const Context&);
Result<Response> delete_message(App&, const Context&);  // conversations.cc
Result<Response> put_members(App&, const Context&);
Result<Response> get_limits(App&, const Context&);   // limits.cc
Result<Response> get_healthz(App&, const Context&);  // ops.cc
Result<Response> get_readyz(App&, const Context&);
Result<Response> get_metrics(App&, const Context&);

}  // namespace cloakroom
