// wiring.cc — from settings to objects.
#include "cmd/wiring.h"

#include <fcntl.h>

#include "routes/attachment_json.h"
#include "storage/credential_providers.h"

namespace cloakroom {
namespace {

// A server that takes or gives no byte for so long while all places are taken hangs; those that work answer within it.
constexpr std::chrono::milliseconds kStillFor{2000};
constexpr std::chrono::seconds kImagerQueueTime{3};  // for a free helper, before IMAGE_TIMEOUT begins
// Whoever read a row before its object was moved has opened the old one by then.
constexpr std::chrono::seconds kMoveLinger{10};

KeyNaming naming_of(const std::string& word) {
  if (word == "uuid-name") return KeyNaming::kUuidName;
  return word == "folder" ? KeyNaming::kFolder : KeyNaming::kFanout;
}

Delivery delivery_of(const std::string& word) {
  if (word == "redirect") return Delivery::kRedirect;
  return word == "stream" ? Delivery::kStream : Delivery::kProxy;
}

KeyRule key_rule(const Config& c) {
  return {c.key_prefix, naming_of(c.key_naming)};
}

bool keeps_aside(const Config& c) {
  return c.storage == "s3" && c.s3_fallback == "local";
}

KeyRule kept_key_rule(const Config& c) {
  return {kept_prefix_of(c) + c.key_prefix, naming_of(c.key_naming)};
}

Fallback fallback_of(const Config& c, const StoreSet& stores) {
  if (!keeps_aside(c)) return {};
  return {stores.local.get(), kept_key_rule(c)};
}

StoredHeaders stored_headers(const Attachment& attachment) {
  FileHeaders headers = file_headers(attachment, false);
  return {std::move(headers.content_type), std::move(headers.disposition)};
}

QuotaRules quota_rules(const LimitsConfig& limits) {
  return {.user = {limits.user_quota.bytes, limits.user_quota.files},
          .dialog = {limits.dialog_quota.bytes, limits.dialog_quota.files}};
}

// As a body that comes without a file (http/body.cc).
NamelessFile nameless_file(const Config& c) {
  return [folder = c.body_temp_path] { return open_nameless(folder); };
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
  return {
      .expires = c.direct_upload_expires, .part_bytes = c.direct_part_bytes, .max_parts = profile_of(*c.s3).max_parts};
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

// Null when the settings hold the keys themselves.
std::shared_ptr<CredentialSource> credential_source(const S3Config& s3) {
  if (!s3.access_key_id.empty()) return nullptr;
  const S3CredentialConfig& c = s3.credentials;
  CredentialPlaces places;
  places.shared_file = {c.shared_file, c.profile, c.shared_file_required};
  places.web_identity.token_file = c.web_identity_token_file;
  places.web_identity.role_arn = c.role_arn;
  places.web_identity.session_name = c.role_session_name;
  places.web_identity.endpoint = c.sts_endpoint;
  places.web_identity.ca_file = s3.ca_file;
  places.metadata.endpoint = c.metadata_endpoint;
  return std::make_shared<RefreshingCredentials>(credential_chain(places));
}

}  // namespace

const S3Profile& profile_of(const S3Config& s3) {
  return s3_profile(parse_s3_provider(s3.provider).value_or(guess_s3_provider(s3.endpoint)));
}

S3Options s3_options(const S3Config& s3) {
  const S3Profile& profile = profile_of(s3);
  const S3Addressing addressing = parse_s3_addressing(s3.addressing).value_or(S3Addressing::kAuto);
  return {.endpoint = s3.endpoint,
          .public_endpoint = s3.public_endpoint,
          .region = s3.region.empty() ? s3_default_region(profile, s3.endpoint) : s3.region,
          .bucket = s3.bucket,
          .access_key_id = s3.access_key_id,
          .secret_access_key = s3.secret_access_key,
          .session_token = s3.session_token,
          .credentials = credential_source(s3),
          .addressing = s3_addressing(profile, addressing, s3.bucket),
          .content_md5 = profile.content_md5,
          .ca_file = s3.ca_file,
          .parts = {.min_part_bytes = profile.min_part_bytes, .max_parts = profile.max_parts}};
}

Result<StoreSet> make_stores(const Config& config, const Clock& clock, Scoreboard* board) {
  StoreSet set;
  const KeyRule local_rule = keeps_aside(config) ? kept_key_rule(config) : key_rule(config);
  set.local =
      std::make_unique<LocalStore>(LocalOptions{.root = config.storage_path, .folders = key_folders(local_rule)});
  if (config.s3) {
    if (board == nullptr) {
      set.own_board = std::make_unique<SharedScoreboard>();
      board = &**set.own_board;
    }
    set.s3_breaker = std::make_unique<Breaker>(board->s3_breaker, BreakerPolicy{}, system_breaker_tools());
    set.s3_bulkhead = std::make_unique<Bulkhead>(board->s3_calls, most_calls_at_once(config.workers), kStillFor,
                                                 system_bulkhead_tools());
    S3Options options = s3_options(*config.s3);
    options.on_progress = [bulkhead = set.s3_bulkhead.get()] { bulkhead->moved(); };
    options.on_silence = [bulkhead = set.s3_bulkhead.get()](bool is_so) { bulkhead->silent(is_so); };
    TRY_ASSIGN(set.s3, S3Store::make(options, clock));
    const Retrier retrier(RetryPolicy{}, system_retry_tools(), options.quota);
    set.s3_retrying = std::make_unique<RetryingStore>(*set.s3, retrier);
    set.s3_guard = std::make_unique<CallGuard>(
        GuardedServer{"the store", Errc::kStoreAway, [store = set.s3_retrying.get()] { return store->ready(); }},
        *set.s3_breaker, *set.s3_bulkhead);
    set.s3_guarded = std::make_unique<GuardedStore>(*set.s3_retrying, *set.s3_guard);
    const bool takes_forms = profile_of(*config.s3).post_policy == Fact::kYes;
    set.s3_direct =
        std::make_unique<S3DirectStore>(set.s3->client(), takes_forms ? DirectMethod::kPost : DirectMethod::kPut);
    set.s3_direct_retrying = std::make_unique<RetryingDirectStore>(*set.s3_direct, retrier);
    set.s3_direct_guarded = std::make_unique<GuardedDirectStore>(*set.s3_direct_retrying, *set.s3_guard);
  }
  return set;
}

std::string kept_prefix_of(const Config& config) {
  return kept_prefix(config.node_name);
}

Mover make_mover(const Config& config, const StoreSet& stores, Rows& rows, const Clock& clock) {
  LocalStore* const local = stores.local.get();
  return {rows,
          *stores.s3_guarded,
          [local](const ObjectKey& key) { return local->open(key); },
          clock,
          {.keys = key_rule(config),
           .object_cache_control = config.object_cache_control,
           .orphan_grace = config.orphan_grace,
           .linger = kMoveLinger,
           .stored_headers = stored_headers}};
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
                       const Clock& clock, Bulkhead* making) {
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
  if (making != nullptr) {
    place = [making]() -> MakingPlace {
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
           .place = std::move(place)},
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

Service::Service(const Config& config, const Clock& clock, Sniffer& sniffer, StoreSet stores, Identity identity,
                 Scoreboard* board)
    : database_(database_options(config, "cloakroom-fcgi")),
      rows_(database_),
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
                                 .cdn_url = config.cdn_url}),
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
  app_.legacy = &backfill_book_;
  if (!config.legacy.root.empty()) {
    if (auto folder = LegacyFolder::make(config.legacy.root)) {
      app_.legacy_files = &legacy_files_.emplace(legacy_folder_.emplace(*std::move(folder)), sniffer);
    } else {
      log(Level::kWarning, "legacy.no_folder", {{"detail", folder.error().detail}});
    }
  }
  app_.scanner = scanner_.guarded.get();
  app_.scanner_needed = !config.clamd_fail_open;
  if (imager_.guarded && !config.variants.empty()) {
    if (board != nullptr) {
      making_.emplace(board->making, most_calls_at_once(config.workers), kStillFor, system_bulkhead_tools());
    }
    variants_.emplace(
        make_variants(config, stores_, rows_, variant_rows_, *imager_.guarded, clock, making_ ? &*making_ : nullptr));
    app_.variants = &*variants_;
  }
  if (config.storage != "s3") return;
  direct_uploads_.emplace(
      DirectUploads::Parts{rows_, direct_rows_, *stores_.s3_guarded, *stores_.s3_direct_guarded, sniffer, clock},
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
