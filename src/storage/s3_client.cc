// s3_client.cc — places a bucket, signs a request, sends it.
#include "storage/s3_client.h"

#include <algorithm>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::string_view kDefaultRegion = "us-east-1";

std::string path_of(const S3Location& place, std::string_view key) {
  return key.empty() && !place.path_prefix.empty() ? place.path_prefix : place.path(key);
}

}  // namespace

bool is_plain_ascii(std::string_view text) {
  return !has_control(text) &&
         std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

Result<std::unique_ptr<S3Client>> S3Client::make(const S3Options& options, const Clock& clock) {
  if (options.access_key_id.empty() || options.secret_access_key.empty()) {
    return Error{Errc::kInvalid, "cannot use S3: access key id or secret access key is empty"};
  }
  if (!is_plain_ascii(options.access_key_id) || !is_plain_ascii(options.session_token)) {
    return Error{Errc::kInvalid, "cannot use S3: credentials are not plain ASCII"};
  }
  S3BucketName name{options.endpoint, options.region, options.bucket, options.addressing};
  Places places;
  TRY_ASSIGN(places.internal, locate_bucket(name));
  if (!options.public_endpoint.empty()) name.endpoint = options.public_endpoint;
  TRY_ASSIGN(places.browser, locate_bucket(name));
  name.endpoint = options.endpoint;
  name.addressing = S3Addressing::kPath;
  TRY_ASSIGN(places.creation, locate_bucket(name));
  return std::unique_ptr<S3Client>(new S3Client(options, clock, std::move(places)));
}

S3Client::S3Client(const S3Options& options, const Clock& clock, Places places)
    : options_(options),
      clock_(clock),
      credentials_{options.access_key_id, options.secret_access_key, options.session_token},
      region_(options.region.empty() ? kDefaultRegion : options.region),
      internal_(std::move(places.internal)),
      browser_(std::move(places.browser)),
      creation_(std::move(places.creation)),
      curl_(options.connect_timeout, options.on_progress) {}

Result<HttpAnswer> S3Client::call(const S3Request& request) {
  const S3Location& place = request.path_style ? creation_ : internal_;
  const std::string path = path_of(place, request.key);
  HttpCall call;
  call.headers.push_back({"Host", place.host});
  call.headers.insert(call.headers.end(), request.headers.begin(), request.headers.end());
  const SignInput input{request.method, path, request.query, call.headers, request.payload_hash, clock_.now()};
  TRY_ASSIGN(StoreHeaders added, sign_headers(input, signing()));
  call.headers.insert(call.headers.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
  call.method = request.method;
  call.url = place.base() + path + (request.query.empty() ? "" : "?" + request.query);
  call.file = request.file;
  call.text = request.text;
  call.sink = request.sink;
  call.accept_body = request.accept_body;
  call.timeout = request.timeout.value_or(options_.small_call_timeout);
  return curl_.perform(call);
}

Result<std::string> S3Client::presign_path(const PresignInput& input) {
  const S3Location& place = input.for_browser ? browser_ : internal_;
  const std::string path = place.path(input.key);
  StoreHeaders headers{{"Host", place.host}};
  headers.insert(headers.end(), input.headers.begin(), input.headers.end());
  const SignInput sign{input.method, path, input.query, headers, kUnsignedPayload, clock_.now()};
  TRY_ASSIGN(const std::string query, presign_query(sign, signing(), input.expires));
  return path + "?" + query;
}

Result<std::string> S3Client::presign_url(const PresignInput& input) {
  TRY_ASSIGN(const std::string path, presign_path(input));
  return (input.for_browser ? browser_ : internal_).base() + path;
}

}  // namespace cloakroom
