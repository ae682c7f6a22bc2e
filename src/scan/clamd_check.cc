// clamd_check.cc — questions to clamd whose right answers are known.
#include "scan/clamd_check.h"

#include <algorithm>
#include <string>

#include "base/file.h"
#include "scan/clamd_reply.h"

namespace cloakroom {
namespace {

// In two halves, or scanners would find this program.
std::string eicar() {
  std::string text = R"(X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-)";
  text += "ANTIVIRUS-TEST-FILE!$H+H*";
  return text;
}

// An archive with the test file, not compressed. APPNOTE.TXT 4.3: local header, data, central directory, its end.
std::string archive() {
  using namespace std::string_literals;
  const std::string facts = "\xc8\x96\x75\x5d\x3c\xcf\x51\x68\x44\0\0\0\x44\0\0\0\x09\0\0\0"s;  // time, CRC-32, sizes
  const std::string name = "eicar.com";
  const std::string local = "PK\x03\x04\x14\0\0\0\0\0"s + facts + name + eicar();
  const std::string central = "PK\x01\x02\x14\x03\x14\0\0\0\0\0"s + facts + "\0\0\0\0\0\0\0\0\x80\x01\0\0\0\0"s + name;
  return local + central + "PK\x05\x06\0\0\0\0\x01\0\x01\0\x37\0\0\0\x6b\0\0\0\0\0"s;
}

ByteSource padded(std::string text, std::uint64_t size_bytes) {
  return [text = std::move(text), size_bytes](ByteSink& sink) -> Status {
    TRY(sink.write(std::as_bytes(std::span(text))));
    const std::span<std::byte> zeros = copy_buffer();
    std::fill(zeros.begin(), zeros.end(), std::byte{0});
    for (std::uint64_t left = size_bytes - std::min<std::uint64_t>(text.size(), size_bytes); left > 0;) {
      const auto some = static_cast<std::size_t>(std::min<std::uint64_t>(left, zeros.size()));
      TRY(sink.write(zeros.first(some)));
      left -= some;
    }
    return Ok{};
  };
}

Finding detects(Clamd& clamd) {
  const std::string name = "clamd.detects";
  const auto verdict = clamd.scan(padded(eicar(), 0));
  if (!verdict) {
    return {name, Verdict::kFailure, verdict.error().detail, "see clamd's own log"};
  }
  if (verdict->outcome != ScanOutcome::kInfected) {
    return {name, Verdict::kFailure, "clamd does not find the EICAR test file",
            "see whether its DatabaseDirectory holds signatures (freshclam)"};
  }
  return {name, Verdict::kOk, "the EICAR test file is found", ""};
}

Finding looks_at_all(Clamd& clamd, std::uint64_t size_bytes) {
  const std::string name = "clamd.max_size";
  const std::string size = std::to_string(size_bytes);
  const auto verdict = clamd.scan(padded(archive(), size_bytes));
  if (!verdict) {
    return {name, Verdict::kFailure, "a file of " + size + " bytes: " + verdict.error().detail,
            "see clamd's own log; raise CLAMD_TIMEOUT if it is slow"};
  }
  switch (verdict->outcome) {
    case ScanOutcome::kInfected:
      return {name, Verdict::kOk, "files of up to CLAMD_MAX_SIZE (" + size + " bytes) are looked at", ""};
    case ScanOutcome::kTooLarge:
      return {name, Verdict::kFailure, "clamd does not take " + size + " bytes (StreamMaxLength)",
              "raise StreamMaxLength in clamd.conf, or lower CLAMD_MAX_SIZE"};
    case ScanOutcome::kNotScanned:
    case ScanOutcome::kClean:
      break;
  }
  return {name, Verdict::kFailure,
          "clamd does not look at files of " + size + " bytes: a virus in one was " +
              (verdict->outcome == ScanOutcome::kClean ? "called OK" : "not found (" + verdict->name + ")"),
          "raise MaxFileSize and MaxScanSize in clamd.conf to CLAMD_MAX_SIZE at least, or lower CLAMD_MAX_SIZE; set "
          "AlertExceedsMax yes"};
}

}  // namespace

Findings check_clamd(Clamd& clamd, const ClamdCheckOptions& options) {
  const auto version = clamd.version();
  if (!version) {
    return {{"clamd.reach", Verdict::kFailure, version.error().detail,
             "see whether clamd runs, and correct CLAMD_SOCKET; the user of the workers must be able to connect"}};
  }
  Findings found{{"clamd.reach", Verdict::kOk, "clamd answers: " + quoted_reply(*version), ""}};
  found.push_back(detects(clamd));
  if (found.back().verdict == Verdict::kOk) found.push_back(looks_at_all(clamd, options.max_scan_bytes));
  if (options.max_scan_bytes < options.max_upload_bytes) {
    found.push_back({"clamd.upload_size", Verdict::kWarning,
                     std::string("CLAMD_MAX_SIZE is smaller than MAX_UPLOAD_SIZE: files between them are ") +
                         (options.fail_open ? "kept unscanned" : "refused"),
                     "raise CLAMD_MAX_SIZE and the limits in clamd.conf, or lower MAX_UPLOAD_SIZE"});
  }
  return found;
}

}  // namespace cloakroom
