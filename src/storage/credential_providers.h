// credential_providers.h — where AWS keeps credentials beside the settings: a file, a web identity, the machine itself.
//
// Source   AWS SDKs and Tools reference guide (shared credentials file, web identity, IMDS); EC2 user guide (IMDSv2).
// Limits   an answer is read up to limits::kS3ErrorBodyBytes, a file up to limits::kCredentialFileBytes; each round
// trip
//          takes one second at most towards the machine's metadata service, five towards the token service.
// Errors   kStore    a server is away, refuses or answers nonsense; kInvalid the file is there but of no use.
//          Never a line of the file or of an answer: it may be the secret.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "storage/credentials.h"
#include "storage/curl.h"

namespace cloakroom {

// ~/.aws/credentials: "[profile]" and "name = value" lines; '#' and ';' begin comments.
class SharedFileProvider final : public CredentialProvider {
 public:
  struct Options {
    std::string path;
    std::string profile;
    bool required = false;  // the path was named: a missing file or profile is an error
  };
  explicit SharedFileProvider(Options options) : options_(std::move(options)) {}
  std::string_view name() const override { return "the shared credentials file"; }
  Result<std::optional<Credentials>> fetch() override;

 private:
  Options options_;
};

// A token in a file (Kubernetes rewrites it) for credentials of a role. The token is read at each call.
class WebIdentityProvider final : public CredentialProvider {
 public:
  struct Options {
    std::string token_file;
    std::string role_arn;
    std::string session_name;
    std::string endpoint;  // "https://sts.eu-west-1.amazonaws.com"
    std::chrono::milliseconds timeout{5000};
    std::string ca_file = {};  // see CurlOptions
  };
  explicit WebIdentityProvider(Options options)
      : options_(std::move(options)), curl_(CurlOptions{.connect = options_.timeout, .ca_file = options_.ca_file}) {}
  std::string_view name() const override { return "the web identity"; }
  Result<std::optional<Credentials>> fetch() override;

 private:
  Options options_;
  CurlClient curl_;
};

// The role of an EC2 machine, by IMDSv2 only: version 1 needs no token, so a forged request inside would do.
class MetadataProvider final : public CredentialProvider {
 public:
  struct Options {
    std::string endpoint;  // "http://169.254.169.254"
    std::chrono::milliseconds timeout{1000};
  };
  explicit MetadataProvider(Options options)
      : options_(std::move(options)), curl_(CurlOptions{.connect = options_.timeout}) {}
  std::string_view name() const override { return "the instance metadata service"; }
  Result<std::optional<Credentials>> fetch() override;

 private:
  Result<HttpAnswer> ask(std::string_view method, const std::string& path, StoreHeaders headers);

  Options options_;
  CurlClient curl_;
};

struct CredentialPlaces {  // empty = not set up
  SharedFileProvider::Options shared_file;
  WebIdentityProvider::Options web_identity;
  MetadataProvider::Options metadata;
};
std::vector<std::unique_ptr<CredentialProvider>> credential_chain(const CredentialPlaces& places);

}  // namespace cloakroom
