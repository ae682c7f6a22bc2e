// curl_parallel.h — several HTTP exchanges at once, in one thread.
//
// Shape    a fixed number of lanes; start() puts a call on an idle one, step() lets all of them move and hands out what
//          is finished, one at a time. Rules and errors of an exchange are CurlClient's.
// Memory   one send buffer of limits::kCopyBufferBytes a lane.
// Lifetime connections are kept for the next call on any lane, and closed at the end. Not for two threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "storage/curl.h"

namespace cloakroom {

using CurlMulti = std::unique_ptr<CURLM, CDelete<curl_multi_cleanup>>;

class CurlParallel {
 public:
  CurlParallel(std::size_t lanes, const CurlOptions& options, const std::function<void()>& on_progress = {});
  CurlParallel(const CurlParallel&) = delete;
  CurlParallel& operator=(const CurlParallel&) = delete;
  ~CurlParallel() { cancel_all(); }

  std::size_t lanes() const { return lanes_.size(); }
  bool is_idle(std::size_t lane) const { return !lanes_[lane].busy; }

  // REQUIRES is_idle(lane). `call` and what it borrows live until the lane is idle again.
  void start(std::size_t lane, const HttpCall& call);

  struct Finished {
    std::size_t lane = 0;
    Result<HttpAnswer> answer;
  };
  // The next finished exchange; its lane is idle again. None: nothing is finished yet, and `patience` is over or
  // something moved. Without a busy lane it waits all the same.
  std::optional<Finished> step(std::chrono::milliseconds patience);

  // Breaks off what is under way: those connections are closed, nobody learns how the store took it.
  void cancel_all();

 private:
  struct Lane {
    std::unique_ptr<CurlClient> client;
    bool busy = false;
  };
  std::optional<Finished> take_finished();

  std::vector<Lane> lanes_;
  CurlMulti multi_;  // last: its end closes connections, which tells the clients that opened them
};

}  // namespace cloakroom
