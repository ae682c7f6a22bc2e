// front_probe.h — asks this instance through nginx, as a client would, for `cloakroom check`; deletes what it uploaded.
//
// Identity a token made with JWT_SECRET, or SERVICE_TOKEN for the user "cloakroom-check", or none where everybody is
// the
//          same; where none of these can be, why_nobody() says it and uploads are not tried.
// Removal  each upload that was taken is remembered; clean() deletes them as their uploader would, the destructor does
//          so if nobody did. The objects go as those of every deleted file: by the job runner.
// Errors   none of its own: answers are for the checks to judge. An Error means that there was no answer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "domain/ports.h"
#include "storage/curl.h"

namespace cloakroom {

// What an upload was answered with.
struct FrontFile {
  std::string id, path, sha256;  // path from the root, percent-encoded; 64 hex digits
  std::uint64_t size_bytes = 0;
};

class FrontProbe {
 public:
  // `url`: scheme, host and port of nginx, no slash at its end.
  FrontProbe(const Config& config, std::string url, const Clock& clock);
  FrontProbe(const FrontProbe&) = delete;
  FrontProbe& operator=(const FrontProbe&) = delete;
  ~FrontProbe() { (void)clean(); }

  const Config& config() const { return config_; }
  const std::string& url() const { return url_; }
  const std::string& why_nobody() const { return why_nobody_; }  // empty: uploads can be tried
  const std::vector<FrontFile>& files() const { return files_; }

  // `path` from the root, percent-encoded. A 429 is waited for, if not long.
  Result<HttpAnswer> get(const std::string& path, const StoreHeaders& more = {});
  // PUT of a file of so many bytes, of which none is sent: 100 where they would be taken.
  Result<HttpAnswer> announce(std::uint64_t size_bytes);
  Result<HttpAnswer> upload(std::string_view name, std::string_view bytes);
  Result<HttpAnswer> remove(const FrontFile& file);
  // Any address, without who we are: where a redirect leads.
  Result<HttpAnswer> stranger(const std::string& any_url, const StoreHeaders& headers = {});

  // How many uploads could not be deleted.
  std::size_t clean();

 private:
  void identify();
  Result<HttpAnswer> ask(HttpCall call);

  const Config& config_;
  const std::string url_;
  const Clock& clock_;
  CurlClient client_, other_;
  StoreHeaders identity_;
  std::string why_nobody_;
  std::vector<FrontFile> files_;
};

}  // namespace cloakroom
