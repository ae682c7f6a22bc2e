// clamd.h — the port Scanner over clamd's socket: one connection a scan, the bytes in chunks as they come.
//
// Source   clamd(8): zINSTREAM, zPING, zVERSION; a chunk is its length in four bytes, big-endian, and so many bytes;
//          a chunk of no bytes ends the stream
// Time     connect_timeout to connect; then clamd may keep us waiting for `timeout`, all waits of one scan together.
//          The time in which the source has nothing to send does not count: a store may be slow.
//          After a failure it is asked first whether it lives, which is soon known: a clamd that hangs costs the whole
//          time once, and not at every file.
// Errors   kScannerAway, retryable: not reached, too slow, gone in the middle, or an answer that is none
//          the source's own
// Memory   a reply of at most limits::kScannerReplyBytes
#pragma once

#include <chrono>
#include <string>

#include "domain/scan_ports.h"

namespace cloakroom {

struct ClamdOptions {
  std::string address;  // "/run/clamav/clamd.ctl", "clamd.example:3310", "[::1]:3310"
  std::chrono::milliseconds connect_timeout{2000};
  std::chrono::milliseconds timeout{60000};
};

class Clamd final : public Scanner {
 public:
  explicit Clamd(ClamdOptions options) : options_(std::move(options)) {}

  Status ready() override;
  Result<ScanVerdict> scan(const ByteSource& bytes) override;
  Result<std::uint64_t> signatures() override;
  // What it says of itself: "ClamAV 1.4.6/27001/…"
  Result<std::string> version();

 private:
  Result<std::string> ask(std::string_view command);
  Result<ScanVerdict> scan_now(const ByteSource& bytes);

  ClamdOptions options_;
  bool has_failed_ = false;  // the last scan
};

}  // namespace cloakroom
