// s3_client.cc — places a bucket, signs a request, sends it.
#include "storage/s3_client.h"

#include <algorithm>

#include "base/encode.h"
#include "base/log.h"
#include "storage/s3_correction.h"
#include "storage/s3_errors.h"

namespace cloakroom {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";

std::string path_of(const S3Location& place, std::string_view key) {
  return key.empty() && !place.path_prefix.empty() ? place.path_prefix : place.path(key);
}

// Says so as long as it lives, when the request may be silent for longer than others.
class Silence {
 public:
  Silence(const S3Request& request, const std::function<void(bool)>& tell)
      : tell_(request.stall.count() > 0 && tell ? &tell : nullptr) {
    if (tell_ != nullptr) (*tell_)(true);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;
  ~Silence() {
    if (tell_ != nullptr) (*tell_)(false);
  }

 private:
  const std::function<void(bool)>* tell_;
};

}  // namespace

Result<std::unique_ptr<S3Client>> S3Client::make(const S3Options& options, const Clock& clock) {
  if (!options.credentials && (options.access_key_id.empty() || options.secret_access_key.empty())) {
    return Error{Errc::kInvalid, "cannot use S3: access key id or secret access key is empty"};
  }
  if (!is_plain_ascii(options.access_key_id) || !is_plain_ascii(options.session_token)) {
    return Error{Errc::kInvalid, "cannot use S3: credentials are not plain ASCII"};
  }
  TRY_ASSIGN(Places places, locate(options));
  return std::unique_ptr<S3Client>(new S3Client(options, clock, std::move(places)));
}

Result<S3Client::Places> S3Client::locate(const S3Options& options) {
  S3BucketName name{options.endpoint, options.region, options.bucket, options.addressing};
  Places places;
  TRY_ASSIGN(places.internal, locate_bucket(name));
  if (!options.public_endpoint.empty()) name.endpoint = options.public_endpoint;
  TRY_ASSIGN(places.browser, locate_bucket(name));
  name.endpoint = options.endpoint;
  name.addressing = S3Addressing::kPath;
  TRY_ASSIGN(places.creation, locate_bucket(name));
  return places;
}

S3Client::S3Client(const S3Options& options, const Clock& clock, Places places)
    : options_(options),
      clock_(clock),
      source_(options.credentials ? options.credentials
                                  : std::make_shared<StaticCredentials>(Credentials{
                                        options.access_key_id, options.secret_access_key, options.session_token})),
      region_(options.region.empty() ? kDefaultRegion : options.region),
      internal_(std::move(places.internal)),
      browser_(std::move(places.browser)),
      creation_(std::move(places.creation)),
      curl_(curl_options(), options.on_progress) {}

Status S3Client::take_credentials() {
  TRY_ASSIGN(credentials_, source_->current(now()));
  return Ok{};
}

std::chrono::seconds S3Client::capped(std::chrono::seconds wanted) const {
  if (!credentials_.expires_at) return wanted;
  const auto left = std::chrono::floor<std::chrono::seconds>(*credentials_.expires_at - now());
  return std::min(wanted, std::max(left, std::chrono::seconds(1)));
}

Result<HttpAnswer> S3Client::call(const S3Request& request) {
  const Silence silence(request, options_.on_silence);
  const std::chrono::seconds known_offset = clock_is_behind_;
  const std::string known_region = region_;
  std::optional<ClockLesson> clock_before;
  bool is_region_new = false;
  while (true) {
    const TimePoint signed_at = now();
    Result<HttpAnswer> sent = attempt(request, signed_at);
    if (!sent) {
      if (clock_before && !clock_before->is_certain) clock_is_behind_ = known_offset;
      return sent;
    }
    HttpAnswer& answer = *sent;
    if (answer.status < 300) return sent;

    const std::optional<ClockLesson> clock = clock_lesson(request.method, answer, signed_at);
    if (clock && !clock_before) {
      clock_before = clock;
      clock_is_behind_ += clock->ahead;
      log(Level::kWarning, "s3.clock_differs", {{"store_is_ahead_s", clock->ahead.count()}});
      continue;
    }
    // A Date that did not help is not believed: a proxy may have made it.
    if (clock || (clock_before && !clock_before->is_certain && answer.status == 403)) clock_is_behind_ = known_offset;

    if (!has_learnt_region_ && learn_region(request, answer)) {
      is_region_new = true;
      continue;
    }
    if (is_region_new && region_lesson(request.method, answer, region_)) move_to(known_region);

    // The store gave up waiting on a connection that is stale somewhere on the way.
    if (answer.status == 408 || s3_error_code(answer) == "RequestTimeout") curl_.drop_connection();
    return sent;
  }
}

bool S3Client::learn_region(const S3Request& request, const HttpAnswer& refusal) {
  std::optional<RegionLesson> lesson = region_lesson(request.method, refusal, region_);
  if (!lesson) return false;
  if (lesson->region.empty()) {  // the bucket itself tells, even to whom it refuses
    if (request.path_style) return false;
    const Result<HttpAnswer> asked = attempt({.method = "HEAD", .timeout = options_.ready_timeout}, now());
    if (!asked) return false;
    HttpAnswer told = *asked;
    told.status = 301;  // where it is counts, whether we may or not
    lesson = region_lesson("HEAD", told, region_);
    if (!lesson || lesson->region.empty()) return false;
  }
  has_learnt_region_ = true;
  log(Level::kWarning, "s3.region_corrected", {{"from", region_}, {"to", lesson->region}, {"cure", "set S3_REGION"}});
  move_to(lesson->region);
  return true;
}

// Only AWS has the region in its host names; every other endpoint stays where it was configured.
void S3Client::move_to(const std::string& region) {
  S3Options moved = options_;
  moved.endpoint = endpoint_in_region(options_.endpoint, region_, region);
  moved.public_endpoint = endpoint_in_region(options_.public_endpoint, region_, region);
  moved.region = region;
  Result<Places> places = locate(moved);
  if (!places) return;  // cannot be: the old ones were fine, and so is the region's name
  options_.endpoint = std::move(moved.endpoint);
  options_.public_endpoint = std::move(moved.public_endpoint);
  region_ = region;
  internal_ = std::move(places->internal);
  browser_ = std::move(places->browser);
  creation_ = std::move(places->creation);
}

Result<HttpAnswer> S3Client::attempt(const S3Request& request, TimePoint signed_at) {
  TRY_ASSIGN(const HttpCall call, sign(request, signed_at));
  TRY_ASSIGN(HttpAnswer answer, curl_.perform(call));
  if (answer.status >= 400 && is_end_of_credentials(answer)) source_->distrust(now());
  return answer;
}

Result<HttpCall> S3Client::sign(const S3Request& request, TimePoint signed_at) {
  TRY(take_credentials());
  const S3Location& place = request.path_style ? creation_ : internal_;
  const std::string path = path_of(place, request.key);
  HttpCall call;
  call.headers.push_back({"Host", place.host});
  call.headers.insert(call.headers.end(), request.headers.begin(), request.headers.end());
  const SignInput input{request.method, path, request.query, call.headers, request.payload_hash, signed_at};
  TRY_ASSIGN(StoreHeaders added, sign_headers(input, signing()));
  call.headers.insert(call.headers.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
  call.method = request.method;
  call.url = place.base() + path + (request.query.empty() ? "" : "?" + request.query);
  call.file = request.file;
  call.text = request.text;
  call.stall = request.stall;
  call.sink = request.sink;
  call.accept_body = request.accept_body;
  call.body_limit = request.body_limit;
  call.timeout = request.timeout.value_or(options_.small_call_timeout);
  return call;
}

Result<std::string> S3Client::presign_path(const PresignInput& input) {
  TRY(take_credentials());
  const S3Location& place = input.for_browser ? browser_ : internal_;
  const std::string path = place.path(input.key);
  StoreHeaders headers{{"Host", place.host}};
  headers.insert(headers.end(), input.headers.begin(), input.headers.end());
  const SignInput sign{input.method, path, input.query, headers, kUnsignedPayload, now()};
  TRY_ASSIGN(const std::string query, presign_query(sign, signing(), capped(input.expires)));
  return path + "?" + query;
}

Result<std::string> S3Client::presign_url(const PresignInput& input) {
  TRY_ASSIGN(const std::string path, presign_path(input));
  return (input.for_browser ? browser_ : internal_).base() + path;
}

Result<bool> S3Client::is_temporary() {
  TRY(take_credentials());
  return credentials_.expires_at.has_value() || !credentials_.session_token.empty();
}

Result<PostForm> S3Client::presign_post(const PostInput& input) {
  TRY(take_credentials());
  const PostPolicyInput policy{.bucket = options_.bucket,
                               .key = input.key,
                               .content_type = input.content_type,
                               .min_bytes = input.min_bytes,
                               .max_bytes = input.max_bytes,
                               .expires = capped(input.expires),
                               .now = now(),
                               .extra = input.extra};
  TRY_ASSIGN(FormFields fields, post_policy_form(policy, signing()));
  return PostForm{browser_.base() + path_of(browser_, ""), std::move(fields)};
}

}  // namespace cloakroom
