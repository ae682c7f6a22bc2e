// clamd_reply.h — reads the one line that clamd answers. Pure.
//
// Source   clamd(8), INSTREAM and VERSION; clamd/session.c and clamd/scanner.c of ClamAV 1.4
// Shape    "stream: OK" · "stream: NAME FOUND" · "INSTREAM size limit exceeded. ERROR" · "… ERROR"
//          "ClamAV 1.4.6/27001/Sat Nov 21 18:00:00 2026"; without an official database "ClamAV 1.4.6"
// Rule     only the very bytes "stream: OK" mean clean. Whatever ends in FOUND was found, however odd its name.
// Errors   kScannerAway, retryable: anything else, clamd's own ERROR among it
#pragma once

#include <cstdint>
#include <string_view>

#include "domain/scan_ports.h"

namespace cloakroom {

// Without the zero byte at its end.
Result<ScanVerdict> parse_clamd_verdict(std::string_view line);
Result<std::uint64_t> parse_clamd_version(std::string_view line);
// Of clamd, for the log: printable and cut.
std::string quoted_reply(std::string_view line);

}  // namespace cloakroom
