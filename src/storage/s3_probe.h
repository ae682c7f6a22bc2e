// s3_probe.h — the objects and uploads that the checks of a store make, and their removal.
//
// Shape    every key is {KEY_PREFIX}cloakroom-check-{unix seconds}-{random}{ending}: nobody else's object is touched.
// Removal  what a call made is remembered, with its version where the bucket keeps versions; clean() removes it all for
//          good, the destructor does so if nobody did. Left-overs of a check that was killed are removed an hour later.
// Errors   none of its own: answers are for the checks to judge.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/finding.h"
#include "storage/curl.h"
#include "storage/s3_client.h"
#include "storage/s3_profile.h"
#include "storage/s3_xml_bucket.h"

namespace cloakroom {

struct S3CheckOptions {
  std::string key_prefix;
  std::vector<std::string> origins;                      // of pages that talk to the store themselves
  bool fix = false;                                      // make the bucket, its CORS rule and its lifecycle rule
  std::function<bool()> stopped = [] { return false; };  // asked between checks
};

class S3Probe {
 public:
  S3Probe(S3Client& store, const S3Profile& profile, const S3CheckOptions& wanted, const Clock& clock);
  S3Probe(const S3Probe&) = delete;
  S3Probe& operator=(const S3Probe&) = delete;
  ~S3Probe() { (void)clean(); }

  S3Client& store() { return store_; }
  const S3Profile& profile() const { return profile_; }
  const S3CheckOptions& wanted() const { return wanted_; }
  const Clock& clock() const { return clock_; }
  const std::string& configured_region() const { return configured_region_; }

  std::string key(std::string_view ending = "") const { return stem_ + std::string(ending); }
  static std::string_view body();                              // of every probe object
  static constexpr std::string_view kUploadEnding = "-parts";  // of the only key with a multipart upload
  static constexpr std::string_view kBodyCrc32 = "MmcZjQ==";   // as x-amz-checksum-crc32 writes it

  // Stores body() under key(ending); remembered whatever the answer is.
  struct Put {
    std::string_view ending = "";
    StoreHeaders headers = {};
    std::string_view payload_hash = "";  // empty: the right one
  };
  Result<HttpAnswer> put(const Put& put);
  // As a browser or nginx would: not signed, a connection of its own.
  Result<HttpAnswer> plain(const HttpCall& call) { return plain_.perform(call); }
  Result<std::string> presign(std::string_view method, std::string_view ending, std::string_view query = "",
                              const StoreHeaders& headers = {});

  // `answer` may have made (a version of) key(ending), or a marker over it.
  void remember(std::string_view ending, const HttpAnswer& answer);
  void remember_upload(std::string upload_id) { uploads_.push_back(std::move(upload_id)); }  // of key(kUploadEnding)
  // An upload of key(kUploadEnding) may have begun, but nobody told its id.
  void remember_lost_upload() { upload_is_lost_ = true; }
  void forget_upload() { uploads_.pop_back(); }
  // Below this, all probe objects of all checks lie.
  std::string all_keys() const;
  // A key below all_keys(): what a killed check left more than an hour ago is remembered, too.
  void remember_left_over(std::string_view name);

  // What is left of a key, hidden or not. An error where the store does not tell.
  Result<std::vector<S3ObjectVersion>> versions_of(const std::string& name);

  // How many could not be removed.
  std::size_t clean();

  HttpAnswer first;  // what the store answered to the first question of all

 private:
  void find_lost_uploads();
  bool remove_versions(const std::string& name);
  bool remove(const std::string& name);

  S3Client& store_;
  const S3Profile& profile_;
  const S3CheckOptions& wanted_;
  const Clock& clock_;
  std::string configured_region_;  // the client may learn another
  CurlClient plain_;
  std::string stem_;
  std::vector<std::string> made_;     // keys
  std::vector<std::string> uploads_;  // ids
  bool upload_is_lost_ = false;
  bool keeps_versions_;  // by the profile, or by what an answer said
};

}  // namespace cloakroom
