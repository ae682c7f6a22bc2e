// curl_parallel.cc — libcurl's multi interface over the handles of several CurlClients.
#include "storage/curl_parallel.h"

#include <algorithm>

namespace cloakroom {
namespace {

void must(CURLMcode code) {
  if (code != CURLM_OK) BUG("libcurl's multi interface refused a call");
}

}  // namespace

CurlParallel::CurlParallel(std::size_t lanes, const CurlOptions& options, const std::function<void()>& on_progress) {
  for (std::size_t i = 0; i < lanes; ++i) lanes_.push_back({std::make_unique<CurlClient>(options, on_progress)});
  multi_.reset(curl_multi_init());
  if (!multi_) BUG("libcurl gives no multi handle");
  must(curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(lanes)));
  must(curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING)));
}

void CurlParallel::start(std::size_t lane, const HttpCall& call) {
  if (lanes_[lane].busy) BUG("a lane was started twice");
  lanes_[lane].client->begin(call);
  must(curl_multi_add_handle(multi_.get(), lanes_[lane].client->handle_.get()));
  lanes_[lane].busy = true;
}

std::optional<CurlParallel::Finished> CurlParallel::take_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const handle = message->easy_handle;
    const CURLcode code = message->data.result;  // the message dies with the next line
    must(curl_multi_remove_handle(multi_.get(), handle));
    const auto lane = std::find_if(lanes_.begin(), lanes_.end(),
                                   [handle](const Lane& one) { return one.client->handle_.get() == handle; });
    if (lane == lanes_.end()) BUG("libcurl finished what nobody began");
    lane->busy = false;
    return Finished{static_cast<std::size_t>(lane - lanes_.begin()), lane->client->end(code)};
  }
  return std::nullopt;
}

std::optional<CurlParallel::Finished> CurlParallel::step(std::chrono::milliseconds patience) {
  if (auto finished = take_finished()) return finished;
  int running = 0;
  must(curl_multi_perform(multi_.get(), &running));
  if (auto finished = take_finished()) return finished;
  if (patience.count() > 0) {
    must(curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(patience.count()), nullptr));
  }
  return std::nullopt;
}

void CurlParallel::cancel_all() {
  for (Lane& lane : lanes_) {
    if (!lane.busy) continue;
    must(curl_multi_remove_handle(multi_.get(), lane.client->handle_.get()));
    (void)lane.client->end(CURLE_ABORTED_BY_CALLBACK);
    lane.busy = false;
  }
}

}  // namespace cloakroom
