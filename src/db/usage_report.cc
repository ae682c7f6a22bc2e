// usage_report.cc — the aggregate, and its pages.
#include "db/usage_report.h"

namespace cloakroom {
namespace {

constexpr unsigned kPageRows = 1000;
enum Column { kName, kFiles, kBytes, kPreviews, kPreviewBytes, kCopies, kCopyBytes };

struct Grouping {
  const char* of_file;
  const char* of_variant;  // `a` is its original
  const char* of_copy;     // the same
};

Grouping grouping(UsageBy by) {
  switch (by) {
    case UsageBy::kUser:
      return {"a.uploader_id", "a.uploader_id", "a.uploader_id"};
    case UsageBy::kDialog:
      return {"a.dialog_id", "a.dialog_id", "a.dialog_id"};
    case UsageBy::kType:
      return {"a.mime_type", "a.mime_type", "a.mime_type"};
    case UsageBy::kStore:
      return {"coalesce(a.store, 'external')", "v.store", "c.store"};
    case UsageBy::kMonth:
      break;
  }
  constexpr const char* month = "to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM')";
  return {month, month, month};
}

}  // namespace

std::optional<UsageBy> parse_usage_by(std::string_view word) {
  if (word == "user") return UsageBy::kUser;
  if (word == "dialog") return UsageBy::kDialog;
  if (word == "type") return UsageBy::kType;
  if (word == "store") return UsageBy::kStore;
  if (word == "month") return UsageBy::kMonth;
  return std::nullopt;
}

// Each table is summed up by itself first: a store that was emptied of files may still hold previews. Files that live
// elsewhere have no size here; a group of nothing else takes 0 bytes, and so comes last, not first as a null would.
Status PgUsageReport::begin(UsageBy by) {
  cursor_.reset();
  page_.reset();
  row_ = 0;
  const Grouping name = grouping(by);
  std::string sql =
      "SELECT name, sum(files)::int8, sum(bytes)::int8, sum(previews)::int8, sum(preview_bytes)::int8,"
      " sum(copies)::int8, sum(copy_bytes)::int8 FROM";
  sql.append(" (SELECT ").append(name.of_file).append(" AS name, count(*) AS files,");
  sql.append(" coalesce(sum(a.size_bytes), 0) AS bytes,");
  sql.append(
         " 0 AS previews, 0 AS preview_bytes, 0 AS copies, 0 AS copy_bytes FROM attachments a GROUP BY 1 UNION ALL "
         "SELECT ")
      .append(name.of_variant);
  sql.append(
      ", 0, 0, count(*), sum(v.size_bytes), 0, 0 FROM variants v JOIN attachments a ON a.id = v.attachment_id"
      " GROUP BY 1 UNION ALL SELECT ");
  sql.append(name.of_copy);
  sql.append(
      ", 0, 0, 0, 0, count(*), sum(c.size_bytes) FROM copies c JOIN attachments a ON a.id = c.attachment_id"
      " WHERE c.key IS NOT NULL GROUP BY 1)");
  sql.append(" parts GROUP BY name ORDER BY ")
      .append(by == UsageBy::kMonth ? "name" : "sum(bytes + preview_bytes + copy_bytes) DESC, name");
  TRY_ASSIGN(PgCursor cursor, PgCursor::open(database_, "cloakroom_usage", sql, Params{}));
  cursor_.emplace(std::move(cursor));
  return Ok{};
}

Result<std::optional<UsageGroup>> PgUsageReport::next() {
  if (!cursor_) return std::optional<UsageGroup>();
  if (!page_ || row_ == page_->rows()) {
    page_.reset();
    row_ = 0;
    TRY_ASSIGN(ResultSet page, cursor_->fetch(kPageRows));
    if (page.rows() == 0) {
      cursor_.reset();
      return std::optional<UsageGroup>();
    }
    page_.emplace(std::move(page));
  }
  const auto number = [this](int column) { return static_cast<std::uint64_t>(page_->integer(row_, column)); };
  UsageGroup group{.name = page_->maybe_text(row_, kName),
                   .files = number(kFiles),
                   .bytes = number(kBytes),
                   .previews = number(kPreviews),
                   .preview_bytes = number(kPreviewBytes),
                   .copies = number(kCopies),
                   .copy_bytes = number(kCopyBytes)};
  ++row_;
  return std::optional(std::move(group));
}

}  // namespace cloakroom
