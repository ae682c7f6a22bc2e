// scripted_store.h — an S3 client or store of ours before a ScriptedServer.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "scripted_server.h"
#include "storage/retry.h"
#include "storage/s3.h"
#include "store_suite.h"

namespace cloakroom {

struct SettableClock final : Clock {
  TimePoint time = *parse_http_date("Sat, 31 Jan 2026 09:30:00 GMT");
  TimePoint now() const override { return time; }
};

// Of a client before a server of ours.
inline S3Options wire_options(const ScriptedServer& server) {
  S3Options options;
  options.endpoint = server.endpoint();
  options.region = "us-east-1";
  options.bucket = "files";
  options.access_key_id = "AKID";
  options.secret_access_key = "secret";
  return options;
}

struct ScriptedStore {
  SettableClock clock;
  ScriptedServer server;
  std::unique_ptr<S3Store> store;
  std::vector<std::chrono::milliseconds> pauses;
  Retrier retrier{RetryPolicy{}, tools()};
  std::unique_ptr<RetryingStore> retrying;
  ObjectKey key = suite::key_of("k");
  suite::StringSink sink;

  // `change` the options before the store is made.
  explicit ScriptedStore(std::vector<Reply> replies, void (*change)(S3Options&) = nullptr)
      : server(std::move(replies)) {
    S3Options options = wire_options(server);
    options.stall_timeout = std::chrono::seconds(1);
    if (change != nullptr) change(options);
    store = CHECK_OK(S3Store::make(options, clock));
    retrying = std::make_unique<RetryingStore>(*store, retrier);
  }
  S3Client& client() { return store->client(); }
  std::size_t attempts() { return server.requests().size(); }
  std::string body(std::size_t number) {
    const std::string request = server.request(number);
    return request.substr(request.find("\r\n\r\n") + 4);
  }

 private:
  RetryTools tools() {  // the longest pauses, without waiting
    return {[this](std::chrono::milliseconds time) { pauses.push_back(time); }, [] { return 1.0; }};
  }
};

}  // namespace cloakroom
