// virus_scan.cc — from the scanner's verdict to a yes or a refusal, with its line in the log.
#include "domain/virus_scan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encode.h"
#include "base/log.h"

namespace cloakroom {
namespace {

// The ways in which a scanner fails; what the source says against the bytes is no reason to keep them unscanned.
bool is_of_the_scanner(const Error& error) {
  return error.code == Errc::kScannerAway || error.code == Errc::kNotScanned || error.code == Errc::kTooLarge;
}

class Hasher final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    hash_.update(bytes);
    return Ok{};
  }
  Sha256Digest digest() { return hash_.finish(); }

 private:
  Sha256 hash_;
};

Error too_large(std::string_view filename, std::uint64_t size_bytes) {
  return refuse(Errc::kTooLarge, fmt::format("The file '{}' has {} bytes, more than can be scanned for viruses here.",
                                             filename, size_bytes));
}

}  // namespace

Status VirusScan::admits(std::string_view filename, std::uint64_t size_bytes) const {
  if (size_bytes <= rules_.max_bytes || rules_.fail_open) return Ok{};
  return too_large(filename, size_bytes);
}

Status VirusScan::ready() {
  if (rules_.fail_open) return Ok{};
  TRY(scanner_.admits());
  return scanner_.ready();
}

Status VirusScan::pass_or_refuse(const ScanSubject& subject, Error why) const {
  if (!rules_.fail_open || !is_of_the_scanner(why)) return why;
  log(Level::kWarning, "upload.not_scanned",
      {{"way", subject.way},
       {"user", subject.user.value_or("")},
       {"filename", subject.filename},
       {"size", subject.size_bytes},
       {"detail", why.detail}});
  return Ok{};
}

Status VirusScan::check(const ScanSubject& subject, const ByteSource& bytes) {
  if (subject.size_bytes > rules_.max_bytes) {
    return pass_or_refuse(subject, too_large(subject.filename, subject.size_bytes));
  }
  auto verdict = scanner_.scan(bytes);
  if (!verdict) return pass_or_refuse(subject, std::move(verdict).error());
  switch (verdict->outcome) {
    case ScanOutcome::kClean:
      return Ok{};
    case ScanOutcome::kTooLarge:
      return pass_or_refuse(subject, too_large(subject.filename, subject.size_bytes));
    case ScanOutcome::kNotScanned: {
      Error why = refuse(Errc::kNotScanned,
                         fmt::format("The file '{}' cannot be scanned for viruses: it is encrypted, nested too deeply, "
                                     "or too large when unpacked.",
                                     subject.filename));
      why.detail = "not scanned: " + verdict->name;
      return pass_or_refuse(subject, std::move(why));
    }
    case ScanOutcome::kInfected:
      break;
  }
  log_infected("upload.infected", subject, verdict->name);
  Error found =
      refuse(Errc::kInfected, fmt::format("A virus was found in the file '{}'. Nothing was kept.", subject.filename));
  found.detail = "infected: " + verdict->name;
  return found;
}

ByteSource source_of(const FileRange& range) {
  return [range](ByteSink& sink) -> Status {
    const std::span<std::byte> buffer = copy_buffer();
    for (std::uint64_t done = 0; done < range.size;) {
      const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), range.size - done));
      TRY_ASSIGN(const std::size_t got, read_at(range.fd, buffer.first(want), range.offset + done));
      if (got == 0) return Error{Errc::kInternal, "the body is shorter than its range"};
      TRY(sink.write(buffer.first(got)));
      done += got;
    }
    return Ok{};
  };
}

Result<Sha256Digest> digest_of(const FileRange& range) {
  Hasher hasher;
  TRY(source_of(range)(hasher));
  return hasher.digest();
}

void log_infected(std::string_view event, const ScanSubject& subject, std::string_view signature) {
  const auto digest = subject.digest ? subject.digest() : std::nullopt;
  log(Level::kWarning, event,
      {{"signature", signature},
       {"way", subject.way},
       {"id", subject.id},
       {"user", subject.user.value_or("")},
       {"filename", subject.filename},
       {"size", subject.size_bytes},
       {"sha256", digest ? hex_encode(*digest) : std::string()}});
}

}  // namespace cloakroom
