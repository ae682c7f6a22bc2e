// dispatch.cc — the table of routes, and what happens to every request around its handler.
#include <array>
#include <chrono>
#include <exception>

#include "base/log.h"
#include "routes/app.h"

namespace cloakroom {
namespace {

constexpr std::string_view kMayUpload = "^/_cloakroom/may-upload";

// Reading this is reading the program: who may call what, and who answers.
constexpr std::array kRoutes{
    Route{"POST", "/upload", Access::kCaller, post_upload},
    Route{"PUT", "/upload/{filename}", Access::kCaller, put_upload},
    Route{"POST", "/direct-uploads", Access::kCaller, post_direct_upload},
    Route{"POST", "/direct-uploads/{id}/parts", Access::kCaller, sign_direct_parts},
    Route{"POST", "/direct-uploads/{id}/complete", Access::kCaller, complete_direct_upload},
    Route{"GET HEAD", "/files/{id}/{filename}", Access::kReader, get_file},
    Route{"GET HEAD", "/files/{id}/{variant}/{filename}", Access::kReader, get_variant},
    Route{"GET HEAD", "/support-chat/attachments/{dialog_id}/{id}", Access::kReader, get_dialog_file},
    Route{"GET HEAD", "/attachments", Access::kCaller, list_attachments},
    Route{"POST", "/attachments", Access::kService, post_attachment},
    Route{"POST", "/attachments/link", Access::kCaller, link_attachments},
    Route{"GET HEAD", "/attachments/{id}", Access::kCaller, get_attachment},
    Route{"DELETE", "/attachments/{id}", Access::kCaller, delete_attachment},
    Route{"POST", "/attachments/{id}/link-token", Access::kCaller, post_link_token},
    Route{"GET HEAD", "/limits", Access::kCaller, get_limits},
    Route{"DELETE", "/messages/{message_id}", Access::kService, delete_message},
    Route{"PUT", "/dialogs/{dialog_id}/members", Access::kService, put_members},
    Route{"GET HEAD", "^/metrics", Access::kService, get_metrics},
    Route{"GET HEAD", "^/healthz", Access::kAnyone, get_healthz},
    Route{"GET HEAD", "^/readyz", Access::kAnyone, get_readyz},
    // asked by nginx before it takes a body (auth_request); tells callers only who they are
    Route{"GET", kMayUpload, Access::kAnyone, may_upload},
};

constexpr Route kLegacyRoute{"GET HEAD", "{legacy}", Access::kReader, get_legacy};

// For the log.
std::string user_of(const Caller& caller) {
  if (caller.is_service()) return "service:" + caller.user_id.value_or("");
  return caller.user_id.value_or(caller.link ? "link:" : "");
}

std::vector<RoutePattern> patterns() {
  std::vector<RoutePattern> out;
  for (const Route& route : kRoutes) out.push_back({route.methods, route.pattern});
  return out;
}

bool is_write(std::string_view method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

// The only catch in the program: memory may run out anywhere, and one request must not take the others along.
template <class Step>
auto guarded(const Step& step) -> decltype(step()) {
  try {
    return step();
  } catch (const std::exception& e) {
    return Error{Errc::kInternal, std::string("exception: ") + e.what()};
  }
}

}  // namespace

Evidence evidence_of(const Request& request) {
  return {.authorization = request.header("HTTP_AUTHORIZATION"),
          .cookie = request.header("HTTP_COOKIE"),
          .remote_user = request.header("REMOTE_USER"),
          .uploader_id = request.header("HTTP_X_UPLOADER_ID"),
          .app_access = request.header("CLOAKROOM_ACCESS"),
          .app_access_id = request.header("CLOAKROOM_ACCESS_ID")};
}

Uuid named_id(std::string_view text) {
  return parse_uuid(text).value_or(Uuid{});
}

Status check_origin(const App& app, const Request& request) {
  if (!Identity::is_ambient(evidence_of(request)) || proves_origin(request, app.options.origins)) return Ok{};
  return refuse(Errc::kDenied,
                "A browser may send this only from the site's own pages, or from those of an origin in CORS_ORIGINS. A "
                "program sends its token as Authorization: Bearer, or the site's address as Origin.");
}

Result<std::optional<ReadableAttachment>> find_file(App& app, const Context& context, const Uuid& id) {
  return app.rows.find_within(id, context.caller.user_id, context.spenders);
}

Result<FileAndVariants> find_file_and_variants(App& app, const Context& context, const Uuid& id,
                                               std::string_view name) {
  return app.rows.find_with_variants(id, context.caller.user_id, context.spenders, name);
}

// What the log line needs beyond the response.
struct Dispatcher::Outcome {
  std::string_view route = "-";
  std::string user;
};

Dispatcher::Dispatcher(App& app) : app_(app), router_(app.options.route_prefix, patterns()) {}

Result<Response> Dispatcher::answer(const Request& request, const Turn& turn, Outcome& outcome) {
  if (is_preflight(request, app_.options.origins)) {
    Response allowed;
    allowed.status = 204;
    allowed.headers = preflight_headers();
    return allowed;
  }
  // a path of any depth, which is no pattern of the router's
  const std::string& legacy = app_.options.legacy.path;
  if (!legacy.empty() && request.path.starts_with(legacy)) return answer_legacy(request, turn, outcome);
  const RouteAnswer found = router_.match(request.method, request.path);
  if (std::holds_alternative<NoSuchPath>(found)) return cloaked();
  if (const auto* other = std::get_if<MethodNotAllowed>(&found)) {
    Response refused = problem(Error{Errc::kMethodNotAllowed, "method"}, request.id);
    refused.add("Allow", other->allow);
    return refused;
  }
  const auto& match = std::get<PathMatch>(found);
  const Route& route = kRoutes[match.route];
  outcome.route = route.pattern;
  Context context{request, match.params, {}};
  const bool open = route.access == Access::kReader && app_.options.visibility == Visibility::kPublic;
  if (route.access != Access::kAnyone && !open) {
    Result<Caller> caller = app_.identity.who(evidence_of(request), app_.clock.now());
    if (route.access == Access::kReader) take_link(app_, route, context, caller);
    TRY_ASSIGN(context.caller, std::move(caller));
    outcome.user = user_of(context.caller);
    if (route.access == Access::kService && !context.caller.is_service()) {
      return refuse(Errc::kDenied, "This is for the application's server alone; it needs the service token.");
    }
    if (is_write(request.method)) TRY(check_origin(app_, request));
  }
  return handle(route, context, turn);
}

Result<Response> Dispatcher::handle(const Route& route, Context& context, const Turn& turn) {
  if (route.access != Access::kAnyone && !context.caller.is_service() && turn.is_first) {
    const bool is_known = context.caller.user_id && app_.identity.tells_users_apart();
    context.spenders = spenders_of(app_.options.rates, is_known ? context.caller.user_id : std::nullopt,
                                   context.request.header("REMOTE_ADDR"));
  }
  auto answered = route.handler(app_, context);
  // whoever guesses ids has so many guesses
  if (!answered && answered.error().code == Errc::kNotFound && !context.spenders.empty()) {
    TRY(app_.rows.spend(context.spenders, Budget::kMisses));
  }
  return answered;
}

Result<Response> Dispatcher::answer_legacy(const Request& request, const Turn& turn, Outcome& outcome) {
  outcome.route = kLegacyRoute.pattern;
  if (request.method != "GET" && request.method != "HEAD") {
    Response refused = problem(Error{Errc::kMethodNotAllowed, "method"}, request.id);
    refused.add("Allow", "GET, HEAD");
    return refused;
  }
  Context context{request, {}, {}};
  Result<Caller> caller = app_.identity.who(evidence_of(request), app_.clock.now());
  const bool is_open = app_.options.legacy.access == LegacyAccess::kPublic;
  if (!caller && is_open && caller.error().code == Errc::kUnauthenticated) caller = Caller{};
  TRY_ASSIGN(context.caller, std::move(caller));
  outcome.user = user_of(context.caller);
  return handle(kLegacyRoute, context, turn);
}

HeaderList Dispatcher::policies(const Request& request) const {
  HeaderList headers = cors_headers(request, app_.options.origins);
  headers.emplace_back("Cross-Origin-Resource-Policy", app_.options.resource_policy);
  return headers;
}

Served Dispatcher::serve(Exchange& exchange, const Turn& turn) {
  Outcome outcome;
  Response response;
  Request request;
  request.exchange = &exchange;
  auto read = read_request(exchange);
  if (read) {
    request = *std::move(read);
    request.answer_headers = policies(request);
    auto answered = guarded([&] { return answer(request, turn, outcome); });
    if (!answered && answered.error().code == Errc::kNotYet && !turn.is_last) return Served::kLater;
    response = answered ? *std::move(answered) : problem(answered.error(), request.id);
  } else {
    request.id = request_id(exchange);
    request.method = exchange.variable("REQUEST_METHOD");  // HEAD gets no body here either
    request.answer_headers = policies(request);
    response = problem(read.error(), request.id);
  }
  const auto sent = guarded([&] { return send(request, response, exchange); });
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - turn.begun).count();
  const bool server_fault = response.status >= 500 || !sent;
  // nginx's question before an upload is part of that upload, which has its own line, unless the answer was no
  const bool only_asked = outcome.route == kMayUpload && !response.is_error;
  log(server_fault ? Level::kWarning
      : only_asked ? Level::kDebug
                   : Level::kInfo,
      "request.done",
      {{"req", request.id},
       {"method", request.method},
       {"route", outcome.route},
       {"user", outcome.user},
       {"status", response.status},
       {"in", request.content_length.value_or(0)},
       {"bytes", sent ? *sent + response.handed_over_bytes : std::uint64_t{0}},
       {"ms", ms},
       {"err", response.is_error ? error_name(response.error) : std::string_view()},
       {"detail", sent ? std::string_view(response.error_detail) : std::string_view(sent.error().detail)}});
  return Served::kDone;
}

}  // namespace cloakroom
