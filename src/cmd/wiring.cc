// wiring.cc — from settings to objects.
#include "cmd/wiring.h"

#include <fcntl.h>

#include "routes/attachment_json.h"

namespace cloakroom {
namespace {

constexpr std::chrono::seconds kImagerQueueTime{3};  // for a free helper, before IMAGE_TIMEOUT begins

Delivery delivery_of(const std::string& word) {
  if (word == "redirect") return Delivery::kRedirect;
  return word == "stream" ? Delivery::kStream : Delivery::kProxy;
}

Fallback fallback_of(const Config& c, const StoreSet& stores) {
  if (!keeps_aside(c)) return {};
  return {stores.local.get(), kept_key_rule(c)};
}

QuotaRules quota_rules(const LimitsConfig& limits) {
  return {.user = {limits.user_quota.bytes, limits.user_quota.files},
          .dialog = {limits.dialog_quota.bytes, limits.dialog_quota.files}};
}

UploadRules upload_rules(const Config& c) {
  return {.keys = key_rule(c),
          .max_file_bytes = c.max_upload_bytes,
          .allowed_types = c.allowed_types,
          .object_cache_control = c.object_cache_control,
          .orphan_grace = c.orphan_grace,
          .stored_headers = stored_headers,
          .quotas = quota_rules(c.limits)};
}

// `scan`, `strip`, `imager`: null where nothing is scanned, pictures are kept as they come, or nobody looks at them.
UploadRules checked_upload_rules(const Config& c, std::optional<VirusScan>& scan, std::optional<MetadataStrip>& strip,
                                 Imager* imager) {
  UploadRules rules = upload_rules(c);
  if (scan) rules.scan = &*scan;
  if (strip) rules.strip = &*strip;
  rules.imager = imager;
  rules.nameless = nameless_file(c);
  return rules;
}

std::optional<VirusScan> make_scan(const Config& c, const ScannerSet& scanner) {
  if (!scanner.guarded) return std::nullopt;
  return VirusScan(*scanner.guarded, {c.clamd_max_bytes, c.clamd_fail_open});
}

std::optional<PictureStripper> make_stripper(const Config& c) {
  if (c.strip_metadata == "none") return std::nullopt;
  return PictureStripper(c.strip_metadata == "all" ? StripMode::kAll : StripMode::kGps);
}

// `all` is a promise: what cannot be read to its end is refused.
std::optional<MetadataStrip> make_strip(const Config& c, std::optional<PictureStripper>& stripper) {
  if (!stripper) return std::nullopt;
  return MetadataStrip(*stripper, c.strip_metadata == "all");
}

DirectRules direct_rules(const Config& c) {
  return {.expires = c.direct_upload_expires,
          .part_bytes = c.direct_part_bytes,
          .max_parts = profile_of(*c.s3_of_new_files()).max_parts};
}

DirectPlace direct_place(const StoreSet& stores, StoreKind kind) {
  const S3Set* const s3 = stores.s3_of(kind);
  return s3 == nullptr ? DirectPlace{} : DirectPlace{s3->guarded.get(), s3->direct_guarded.get()};
}

RateSet rate_set(const LimitsConfig::Rates& rates) {
  return {rates.uploads, rates.downloads, rates.misses};
}

AppOptions app_options(const Config& c) {
  return {
      .instance = c.instance,
      .route_prefix = c.route_prefix,
      .cache_control = c.cache_control,
      .bodies = {c.body_temp_path, c.max_request_bytes},
      .visibility = c.visibility == "public" ? Visibility::kPublic : Visibility::kPrivate,
      .links = {c.link_expires, c.link_max_expires},
      .origins = {.site = c.site_origins, .listed = c.cors_origins},
      .resource_policy = c.resource_policy,
      .rates = {rate_set(c.limits.user), rate_set(c.limits.address)},
      .quotas = quota_rules(c.limits),
      .legacy = {c.legacy.path, parse_legacy_access(c.legacy.access), delivery_of(c.delivery) == Delivery::kStream}};
}

}  // namespace

StoredHeaders stored_headers(const Attachment& attachment) {
  FileHeaders headers = file_headers(attachment, false);
  return {std::move(headers.content_type), std::move(headers.disposition)};
}

// As a body that comes without a file (http/body.cc).
NamelessFile nameless_file(const Config& c) {
  return [folder = c.body_temp_path] { return open_nameless(folder); };
}

Mover make_mover(const Config& config, const StoreSet& stores, Rows& rows, const Clock& clock) {
  LocalStore* const local = stores.local.get();
  return {rows,
          *stores.for_kept_files(config)->guarded,
          [local](const ObjectKey& key) { return local->open(key); },
          clock,
          {.keys = key_rule(config),
           .copy = {.object_cache_control = config.object_cache_control, .stored_headers = stored_headers},
           .orphan_grace = config.orphan_grace,
           .linger = kMoveLinger}};
}

StoreMoveRules store_move_rules(const Config& config, Proof proof) {
  return {
      .keys = key_rule(config),
      .copy = {.object_cache_control = config.object_cache_control, .stored_headers = stored_headers, .proof = proof}};
}

StoreMove::Parts store_move_parts(const Config& config, const StoreSet& stores, MoveRoute route, MoveRows& rows,
                                  const Clock& clock) {
  StoreMove::Parts parts{
      rows, *stores.all().by_kind(route.from), *stores.all().by_kind(route.to), {}, nameless_file(config), clock};
  if (route.from == StoreKind::kLocal) {
    parts.open_source = [local = stores.local.get()](const ObjectKey& key) { return local->open(key); };
  }
  return parts;
}

std::optional<Clamd> make_scanner(const Config& c) {
  if (c.clamd_socket.empty()) return std::nullopt;
  return Clamd({.address = c.clamd_socket, .connect_timeout = c.clamd_connect_timeout, .timeout = c.clamd_timeout});
}

ScannerSet make_guarded_scanner(const Config& c, Scoreboard* board) {
  auto clamd = make_scanner(c);
  if (!clamd) return {};
  ScannerSet set;
  set.clamd = std::make_unique<Clamd>(*std::move(clamd));
  if (board == nullptr) {
    set.own_board = std::make_unique<SharedScoreboard>();
    board = &**set.own_board;
  }
  const BreakerPolicy policy{
      .probe_lease = 3 * c.clamd_connect_timeout, .outage = Errc::kScannerAway, .name = "scanner"};
  set.breaker = std::make_unique<Breaker>(board->scanner_breaker, policy, system_breaker_tools());
  set.bulkhead = std::make_unique<Bulkhead>(board->scanner_calls, most_calls_at_once(c.workers), kStillFor,
                                            system_bulkhead_tools());
  set.guard = std::make_unique<CallGuard>(
      GuardedServer{"the virus scanner", Errc::kScannerAway, [clamd = set.clamd.get()] { return clamd->ready(); }},
      *set.breaker, *set.bulkhead);
  set.guarded = std::make_unique<GuardedScanner>(*set.clamd, *set.guard);
  return set;
}

std::optional<ImageClient> make_imager(const Config& c) {
  if (c.images.socket.empty()) return std::nullopt;
  return ImageClient({.socket = c.images.socket, .timeout = c.images.timeout + kImagerQueueTime});
}

ImagerSet make_guarded_imager(const Config& c, Scoreboard* board) {
  auto client = make_imager(c);
  if (!client) return {};
  ImagerSet set;
  set.client = std::make_unique<ImageClient>(*std::move(client));
  if (board == nullptr) {
    set.own_board = std::make_unique<SharedScoreboard>();
    board = &**set.own_board;
  }
  const BreakerPolicy policy{
      .probe_lease = c.images.timeout + 2 * kImagerQueueTime, .outage = Errc::kImagerAway, .name = "imager"};
  set.breaker = std::make_unique<Breaker>(board->imager_breaker, policy, system_breaker_tools());
  set.looking =
      std::make_unique<Bulkhead>(board->looking, most_calls_at_once(c.workers), kStillFor, system_bulkhead_tools());
  set.guarded = std::make_unique<GuardedImager>(
      *set.client, *set.breaker, [client = set.client.get()] { return client->ready(); }, set.looking.get());
  return set;
}

Variants make_variants(const Config& config, const StoreSet& stores, Rows& rows, VariantRows& variants, Imager& imager,
                       const Clock& clock, const MakingBoard& board) {
  VariantRules rules{.keys = key_rule(config),
                     .object_cache_control = config.object_cache_control,
                     .orphan_grace = config.orphan_grace,
                     .stored_headers = stored_headers,
                     .nameless = nameless_file(config)};
  for (const VariantSetting& v : config.variants) rules.sizes.push_back({v.name, v.max_width, v.max_height});
  for (const std::string& word : config.variant_formats) {
    if (const auto format = parse_variant_format(word)) rules.formats.push_back(*format);
  }
  LocalStore* const local = stores.local.get();
  std::function<MakingPlace()> place;
  std::function<void()> counted;
  if (board.made != nullptr) counted = [made = board.made] { made->fetch_add(1, std::memory_order_relaxed); };
  if (board.making != nullptr) {
    place = [making = board.making]() -> MakingPlace {
      Bulkhead::Place free = making->try_enter();
      return free ? std::make_shared<Bulkhead::Place>(std::move(free)) : nullptr;
    };
  }
  return {{.rows = rows,
           .variants = variants,
           .target = stores.for_new_files(config),
           .store_of = [all = stores.all()](StoreKind kind) { return all.by_kind(kind); },
           .open_local = [local](const ObjectKey& key) { return local->open(key); },
           .imager = imager,
           .clock = clock,
           .place = std::move(place),
           .made = counted},
          std::move(rules)};
}

BackfillScan::BackfillScan(const Config& config)
    : scanner(make_guarded_scanner(config, nullptr)), scan(make_scan(config, scanner)) {}

BackfillRules backfill_rules(const Config& config, BackfillScan& scan) {
  return {.keys = key_rule(config),
          .object_cache_control = config.object_cache_control,
          .orphan_grace = config.orphan_grace,
          .stored_headers = stored_headers,
          .scan = scan.scan ? &*scan.scan : nullptr,
          .makes_variants = !config.images.socket.empty() && !config.variants.empty()};
}

Result<Identity> make_identity(const Config& config) {
  IdentityOptions options{.jwt_cookie = config.jwt_cookie, .service_token = config.service_token};
  std::optional<JwtVerifier> verifier;
  if (config.auth == "header") options.mode = IdentityOptions::Mode::kHeader;
  if (config.auth == "none") options.mode = IdentityOptions::Mode::kNone;
  if (config.auth == "jwt") {
    TRY_ASSIGN(JwtVerifier made, JwtVerifier::make({.secret = config.jwt_secret,
                                                    .public_key_pem = config.jwt_public_key,
                                                    .user_claim = config.jwt_user_claim,
                                                    .issuer = config.jwt_issuer,
                                                    .audience = config.jwt_audience}));
    verifier.emplace(std::move(made));
  }
  return Identity(std::move(options), std::move(verifier));
}

Level log_level(const Config& config) {
  return level_named(config.log_level);
}

DatabaseOptions database_options(const Config& config, const char* program) {
  return {.url = config.database_url,
          .schema = config.database_schema,
          .application_name = std::string(program) + "@" + config.instance};
}

namespace {

// The settings may be right and a link wrong: nothing is handed out then.
Result<std::optional<PlaceInStore>> legacy_place(const Config& config) {
  TRY_ASSIGN(const std::string root, real_path(config.legacy.root));
  for (const std::string& ours : {config.storage_path, config.body_temp_path}) {
    const auto real = real_path(ours);  // not there yet: nothing is in it
    if (real && lies_within(*real, root)) {
      return Error{Errc::kInvalid, "LEGACY_FALLBACK_ROOT leads to '" + ours + "' or to a folder above it"};
    }
  }
  const auto prefix = prefix_in_store(config.legacy.root, config.storage_path);
  if (!prefix || !*prefix) return std::optional<PlaceInStore>();
  return std::optional(PlaceInStore{**prefix, config.key_prefix});
}

}  // namespace

Service::Service(const Config& config, const Clock& clock, Sniffer& sniffer, StoreSet stores, Identity identity,
                 Scoreboard* board)
    : database_(database_options(config, "cloakroom-fcgi")),
      rows_(database_, {.wants_copies = is_hybrid(config)}),
      stores_(std::move(stores)),
      identity_(std::move(identity)),
      scanner_(make_guarded_scanner(config, board)),
      scan_(make_scan(config, scanner_)),
      stripper_(make_stripper(config)),
      strip_(make_strip(config, stripper_)),
      imager_(make_guarded_imager(config, board)),
      uploads_(rows_, stores_.for_new_files(config), sniffer, clock,
               checked_upload_rules(config, scan_, strip_, imager_.guarded.get()), fallback_of(config, stores_)),
      downloads_(stores_.all(), {.delivery = delivery_of(config.delivery),
                                 .presign_expires = config.presign_expires,
                                 .cdn_url = config.cdn_url,
                                 .cdn_store = kind_of_new_files(config)}),
      direct_rows_(database_),
      variant_rows_(database_),
      app_{.options = app_options(config),
           .rows = rows_,
           .store = stores_.for_new_files(config),
           .uploads = uploads_,
           .downloads = downloads_,
           .identity = identity_,
           .clock = clock,
           .fallback = fallback_of(config, stores_).store},
      dispatcher_(app_) {
  // where every file is public a link gives nothing
  if (!config.link_secret.empty() && config.visibility != "public") {
    app_.links = &links_.emplace(LinkTokenKeys{config.link_secret, config.link_secret_previous});
  }
  app_.jobs = &job_overview_;
  if (board != nullptr) app_.variants_made = &board->variants_made;
  if (is_hybrid(config)) {
    app_.copies = &copies_;
    app_.copy_reader = &copy_reader_.emplace(*stores_.local, copies_);
  }
  app_.legacy = &backfill_book_;
  if (!config.legacy.root.empty()) {
    auto folder = LegacyFolder::make(config.legacy.root);
    auto place = legacy_place(config);
    if (folder && place) {
      app_.legacy_files =
          &legacy_files_.emplace(legacy_folder_.emplace(*std::move(folder)), sniffer, *std::move(place));
    } else {
      const Error& why = folder ? place.error() : folder.error();
      log(Level::kWarning, "legacy.no_folder", {{"detail", why.detail}});
    }
  }
  app_.scanner = scanner_.guarded.get();
  app_.scanner_needed = !config.clamd_fail_open;
  if (imager_.guarded && !config.variants.empty()) {
    if (board != nullptr) {
      making_.emplace(board->making, most_calls_at_once(config.workers), kStillFor, system_bulkhead_tools());
    }
    variants_.emplace(make_variants(config, stores_, rows_, variant_rows_, *imager_.guarded, clock,
                                    {making_ ? &*making_ : nullptr, board ? &board->variants_made : nullptr}));
    app_.variants = &*variants_;
  }
  const S3Set* const target = stores_.s3_of(kind_of_new_files(config));
  if (target == nullptr) return;
  direct_uploads_.emplace(DirectUploads::Parts{rows_, direct_rows_, *target->guarded, *target->direct_guarded, sniffer,
                                               clock, [this](StoreKind kind) { return direct_place(stores_, kind); }},
                          checked_upload_rules(config, scan_, strip_, imager_.guarded.get()), direct_rules(config));
  app_.direct_uploads = &*direct_uploads_;
}

Result<std::unique_ptr<Service>> Service::make(const Config& config, const Clock& clock, Sniffer& sniffer,
                                               Scoreboard* board) {
  TRY_ASSIGN(StoreSet stores, make_stores(config, clock, board));
  TRY_ASSIGN(Identity identity, make_identity(config));
  return std::unique_ptr<Service>(new Service(config, clock, sniffer, std::move(stores), std::move(identity), board));
}

Served Service::serve(Exchange& exchange, const Turn& turn) {
  database_.begin_request();
  return dispatcher_.serve(exchange, turn);
}

}  // namespace cloakroom
