// config_access.cc — secrets long enough, and one way alone for nginx to learn who is asking.
#include "base/config_access.h"

#include <algorithm>

namespace cloakroom {
namespace {

// It is written into nginx's configuration, where quotes, spaces, ; and $ would need escaping. Without a path nginx
// would ask for the address of our own internal location.
bool is_ask_url(std::string_view url) {
  const bool plain = std::all_of(url.begin(), url.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-~:[]?=&%,+").find(c) != std::string_view::npos;
  });
  const std::size_t scheme = url.find("://");
  if (!plain || scheme == std::string_view::npos) return false;
  if (url.substr(0, scheme) != "http" && url.substr(0, scheme) != "https") return false;
  const std::string_view rest = url.substr(scheme + 3);
  if (rest.starts_with("unix:")) return rest.starts_with("unix:/") && rest.find(":/", 6) != std::string_view::npos;
  const std::size_t slash = rest.find('/');
  return slash != std::string_view::npos && slash > 0;
}

}  // namespace

std::vector<SettingProblem> access_problems(const Config& config) {
  std::vector<SettingProblem> found;
  for (const auto& [name, value] : {std::pair("LINK_SECRET", &config.link_secret),
                                    std::pair("LINK_SECRET_PREVIOUS", &config.link_secret_previous)}) {
    if (!value->empty() && value->size() < 16) {
      found.push_back({name, "is shorter than 16 bytes; make one with: openssl rand -hex 32"});
    }
  }
  if (config.link_secret.empty() && !config.link_secret_previous.empty()) {
    found.push_back({"LINK_SECRET_PREVIOUS", "is of no use without LINK_SECRET"});
  }
  if (config.link_expires > config.link_max_expires) {
    found.push_back({"LINK_EXPIRES", "is longer than LINK_MAX_EXPIRES"});
  }
  if (!config.auth_request_url.empty()) {
    if (!is_ask_url(config.auth_request_url)) {
      found.push_back({"AUTH_REQUEST_URL",
                       "is not an address such as http://127.0.0.1:3000/cloakroom/access (http or https, with a path, "
                       "no spaces or quotes)"});
    }
    if (config.auth != "header") found.push_back({"AUTH_REQUEST_URL", "needs AUTH=header"});
    if (!config.auth_request.empty()) found.push_back({"AUTH_REQUEST_URL", "set either it or AUTH_REQUEST, not both"});
  } else if (config.auth_request_cache.count() > 0) {
    found.push_back({"AUTH_REQUEST_CACHE", "needs AUTH_REQUEST_URL: in a location of your own, set up proxy_cache"});
  }
  return found;
}

}  // namespace cloakroom
