// clamd_reply.cc — clamd's words and what they mean.
#include "scan/clamd_reply.h"

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::string_view kStream = "stream: ";
constexpr std::string_view kFound = " FOUND";

// Not found in the bytes, but said of them: AlertExceedsMax and AlertEncrypted of clamd.conf.
constexpr std::array<std::string_view, 2> kNotLookedAt{"Heuristics.Limits.Exceeded", "Heuristics.Encrypted."};

std::string plain(std::string_view text, std::size_t most) {
  std::string out(text.substr(0, most));
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return out;
}

Error not_understood(std::string_view line) {
  return Error{Errc::kScannerAway, "clamd answered " + quoted_reply(line), {}, true};
}

}  // namespace

std::string quoted_reply(std::string_view line) {
  return "'" + plain(line, 200) + "'";
}

Result<ScanVerdict> parse_clamd_verdict(std::string_view line) {
  if (line == "stream: OK") return ScanVerdict{};
  if (line == "INSTREAM size limit exceeded. ERROR") return ScanVerdict{ScanOutcome::kTooLarge, {}};
  if (!line.starts_with(kStream) || !line.ends_with(kFound) || line.size() <= kStream.size() + kFound.size()) {
    return not_understood(line);
  }
  line.remove_prefix(kStream.size());
  line.remove_suffix(kFound.size());
  const bool not_looked_at = std::any_of(kNotLookedAt.begin(), kNotLookedAt.end(),
                                         [&](std::string_view start) { return line.starts_with(start); });
  return ScanVerdict{not_looked_at ? ScanOutcome::kNotScanned : ScanOutcome::kInfected,
                     plain(line, limits::kScannerSignatureBytes)};
}

Result<std::uint64_t> parse_clamd_version(std::string_view line) {
  if (!line.starts_with("ClamAV ")) return not_understood(line);
  const std::size_t first = line.find('/');
  if (first == std::string_view::npos) return std::uint64_t{0};
  const std::size_t second = line.find('/', first + 1);
  if (second == std::string_view::npos) return not_understood(line);
  const auto number = parse_u64(line.substr(first + 1, second - first - 1));
  if (!number || *number > 0xffffffffU) return not_understood(line);
  return *number;
}

}  // namespace cloakroom
