// links.cc — signed links: who makes one, and what one that came with a request is worth.
#include <algorithm>

#include "base/encode.h"
#include "base/ip_address.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "routes/app.h"
#include "routes/attachment_json.h"

namespace cloakroom {
namespace {

struct LinkWish {
  std::chrono::seconds life{};
  std::string user_id, ip;
};

Result<std::chrono::seconds> read_life(const App& app, const Json& body) {
  const json_t* given = json_object_get(body.get(), "expires_in");
  if (given == nullptr || json_is_null(given)) return app.options.links.expires;
  const auto most = app.options.links.max_expires;
  const json_int_t seconds = json_is_integer(given) ? json_integer_value(given) : 0;
  if (seconds < 1 || seconds > most.count()) {
    return refuse(Errc::kInvalid, "expires_in must be a whole number of seconds, 1 to " + std::to_string(most.count()) +
                                      " (LINK_MAX_EXPIRES).");
  }
  return std::chrono::seconds(seconds);
}

Result<std::string> optional_text(const Json& body, const char* name) {
  const json_t* given = json_object_get(body.get(), name);
  if (given == nullptr || json_is_null(given)) return std::string();
  if (json_is_integer(given)) return std::to_string(json_integer_value(given));
  if (!json_is_string(given)) return refuse(Errc::kInvalid, std::string(name) + " must be a text.");
  return std::string(json_string_value(given), json_string_length(given));
}

Result<LinkWish> read_wish(const App& app, std::string_view text) {
  LinkWish wish{.life = app.options.links.expires, .user_id = {}, .ip = {}};
  if (text.empty()) return wish;
  TRY_ASSIGN(const Json body, parse_json(text));
  if (!json_is_object(body.get())) {
    return refuse(Errc::kInvalid, "Send nothing, or a JSON object with expires_in, user_id or ip.");
  }
  TRY_ASSIGN(wish.life, read_life(app, body));
  TRY_ASSIGN(wish.user_id, optional_text(body, "user_id"));
  TRY_ASSIGN(wish.ip, optional_text(body, "ip"));
  if (!wish.user_id.empty() && !is_foreign_id(wish.user_id)) {
    return refuse(Errc::kInvalid, "user_id is not a usable id.");
  }
  if (!wish.user_id.empty() && !app.identity.knows_users_by_token()) {
    return refuse(Errc::kInvalid,
                  "A link can be bound to a user with AUTH=jwt alone: here nobody asks who comes with a link.");
  }
  if (!wish.ip.empty()) {
    auto ip = canonical_ip(wish.ip);
    if (!ip) return refuse(Errc::kInvalid, "ip must be an IPv4 or IPv6 address.");
    wish.ip = *std::move(ip);
  }
  return wish;
}

// Of {id} among the parameters of a pattern.
std::size_t id_place(std::string_view pattern) {
  const std::string_view before = pattern.substr(0, pattern.find("{id}"));
  return static_cast<std::size_t>(std::count(before.begin(), before.end(), '{'));
}

}  // namespace

std::string link_url(const App& app, const Attachment& attachment, std::string_view token) {
  return stable_url(app, attachment) + "?link=" + std::string(token);
}

void take_link(const App& app, const Route& route, const Context& context, Result<Caller>& caller) {
  if (app.links == nullptr) return;
  const auto token = query_value(context.request.query, "link");
  if (!token) return;
  const auto id = parse_uuid(context.params[id_place(route.pattern)]);
  const std::string user = caller && caller->user_id ? *caller->user_id : std::string();
  // no address at all (a server that does not tell it) is like none that a link could be bound to
  const std::string ip = canonical_ip(context.request.header("REMOTE_ADDR")).value_or("");
  const auto expires =
      app.links->verify(*token, {id ? *id : Uuid{}, user, ip}, app.clock.now());  // a malformed id takes as long
  if (!id || !expires) {
    const std::string why = expires ? "link: malformed id" : expires.error().detail;
    if (!caller) caller = Error{caller.error().code, caller.error().detail + "; " + why, caller.error().say};
    return;
  }
  if (!caller && caller.error().code == Errc::kUnauthenticated) caller = Caller{};
  if (caller) caller->link = FileLink{*id, *expires};
}

Result<Response> post_link_token(App& app, const Context& context) {
  if (app.links == nullptr) {
    return refuse(Errc::kConflict, "There are no links here: LINK_SECRET is not set, or every file is public.");
  }
  TRY_ASSIGN(const auto found, find_file(app, context, named_id(context.params[0])));
  TRY(check_make_link(context.caller, found));
  TRY_ASSIGN(const std::string text, read_small_body(context.request, app.options.bodies, limits::kJsonBodyBytes));
  TRY_ASSIGN(const LinkWish wish, read_wish(app, text));
  const TimePoint expires{unix_seconds(app.clock.now() + wish.life)};
  const Attachment& a = found->attachment;
  const std::string token = app.links->sign({.id = a.id, .expires = expires, .user_id = wish.user_id, .ip = wish.ip});
  log(Level::kInfo, "link.made",
      {{"req", context.request.id},
       {"user", context.caller.is_service() ? std::string("service") : context.caller.user_id.value_or("")},
       {"id", to_string(a.id)},
       {"for_user", wish.user_id},
       {"for_ip", wish.ip},
       {"expires", iso8601_ms(expires)}});
  const Json answer(json_object());
  json_object_set_new(answer.get(), "token", json_text(token).release());
  json_object_set_new(answer.get(), "url", json_text(link_url(app, a, token)).release());
  json_object_set_new(answer.get(), "expires_at", json_text(iso8601_ms(expires)).release());
  return json_response(201, dump_json(answer));
}

}  // namespace cloakroom
