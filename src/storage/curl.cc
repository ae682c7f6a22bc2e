// curl.cc — libcurl's options, callbacks and error codes.
#include "storage/curl.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::string_view kMistrust = "cannot trust the store: ";
constexpr long kStallBytesPerSecond = 1024;
constexpr long kIdleConnectionSeconds = 15;  // stores close idle connections early, and a dead one costs a round trip

// Ceph's gateway writes header and body apart, with Nagle's algorithm on: our delayed acknowledgement makes it wait 40
// ms. The kernel forgets the option, so it is set again at each request and after each read.
void acknowledge_at_once(curl_socket_t fd) {
  if (fd == CURL_SOCKET_BAD) return;
  const int on = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

bool is_retryable(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_FAIL_REWIND:
      return true;
    default:
      return false;
  }
}

// The certificate, or what it is judged by. A second try meets the same one.
bool is_mistrust(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:  // an unknown authority, another host's name, out of date
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return true;
    default:
      return false;
  }
}

void ensure_global_init() {
  // libcurl asks for one call per process, before threads; workers and tools make their first client at start.
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) BUG("libcurl does not start");
}

}  // namespace

Error curl_error(CURLcode code, std::string_view text) {
  std::string detail = is_mistrust(code) ? std::string(kMistrust) : "cannot reach the store: ";
  detail.append(text.empty() ? std::string_view(curl_easy_strerror(code)) : text);
  return Error{code == CURLE_OUT_OF_MEMORY ? Errc::kInternal : Errc::kStore, std::move(detail), {}, is_retryable(code)};
}

bool is_mistrust(const Error& error) {
  return error.code == Errc::kStore && error.detail.starts_with(kMistrust);
}

std::string_view HttpAnswer::header(std::string_view lower_case_name) const {
  for (const StoreHeader& h : headers) {
    if (h.name == lower_case_name) return h.value;
  }
  return {};
}

// What the callbacks of one exchange share.
struct CurlClient::Transfer {
  const HttpCall& call;
  const Socket& socket;
  const std::function<void()>& on_progress;
  HttpAnswer answer = {};
  std::size_t header_bytes = 0;
  std::uint64_t sent_bytes = 0;
  bool body_accepted = false;
  std::optional<Error> failure = {};  // of a callback; libcurl then reports only that one gave up

  std::uint64_t body_size() const {
    if (call.announced_bytes > 0) return call.announced_bytes;
    return call.file != nullptr ? call.file->size : call.text.size();
  }
  bool to_sink() const { return call.sink != nullptr && answer.status >= 200 && answer.status < 300; }

  bool keep(Status status) {
    if (!status) failure = std::move(status).error();
    return !failure;
  }
  bool accept() {
    if (!body_accepted && call.accept_body && !keep(call.accept_body(answer))) return false;
    body_accepted = true;
    return true;
  }
};

CurlClient::CurlClient(CurlOptions options, std::function<void()> on_progress)
    : options_(std::move(options)), on_progress_(std::move(on_progress)) {
  ensure_global_init();
  drop_connection();
}

void CurlClient::drop_connection() {
  handle_.reset(curl_easy_init());
  if (!handle_) BUG("libcurl gives no handle");
}

CurlClient::~CurlClient() = default;

std::size_t CurlClient::on_header(char* data, std::size_t size, std::size_t count, void* context) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  acknowledge_at_once(transfer.socket.fd);
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > limits::kS3HeaderBytes) {
    transfer.failure = Error{Errc::kStore, "the store answered with too many headers"};
    return 0;
  }
  if (line.substr(0, 5) == "HTTP/") {  // an interim answer (1xx) comes before the one that counts
    transfer.answer.headers.clear();
    const std::size_t space = line.find(' ');
    const auto status = parse_u64(trimmed(line.substr(std::min(line.size(), space + 1), 3)));
    transfer.answer.status = status ? static_cast<long>(*status) : 0;
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    transfer.answer.headers.push_back(
        {ascii_lower(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1)))});
  }
  return line.size();
}

