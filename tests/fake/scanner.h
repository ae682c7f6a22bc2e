// scanner.h — a scanner that says what it is told to, and remembers what it was given.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "domain/scan_ports.h"
#include "fake/failures.h"

namespace cloakroom::fake {

class FakeScanner final : public Scanner {
 public:
  explicit FakeScanner(Journal* journal = nullptr) : failures(journal) {}

  Failures failures;
  std::deque<ScanVerdict> next;    // then all is clean
  std::vector<std::string> seen;   // the bytes of each scan
  std::size_t breaks_after = 1e9;  // bytes; then it hangs up
  std::uint64_t number = 1;        // of its signatures
  std::string virus;               // what it finds wherever it is in a file

  Status ready() override { return failures.enter("scanner_ready"); }
  Result<ScanVerdict> scan(const ByteSource& bytes) override {
    TRY(failures.enter("scan"));
    Sink sink(breaks_after);
    const Status sent = bytes(sink);
    seen.push_back(sink.text);
    if (sink.broken) return Error{Errc::kScannerAway, "it hung up", {}, true};
    if (!sent) return sent.error();
    if (!virus.empty() && sink.text.find(virus) != std::string::npos)
      return ScanVerdict{ScanOutcome::kInfected, "Fake.Virus"};
    if (next.empty()) return ScanVerdict{};
    const ScanVerdict verdict = next.front();
    next.pop_front();
    return verdict;
  }
  Result<std::uint64_t> signatures() override {
    TRY(failures.enter("signatures"));
    return number;
  }

 private:
  struct Sink final : ByteSink {
    explicit Sink(std::size_t most) : left(most) {}
    Status write(std::span<const std::byte> bytes) override {
      if (broken || bytes.size() > left) {
        broken = true;
        return Error{Errc::kScannerAway, "it hung up", {}, true};
      }
      left -= bytes.size();
      text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return Ok{};
    }
    std::size_t left;
    std::string text;
    bool broken = false;
  };
};

}  // namespace cloakroom::fake
