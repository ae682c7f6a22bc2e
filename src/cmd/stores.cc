// stores.cc — from settings to stores.
#include "cmd/stores.h"

#include "domain/fallback.h"
#include "storage/credential_providers.h"

namespace cloakroom {
namespace {

KeyNaming naming_of(const std::string& word) {
  if (word == "uuid-name") return KeyNaming::kUuidName;
  return word == "folder" ? KeyNaming::kFolder : KeyNaming::kFanout;
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

// What is told of each store, and what its children share.
struct S3Place {
  StoreKind kind;
  std::string_view name;   // in a sentence
  std::string_view event;  // of the log
  BreakerBoard& breaker;
  CallBoard& calls;
};

Result<S3Set> make_s3(const S3Config& s3, const S3Place& place, std::uint32_t workers, const Clock& clock) {
  S3Set set;
  set.breaker = std::make_unique<Breaker>(place.breaker, BreakerPolicy{.name = place.event}, system_breaker_tools());
  set.bulkhead =
      std::make_unique<Bulkhead>(place.calls, most_calls_at_once(workers), kStillFor, system_bulkhead_tools());
  S3Options options = s3_options(s3);
  options.on_progress = [bulkhead = set.bulkhead.get()] { bulkhead->moved(); };
  options.on_silence = [bulkhead = set.bulkhead.get()](bool is_so) { bulkhead->silent(is_so); };
  TRY_ASSIGN(set.store, S3Store::make(options, clock, place.kind));
  const Retrier retrier(RetryPolicy{}, system_retry_tools(), options.quota);
  set.retrying = std::make_unique<RetryingStore>(*set.store, retrier);
  set.guard = std::make_unique<CallGuard>(
      GuardedServer{place.name, Errc::kStoreAway, [store = set.retrying.get()] { return store->ready(); }},
      *set.breaker, *set.bulkhead);
  set.guarded = std::make_unique<GuardedStore>(*set.retrying, *set.guard);
  const bool takes_forms = profile_of(s3).post_policy == Fact::kYes;
  set.direct =
      std::make_unique<S3DirectStore>(set.store->client(), takes_forms ? DirectMethod::kPost : DirectMethod::kPut);
  set.direct_retrying = std::make_unique<RetryingDirectStore>(*set.direct, retrier);
  set.direct_guarded = std::make_unique<GuardedDirectStore>(*set.direct_retrying, *set.guard);
  return set;
}

Stores::Bucket bucket_of(const std::optional<S3Set>& s3) {
  return s3 ? Stores::Bucket{s3->guarded.get(), s3->store.get()} : Stores::Bucket{};
}

}  // namespace

Stores StoreSet::all() const {
  return {.local = local.get(), .s3 = bucket_of(s3), .s3_secondary = bucket_of(s3_secondary)};
}

const S3Set* StoreSet::s3_of(StoreKind kind) const {
  if (kind == StoreKind::kS3 && s3) return &*s3;
  return kind == StoreKind::kS3Secondary && s3_secondary ? &*s3_secondary : nullptr;
}

std::vector<const S3Set*> StoreSet::s3_sets() const {
  std::vector<const S3Set*> sets;
  for (const StoreKind kind : {StoreKind::kS3, StoreKind::kS3Secondary}) {
    if (const S3Set* set = s3_of(kind)) sets.push_back(set);
  }
  return sets;
}

BlobStore& StoreSet::for_new_files(const Config& config) const {
  BlobStore* const store = all().by_kind(kind_of_new_files(config));
  if (store == nullptr) BUG("the settings let STORAGE name a store that is not configured");
  return *store;
}

const S3Set* StoreSet::for_kept_files(const Config& config) const {
  if (const S3Set* set = s3_of(kind_of_new_files(config))) return set;
  const auto sets = s3_sets();
  return sets.empty() ? nullptr : sets.front();
}

StoreKind kind_of_new_files(const Config& config) {
  return parse_store_kind(config.storage).value_or(StoreKind::kLocal);
}

const S3Config* s3_config(const Config& config, StoreKind kind) {
  if (kind == StoreKind::kS3 && config.s3) return &*config.s3;
  return kind == StoreKind::kS3Secondary && config.s3_secondary ? &*config.s3_secondary : nullptr;
}

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
  if (config.has_s3() && board == nullptr) {
    set.own_board = std::make_unique<SharedScoreboard>();
    board = &**set.own_board;
  }
  if (config.s3) {
    const S3Place place{StoreKind::kS3, "the store", "store", board->s3_breaker, board->s3_calls};
    TRY_ASSIGN(set.s3, make_s3(*config.s3, place, config.workers, clock));
  }
  if (config.s3_secondary) {
    const S3Place place{StoreKind::kS3Secondary, "the second store", "store_secondary", board->s3_secondary_breaker,
                        board->s3_secondary_calls};
    TRY_ASSIGN(set.s3_secondary, make_s3(*config.s3_secondary, place, config.workers, clock));
  }
  return set;
}

KeyRule key_rule(const Config& config) {
  return {config.key_prefix, naming_of(config.key_naming)};
}

std::string kept_prefix_of(const Config& config) {
  return kept_prefix(config.node_name);
}

KeyRule kept_key_rule(const Config& config) {
  return {kept_prefix_of(config) + config.key_prefix, naming_of(config.key_naming)};
}

bool keeps_aside(const Config& config) {
  return config.is_in_s3() && config.s3_fallback == "local";
}

}  // namespace cloakroom