std::size_t CurlClient::on_body(char* data, std::size_t size, std::size_t count, void* context) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  acknowledge_at_once(transfer.socket.fd);
  if (transfer.on_progress) transfer.on_progress();
  const std::string_view bytes(data, size * count);
  if (transfer.to_sink()) {
    if (!transfer.accept()) return 0;
    return transfer.keep(transfer.call.sink->write(std::as_bytes(std::span(bytes)))) ? bytes.size() : 0;
  }
  const std::size_t room = transfer.call.body_limit - transfer.answer.body.size();
  transfer.answer.body.append(bytes.substr(0, room));
  transfer.answer.is_cut = bytes.size() > room;  // an endless body must not hold us
  return transfer.answer.is_cut ? 0 : bytes.size();
}

std::size_t CurlClient::on_read(char* data, std::size_t size, std::size_t count, void* context) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  if (transfer.call.announced_bytes > 0) return CURL_READFUNC_ABORT;  // it was only a question
  const std::uint64_t left = transfer.body_size() - transfer.sent_bytes;
  const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size * count, left));
  if (want == 0) return 0;
  if (transfer.on_progress) transfer.on_progress();
  if (const FileRange* file = transfer.call.file; file != nullptr) {
    const std::span<std::byte> into(reinterpret_cast<std::byte*>(data), want);
    Result<std::size_t> got = read_at(file->fd, into, file->offset + transfer.sent_bytes);
    if (!got) {
      transfer.failure = std::move(got).error();
      return CURL_READFUNC_ABORT;
    }
    if (*got != want) {
      transfer.failure = Error{Errc::kInternal, "cannot upload: the file is shorter than its range"};
      return CURL_READFUNC_ABORT;
    }
  } else {
    std::memcpy(data, transfer.call.text.data() + transfer.sent_bytes, want);
  }
  transfer.sent_bytes += want;
  return want;
}

// libcurl rewinds when a kept connection turns out to be dead after the body was begun.
int CurlClient::on_seek(void* context, curl_off_t offset, int origin) noexcept {
  auto& transfer = *static_cast<Transfer*>(context);
  if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > transfer.body_size()) {
    return CURL_SEEKFUNC_FAIL;
  }
  transfer.sent_bytes = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int CurlClient::on_socket_open(void* context, curl_socket_t fd, curlsocktype) noexcept {
  static_cast<Socket*>(context)->fd = fd;
  return CURL_SOCKOPT_OK;
}

int CurlClient::on_socket_close(void* context, curl_socket_t fd) noexcept {
  auto& socket = *static_cast<Socket*>(context);
  if (socket.fd == fd) socket.fd = CURL_SOCKET_BAD;
  return ::close(fd);
}

int CurlClient::on_request(void* context, char*, char*, int, int) noexcept {
  acknowledge_at_once(static_cast<Socket*>(context)->fd);
  return CURL_PREREQFUNC_OK;
}

