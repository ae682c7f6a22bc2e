// curl.h — one HTTP exchange with an object store; the only file that knows libcurl.
//
// Shape    HttpCall -> HttpAnswer. Any status is an answer; an Error means that there is none.
// Memory   bodies stream: a request body is read from its file range by pread, a successful response body goes to the
// sink.
//          Without a sink, and for statuses other than 2xx, at most `body_limit` is kept; a longer body is not read on.
// Security no redirect is followed, no proxy and no .netrc is taken from the environment, only the URL's own scheme is
//          spoken, TLS peers are verified. An Error's text names the host, never the path or the query.
// Errors   kStore      as curl_error() says; retryable where a second try may help. A server whose certificate is not
//                      trusted, or is another's, is not retryable, and nothing was sent to it
//          kInternal   the file is shorter than its range
//          whatever `accept_body` or the sink returned, unchanged
// Lifetime one easy handle, reused, so that the connection is kept; not for two threads.
#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/handle.h"
#include "base/limits.h"
#include "base/result.h"
#include "domain/ports.h"
#include "storage/store_header.h"

namespace cloakroom {

using CurlEasy = std::unique_ptr<CURL, CDelete<curl_easy_cleanup>>;
using CurlList = std::unique_ptr<curl_slist, CDelete<curl_slist_free_all>>;

struct HttpAnswer {
  long status = 0;
  StoreHeaders headers;  // names in lower case
  std::string body;
  bool is_cut = false;  // the body was longer than HttpCall::body_limit, and the rest was not read

  std::string_view header(std::string_view lower_case_name) const;  // empty when absent
};

struct HttpCall {
  std::string_view method;  // GET, HEAD, PUT, POST, DELETE or OPTIONS
  std::string url;          // percent-encoded; sent as it stands
  StoreHeaders headers;
  const FileRange* file = nullptr;  // body of a PUT or POST
  std::string_view text = {};       // the same when there is no file
  // A PUT of so many bytes is announced with "Expect: 100-continue", and none is sent: status 100 where the server
  // would take them, else its refusal. A server that does neither within `timeout` is an Error. 0: an ordinary call.
  std::uint64_t announced_bytes = 0;
  std::chrono::seconds stall{};  // another patience with a transfer that stands still; 0 = the client's own
  ByteSink* sink = nullptr;      // gets the body of a 2xx answer
  std::function<Status(const HttpAnswer&)> accept_body = {};  // asked once, before the sink gets its first byte
  std::chrono::milliseconds timeout{15000};  // of the whole call; 0: none, but a stalled transfer is still given up
  std::size_t body_limit = limits::kS3ErrorBodyBytes;  // of a body that is not for the sink
};

struct CurlOptions {
  std::chrono::milliseconds connect{3000};
  std::chrono::seconds stall{30};  // below 1 KiB/s for so long, either way: given up
  std::string ca_file = {};        // PEM: trusted instead of the system's authorities; empty = the system's
};

class CurlClient {
 public:
  // `on_progress` is called whenever bytes of a body move, either way.
  explicit CurlClient(CurlOptions options, std::function<void()> on_progress = {});
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;
  ~CurlClient();

  Result<HttpAnswer> perform(const HttpCall& call);
  // The next call makes a new connection, to a freshly resolved address.
  void drop_connection();

 private:
  friend class CurlParallel;
  struct Socket {
    curl_socket_t fd = CURL_SOCKET_BAD;  // of the connection in use; known to libcurl's callbacks only
  };
  struct Transfer;

  // perform() in two: begin(), whatever makes libcurl run the handle, end() with its outcome. `call` lives until then.
  void begin(const HttpCall& call);
  Result<HttpAnswer> end(CURLcode code);
  void configure(const HttpCall& call, Transfer& transfer, const curl_slist* headers);

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* transfer) noexcept;
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* transfer) noexcept;
  static std::size_t on_read(char* data, std::size_t size, std::size_t count, void* transfer) noexcept;
  static int on_seek(void* transfer, curl_off_t offset, int origin) noexcept;
  static int on_socket_open(void* socket, curl_socket_t fd, curlsocktype purpose) noexcept;
  static int on_socket_close(void* socket, curl_socket_t fd) noexcept;
  static int on_request(void* socket, char* address, char* local, int port, int local_port) noexcept;

  CurlOptions options_;
  std::function<void()> on_progress_;
  Socket socket_;
  char error_text_[CURL_ERROR_SIZE] = {};
  CurlList headers_;                    // of the exchange under way
  std::unique_ptr<Transfer> transfer_;  // the same; its address is known to libcurl
  CurlEasy handle_;                     // last: its end closes the connection, which tells socket_
};

// `text` is libcurl's error buffer; empty means the code's own words.
Error curl_error(CURLcode code, std::string_view text);
// Whether that was about the server's certificate: it comes from an unknown authority, is another host's or out of
// date.
bool is_mistrust(const Error& error);

}  // namespace cloakroom
