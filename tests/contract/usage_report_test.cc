// usage_report_test.cc — sums of files and previews on a real PostgreSQL.
#include "db/usage_report.h"

#include <string>

#include "database.h"

namespace {

using namespace db;

struct World : Emptied {
  PgUsageReport report{database};

  Attachment add(const std::optional<std::string>& user, std::uint64_t size_bytes, StoreKind store = StoreKind::kLocal,
                 const std::string& type = "image/png") {
    Attachment a = upload(user);
    a.size_bytes = size_bytes;
    a.store = store;
    a.mime_type = type;
    return put(rows, a);
  }
  void add_preview(const Attachment& original, const std::string& store) {
    CHECK_OK(database.run_script("INSERT INTO variants SELECT id, 'thumb', 'webp', 'image/webp', '" + store +
                                 "', 'v' || key, 1, 1, 5, sha256, now() FROM attachments WHERE id = '" +
                                 to_string(original.id) + "'"));
  }
  // "name files bytes previews preview_bytes; " of each group
  std::string groups(UsageBy by) {
    CHECK_OK(report.begin(by));
    std::string text;
    while (const auto g = CHECK_OK(report.next())) {
      text += g->name.value_or("-");
      for (const auto number : {g->files, g->bytes, g->previews, g->preview_bytes})
        text += " " + std::to_string(number);
      text += "; ";
    }
    return text;
  }
};

void files_and_previews_are_summed_up_by_each_of_the_words() {
  World w;
  const Attachment a = w.add("ann", 10);
  w.add("ann", 20, StoreKind::kS3, "text/plain");
  w.add("bob", 40);
  w.add(std::nullopt, 1);
  w.add_preview(a, "s3");
  CHECK_OK(
      w.database.run_script("UPDATE attachments SET dialog_id = 'd1' WHERE uploader_id = 'ann';"
                            "UPDATE attachments SET created_at = '2025-12-31 23:59:59Z' WHERE size_bytes = 40;"
                            "UPDATE attachments SET created_at = '2026-01-01 00:00:00Z' WHERE size_bytes <> 40"));
  CHECK_EQ(w.groups(UsageBy::kUser), "bob 1 40 0 0; ann 2 30 1 5; - 1 1 0 0; ");
  CHECK_EQ(w.groups(UsageBy::kDialog), "- 2 41 0 0; d1 2 30 1 5; ");
  CHECK_EQ(w.groups(UsageBy::kType), "image/png 3 51 1 5; text/plain 1 20 0 0; ");
  CHECK_EQ(w.groups(UsageBy::kStore), "local 3 51 0 0; s3 1 20 1 5; ");
  CHECK_EQ(w.groups(UsageBy::kMonth), "2025-12 1 40 0 0; 2026-01 3 31 1 5; ");
}

void an_empty_database_has_no_groups() {
  World w;
  CHECK_EQ(w.groups(UsageBy::kUser), "");
  CHECK(!CHECK_OK(w.report.next()));
}

void more_groups_than_a_page_all_come() {
  World w;
  CHECK_OK(w.database.run_script(
      "INSERT INTO attachments (id, filename, mime_type, size_bytes, sha256, store, key, uploader_id, created_at)"
      " SELECT gen_random_uuid(), 'x', 'x/y', i, sha256(''), 's3', 'k' || i, 'u' || i, now()"
      " FROM generate_series(1, 2001) i"));
  CHECK_OK(w.report.begin(UsageBy::kUser));
  std::uint64_t count = 0, bytes = 0;
  while (const auto g = CHECK_OK(w.report.next())) {
    ++count;
    bytes += g->bytes;
  }
  CHECK(count == 2001 && bytes == 2001 * 2002 / 2);
}

void unknown_words_are_refused() {
  for (const char* word : {"user", "dialog", "type", "store", "month"}) CHECK(parse_usage_by(word));
  for (const char* word : {"", "users", "day"}) CHECK(!parse_usage_by(word));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(files_and_previews_are_summed_up_by_each_of_the_words),
      CASE(an_empty_database_has_no_groups),
      CASE(more_groups_than_a_page_all_come),
      CASE(unknown_words_are_refused),
  };
  return db::run("usage_report", tests);
}