void CurlClient::configure(const HttpCall& call, Transfer& transfer, const curl_slist* headers) {
  CURL* const h = handle_.get();
  curl_easy_reset(h);  // keeps the connection
  error_text_[0] = '\0';
  const bool is_https = call.url.rfind("https:", 0) == 0;
  curl_easy_setopt(h, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(h, CURLOPT_ERRORBUFFER, error_text_);
  curl_easy_setopt(h, CURLOPT_USERAGENT, "cloakroom");
  curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(h, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);  // the signed path is the sent path
  curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, is_https ? "https" : "http");
  curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, is_https ? "https" : "http");
  curl_easy_setopt(h, CURLOPT_PROXY, "");
  curl_easy_setopt(h, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(h, CURLOPT_HTTP_CONTENT_DECODING, 0L);
  curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!options_.ca_file.empty()) {
    curl_easy_setopt(h, CURLOPT_CAINFO, options_.ca_file.c_str());
    curl_easy_setopt(h, CURLOPT_CAPATH, nullptr);  // or the system's folder would be trusted beside the file
  }
  curl_easy_setopt(h, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));

  curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect.count()));
  curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
  curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
  curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options_.stall.count()));
  curl_easy_setopt(h, CURLOPT_MAXAGE_CONN, kIdleConnectionSeconds);
  curl_easy_setopt(h, CURLOPT_MAXLIFETIME_CONN, 300L);
  curl_easy_setopt(h, CURLOPT_MAXCONNECTS, 2L);
  curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(h, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(h, CURLOPT_TCP_KEEPINTVL, 15L);

  curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, &CurlClient::on_header);
  curl_easy_setopt(h, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, &CurlClient::on_body);
  curl_easy_setopt(h, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, &CurlClient::on_socket_open);
  curl_easy_setopt(h, CURLOPT_SOCKOPTDATA, &socket_);
  curl_easy_setopt(h, CURLOPT_CLOSESOCKETFUNCTION, &CurlClient::on_socket_close);
  curl_easy_setopt(h, CURLOPT_CLOSESOCKETDATA, &socket_);
  curl_easy_setopt(h, CURLOPT_PREREQFUNCTION, &CurlClient::on_request);
  curl_easy_setopt(h, CURLOPT_PREREQDATA, &socket_);

  if (call.method == "HEAD") {
    curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
  } else if (call.method == "PUT" || call.method == "POST") {
    if (call.method == "PUT") {
      curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(h, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.body_size()));
    } else {
      curl_easy_setopt(h, CURLOPT_POST, 1L);
      curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer.body_size()));
    }
    curl_easy_setopt(h, CURLOPT_READFUNCTION, &CurlClient::on_read);
    curl_easy_setopt(h, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, &CurlClient::on_seek);
    curl_easy_setopt(h, CURLOPT_SEEKDATA, &transfer);
    curl_easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(limits::kCopyBufferBytes));
    if (call.announced_bytes > 0) {  // never send without leave
      curl_easy_setopt(h, CURLOPT_EXPECT_100_TIMEOUT_MS, static_cast<long>(call.timeout.count()));
    }
  } else if (call.method == "DELETE" || call.method == "OPTIONS") {
    curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, std::string(call.method).c_str());
  } else if (call.method != "GET") {
    BUG("HTTP method without a rule");
  }
  if (call.stall.count() > 0) curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME, static_cast<long>(call.stall.count()));
  if (call.sink != nullptr) curl_easy_setopt(h, CURLOPT_BUFFERSIZE, static_cast<long>(limits::kCopyBufferBytes));
}

void CurlClient::begin(const HttpCall& call) {
  headers_.reset();
  const auto add = [&list = headers_](const std::string& line) {
    curl_slist* grown = curl_slist_append(list.get(), line.c_str());
    if (grown == nullptr) BUG("out of memory");
    (void)list.release();
    list.reset(grown);
  };
  // libcurl would ask "100-continue" for more than 1 MiB and then wait a second for stores that do not answer it.
  add(call.announced_bytes > 0 ? "Expect: 100-continue" : "Expect:");
  add("Content-Type:");  // libcurl would call a POST a form; a type of ours comes after this and wins
  for (const StoreHeader& h : call.headers) add(h.name + ": " + h.value);
  transfer_.reset(new Transfer{call, socket_, on_progress_});
  configure(call, *transfer_, headers_.get());
}

Result<HttpAnswer> CurlClient::end(CURLcode code) {
  const std::unique_ptr<Transfer> ended = std::move(transfer_);
  Transfer& transfer = *ended;
  if (transfer.failure) return std::move(*transfer.failure);
  // A store that refuses an upload early answers and closes: the answer says more than the broken pipe.
  const bool refused_early = (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) && transfer.answer.status >= 400;
  const bool may_go_on = transfer.call.announced_bytes > 0 && transfer.answer.status == 100;
  if (code != CURLE_OK && !refused_early && !transfer.answer.is_cut && !may_go_on) {
    Error error = curl_error(code, error_text_);
    // The host may be gone from behind its name: the next try asks the name again.
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_OPERATION_TIMEDOUT) drop_connection();
    return error;
  }
  if (transfer.to_sink() && !transfer.accept()) return std::move(*transfer.failure);
  return std::move(transfer.answer);
}

Result<HttpAnswer> CurlClient::perform(const HttpCall& call) {
  begin(call);
  return end(curl_easy_perform(handle_.get()));
}

}  // namespace cloakroom
