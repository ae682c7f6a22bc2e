// clamd_reply_fuzz.cc — any bytes as an answer of clamd: clean is one text alone, and names are fit for the log.
#include <algorithm>
#include <cstdint>

#include "base/limits.h"
#include "scan/clamd_reply.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto verdict = parse_clamd_verdict(text);
  if (verdict && verdict->outcome == ScanOutcome::kClean && text != "stream: OK") BUG("clean by another answer");
  if (text.ends_with(" FOUND") && verdict && verdict->outcome == ScanOutcome::kClean) BUG("found, and clean");
  const std::string shown = verdict ? verdict->name : verdict.error().detail;
  if (shown.size() > limits::kScannerSignatureBytes + 256) BUG("too long");
  if (!std::all_of(shown.begin(), shown.end(), [](char c) { return c >= 0x20 && c <= 0x7e; })) BUG("not printable");
  if (!verdict && verdict.error().code != Errc::kScannerAway) BUG("another error");
  const auto version = parse_clamd_version(text);
  if (version && !text.starts_with("ClamAV ")) BUG("a version of something else");
  return 0;
}
