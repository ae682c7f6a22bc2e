// usage_report.h — how many files and bytes there are, summed up by what somebody wants to know.
//
// Shape    one aggregate over attachments, their variants and copies; groups come one after the other, those with most
// bytes
//          first, months in their order. What quotas count is in usage.h.
// Memory   a page of groups.
// Errors   as pg.h and cursor.h.
// Lifetime the database is borrowed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "db/cursor.h"

namespace cloakroom {

enum class UsageBy { kUser, kDialog, kType, kStore, kMonth };
std::optional<UsageBy> parse_usage_by(std::string_view word);  // user dialog type store month

struct UsageGroup {
  std::optional<std::string> name;  // a month as "2026-01" (UTC); empty: files of the service, or of no dialog
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t previews = 0, preview_bytes = 0;  // previews count to the user, the dialog, the month of their file
  std::uint64_t copies = 0, copy_bytes = 0;       // and so do copies (STORAGE=hybrid) that are there
};

class PgUsageReport {
 public:
  explicit PgUsageReport(Database& database) : database_(database) {}

  Status begin(UsageBy by);
  Result<std::optional<UsageGroup>> next();

 private:
  Database& database_;
  std::optional<PgCursor> cursor_;
  std::optional<ResultSet> page_;
  int row_ = 0;
};

}  // namespace cloakroom
