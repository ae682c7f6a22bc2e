// service.h — the whole service over fakes: ask() sends one request through the Dispatcher and gives its answer.
#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "check.h"
#include "fake/clock.h"
#include "fake/exchange.h"
#include "fake/rows.h"
#include "fake/sniffer.h"
#include "fake/store.h"
#include "fake/temp_folder.h"
#include "routes/app.h"

namespace cloakroom::fake {

inline const std::string kServiceToken = "service-token-of-tests";

struct ServiceOptions {
  Delivery delivery = Delivery::kProxy;
  StoreKind new_files = StoreKind::kLocal;
  Visibility visibility = Visibility::kPrivate;
  std::string cdn_url = {};
  bool fallback = false;  // the local store, for files of the other
  bool links = true;
  std::string jwt_secret = {};  // users are known by tokens then
  std::string cache_control = "private, max-age=60";
  RateRules rates = {};
};

using Variables = std::map<std::string, std::string>;

// Users are named by REMOTE_USER.
class Service {
 public:
  explicit Service(ServiceOptions options = {})
      : local(StoreKind::kLocal, &journal),
        s3(StoreKind::kS3, &journal),
        uploads(
            rows, options.new_files == StoreKind::kLocal ? local : s3, sniffer, clock,
            {.keys = {}, .max_file_bytes = 100, .allowed_types = {}, .object_cache_control = {}, .orphan_grace = {}}),
        downloads({&local, {&s3, &presigner}}, {options.delivery, std::chrono::seconds(300), options.cdn_url}),
        identity(identity_of(options)),
        links({"link-secret-of-tests"}),
        app{.options = {.instance = "test",
                        .route_prefix = "/api",
                        .cache_control = options.cache_control,
                        .bodies = {folder.path(), 1000},
                        .visibility = options.visibility,
                        .links = {std::chrono::seconds(100), std::chrono::seconds(1000)},
                        .rates = options.rates},
            .rows = rows,
            .store = options.new_files == StoreKind::kLocal ? local : s3,
            .uploads = uploads,
            .downloads = downloads,
            .identity = identity,
            .clock = clock,
            .fallback = options.fallback ? &local : nullptr,
            .links = options.links ? &links : nullptr},
        dispatcher(app) {}

  Answer serve(FakeExchange& exchange) {
    exchange.variables.insert({"REQUEST_ID", "9f2c"});
    dispatcher.serve(exchange);
    return exchange.answer();
  }
  // `target` is "METHOD /path?query"; `user` is empty for nobody, "service" for the service token.
  Answer ask(std::string_view user, std::string_view target, std::string body = {}, Variables more = {}) {
    FakeExchange exchange;
    exchange.variables = std::move(more);
    const std::size_t space = target.find(' ');
    exchange.variables["REQUEST_METHOD"] = target.substr(0, space);
    exchange.variables["REQUEST_URI"] = target.substr(space + 1);
    if (user == "service") {
      exchange.variables["HTTP_AUTHORIZATION"] = "Bearer " + kServiceToken;
    } else if (!user.empty()) {
      exchange.variables["REMOTE_USER"] = user;
    }
    if (!body.empty()) exchange.variables["CONTENT_LENGTH"] = std::to_string(body.size());
    exchange.body = std::move(body);
    return serve(exchange);
  }

  // A file of `bytes` that alice uploaded; change the row through the reference.
  Attachment& add(std::string_view bytes = "hello", StoreKind kind = StoreKind::kLocal) {
    Attachment a;
    a.id = make_uuid7(clock.now());
    a.uploader_id = "alice";
    a.filename = "x.png";
    a.mime_type = "image/png";
    a.size_bytes = bytes.size();
    a.sha256 = sha256(bytes);
    a.store = kind;
    a.key = "k/" + to_hex(a.id);
    a.created_at = clock.now();
    const std::string path = folder.write("bytes", bytes);
    const UniqueFd fd = CHECK_OK(open_file(path, O_RDONLY));
    BlobStore& store = kind == StoreKind::kLocal ? local : s3;
    CHECK_OK(store.put(CHECK_OK(ObjectKey::parse(a.key)), {fd.get(), 0, bytes.size(), {}}, {}));
    rows.attachments.push_back(std::move(a));
    return rows.attachments.back();
  }

  static Identity identity_of(const ServiceOptions& options) {
    if (options.jwt_secret.empty()) {
      return {{.mode = IdentityOptions::Mode::kHeader, .jwt_cookie = {}, .service_token = kServiceToken}, {}};
    }
    return {{.mode = IdentityOptions::Mode::kJwt, .jwt_cookie = {}, .service_token = kServiceToken},
            CHECK_OK(JwtVerifier::make({.secret = options.jwt_secret, .public_key_pem = {}}))};
  }

  TempFolder folder;
  Journal journal;
  FakeRows rows{&journal};
  FakeStore local, s3;
  FakePresigner presigner;
  FakeSniffer sniffer;
  FixedClock clock;
  Uploads uploads;
  Downloads downloads;
  Identity identity;
  LinkTokens links;
  App app;
  Dispatcher dispatcher;
};

inline std::string file_url(const Attachment& a) {
  return "/api/files/" + to_string(a.id) + "/x";
}
inline std::string meta_url(const Attachment& a) {
  return "/api/attachments/" + to_string(a.id);
}

// The member of a JSON answer: its text, or its value as JSON; "(absent)".
inline std::string member(const Answer& answer, const char* name) {
  const Json document = CHECK_OK(parse_json(answer.body));
  json_t* value = json_object_get(document.get(), name);
  if (value == nullptr) return "(absent)";
  if (json_is_string(value)) return json_string_value(value);
  return dump_json(Json(json_incref(value)));
}
inline std::size_t list_size(const Answer& answer) {
  const Json document = CHECK_OK(parse_json(answer.body));
  CHECK(json_is_array(document.get()));
  return json_array_size(document.get());
}

}  // namespace cloakroom::fake
