// config_credentials.cc — the defaults of AWS's own tools, and what must stand together.
#include "base/config_credentials.h"

#include "base/aws_host.h"
#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::string_view kMetadataService = "http://169.254.169.254";

}  // namespace

std::vector<SettingProblem> complete_credentials(S3Config& s3, const std::optional<std::string>& home,
                                                 const std::function<std::string(std::string_view)>& text) {
  S3CredentialConfig c;
  const std::string key_id = s3.prefix + "ACCESS_KEY_ID";
  const std::string secret = s3.prefix + "SECRET_ACCESS_KEY";
  const std::string named_file = text("AWS_SHARED_CREDENTIALS_FILE");
  const std::string named_profile = text("AWS_PROFILE");
  c.web_identity_token_file = text("AWS_WEB_IDENTITY_TOKEN_FILE");
  c.role_arn = text("AWS_ROLE_ARN");
  c.role_session_name = text("AWS_ROLE_SESSION_NAME");
  c.sts_endpoint = text("AWS_ENDPOINT_URL_STS");
  c.metadata_endpoint = text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const bool no_metadata = ascii_lower(text("AWS_EC2_METADATA_DISABLED")) == "true";

  if (!s3.access_key_id.empty() || !s3.secret_access_key.empty()) {
    if (s3.access_key_id.empty()) return {{key_id, "is needed beside " + secret}};
    if (s3.secret_access_key.empty()) return {{secret, "is needed beside " + key_id}};
    return {};
  }
  if (c.web_identity_token_file.empty() != c.role_arn.empty()) {
    return {{"AWS_ROLE_ARN", "and AWS_WEB_IDENTITY_TOKEN_FILE must be set both, or neither"}};
  }
  const std::string host = url_host(s3.endpoint);
  const bool aws = is_aws_host(host);
  c.shared_file_required = !named_file.empty() || !named_profile.empty();
  c.shared_file = named_file;
  c.profile = named_profile.empty() ? "default" : named_profile;
  if (named_file.empty() && (aws || c.shared_file_required) && home && !home->empty()) {
    c.shared_file = *home + "/.aws/credentials";
  }
  if (c.shared_file_required && c.shared_file.empty()) {
    return {{"AWS_PROFILE", "needs AWS_SHARED_CREDENTIALS_FILE, because HOME is not set"}};
  }
  if (c.metadata_endpoint.empty() && aws) c.metadata_endpoint = kMetadataService;
  if (no_metadata) c.metadata_endpoint.clear();
  if (c.sts_endpoint.empty()) {
    const bool is_named = !s3.region.empty() && s3.region != "auto";
    c.sts_endpoint = aws_url("sts", is_named ? std::string_view(s3.region) : aws_region_in(host));
  }
  if (c.shared_file.empty() && c.web_identity_token_file.empty() && c.metadata_endpoint.empty()) {
    return {
        {key_id, "and " + secret +
                     " are needed for that store, or AWS_SHARED_CREDENTIALS_FILE, or AWS_WEB_IDENTITY_TOKEN_FILE with "
                     "AWS_ROLE_ARN"}};
  }
  s3.credentials = std::move(c);
  return {};
}

}  // namespace cloakroom
