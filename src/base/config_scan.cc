// config_scan.cc — where clamd is, how long it may take, and how much it really looks at.
#include "base/config_scan.h"

#include <algorithm>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kLeastScanBytes = 1ULL << 20;
constexpr std::uint64_t kMostScanBytes = (4ULL << 30) - 1;  // clamd counts in 32 bits
constexpr std::uint64_t kSlowestRescan = 1ULL << 10;        // below this a large store is never done

bool is_address(std::string_view text) {
  if (text.starts_with('/')) return text.size() <= 107;  // sun_path
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto port = parse_u64(text.substr(colon + 1));
  return port && *port > 0 && *port < 65536;
}

}  // namespace

void read_scan(Reader& in, Config& config) {
  config.clamd_socket = in.text("CLAMD_SOCKET");
  if (!config.clamd_socket.empty() && !is_address(config.clamd_socket)) {
    in.problem("CLAMD_SOCKET",
               "'" + config.clamd_socket + "' is neither the path of a socket (at most 107 bytes) nor host:port");
  }
  config.clamd_connect_timeout = std::chrono::seconds(in.number("CLAMD_CONNECT_TIMEOUT", 1, 60));
  config.clamd_timeout = std::chrono::seconds(in.number("CLAMD_TIMEOUT", 1, 3600));
  config.clamd_max_bytes = in.bytes("CLAMD_MAX_SIZE");
  if (config.clamd_max_bytes < kLeastScanBytes || config.clamd_max_bytes > kMostScanBytes) {
    in.problem("CLAMD_MAX_SIZE", "is not between 1M and 4G - 1 (clamd cannot scan larger files)");
  }
  config.clamd_fail_open = in.one_of("CLAMD_FAIL", "closed open") == "open";
  const std::string rate = in.text("RESCAN_RATE");
  config.rescan_bytes_per_second = rate == "0" ? 0 : in.bytes("RESCAN_RATE");
  if (rate != "0" && config.rescan_bytes_per_second < kSlowestRescan) {
    in.problem("RESCAN_RATE", "is less than 1K; 0 turns rescans off");
  }
}

}  // namespace cloakroom
