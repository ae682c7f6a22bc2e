// config_s3.cc — endpoint, bucket, region and keys of a store.
#include "base/config_s3.h"

#include <algorithm>

#include "base/aws_host.h"
#include "base/config_credentials.h"

namespace cloakroom {
namespace {

constexpr std::string_view kProviders = "aws minio r2 b2 ceph garage seaweedfs spaces wasabi swift other";

void read_credentials(Reader& in, S3Config& s3) {
  const auto text = [&in](std::string_view name) { return in.text(name); };
  for (const SettingProblem& found : complete_credentials(s3, in.home(), text)) in.problem(found.name, found.what);
  S3CredentialConfig& c = s3.credentials;
  if (!c.sts_endpoint.empty()) check_url(in, "AWS_ENDPOINT_URL_STS", c.sts_endpoint);
  if (!c.metadata_endpoint.empty()) check_url(in, "AWS_EC2_METADATA_SERVICE_ENDPOINT", c.metadata_endpoint);
}

bool is_bucket(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && name[0] != '.' && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_';
         });
}

// `word`: of STORAGE. Nothing when neither STORAGE nor a bucket says that there is such a store.
std::optional<S3Config> read_store(Reader& in, const std::string& prefix, std::string_view word,
                                   std::string_view storage) {
  const auto name = [&prefix](std::string_view rest) { return prefix + std::string(rest); };
  S3Config s3;
  s3.prefix = prefix;
  s3.bucket = in.text(name("BUCKET"));
  s3.endpoint = in.text(name("ENDPOINT"));
  s3.public_endpoint = in.text(name("PUBLIC_ENDPOINT"));
  s3.region = in.text(name("REGION"));
  s3.access_key_id = in.text(name("ACCESS_KEY_ID"));
  s3.secret_access_key = in.text(name("SECRET_ACCESS_KEY"));
  s3.session_token = in.text(name("SESSION_TOKEN"));
  s3.addressing = in.one_of(name("ADDRESSING"), "auto path virtual");
  s3.provider = in.text(name("PROVIDER"));
  if (!s3.provider.empty()) in.one_of(name("PROVIDER"), kProviders);
  s3.ca_file = in.text(name("CA_FILE"));
  const std::string r2_account = word == "s3" ? in.text("R2_ACCOUNT_ID") : "";
  if (storage != word && !(storage == "hybrid" && word == "s3") && s3.bucket.empty()) return std::nullopt;
  if (!s3.region.empty() && !is_word(s3.region)) {
    in.problem(name("REGION"), fmt::format("'{}' is not a region name", s3.region));
  }
  if (s3.endpoint.empty()) {
    s3.endpoint = r2_account.empty() ? aws_url("s3", s3.region) : "https://" + r2_account + ".r2.cloudflarestorage.com";
  }
  check_url(in, name("ENDPOINT"), s3.endpoint);
  if (!s3.ca_file.empty()) s3.ca_file = path_setting(in, name("CA_FILE"), s3.ca_file);
  if (s3.public_endpoint.empty()) s3.public_endpoint = s3.endpoint;
  check_url(in, name("PUBLIC_ENDPOINT"), s3.public_endpoint);
  if (!is_bucket(s3.bucket)) {
    in.problem(name("BUCKET"), fmt::format("'{}' is not a bucket name; needed when STORAGE={}", s3.bucket, word));
  }
  read_credentials(in, s3);
  return s3;
}

// As two endpoints that lead to the same place are mostly written alike: host names have no letter case, and the port
// that the scheme stands for needs not be said.
std::string plain_form(std::string url) {
  for (char& c : url) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const std::string_view port = url.starts_with("https://") ? ":443" : ":80";
  if (url.ends_with(port)) url.resize(url.size() - port.size());
  return url;
}

}  // namespace

void read_s3_stores(Reader& in, Config& config) {
  config.s3 = read_store(in, "S3_", "s3", config.storage);
  config.s3_secondary = read_store(in, "S3_SECONDARY_", "s3-secondary", config.storage);
  if (!config.s3 || !config.s3_secondary) return;
  // What names do not tell is tried with an object, where it matters: cmd/check_apart.h.
  if (config.s3->bucket == config.s3_secondary->bucket &&
      plain_form(config.s3->endpoint) == plain_form(config.s3_secondary->endpoint)) {
    in.problem("S3_SECONDARY_BUCKET", "is the bucket of the first store, S3_BUCKET at S3_ENDPOINT: it must be another");
  }
}

}  // namespace cloakroom
