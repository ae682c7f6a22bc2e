// legacy_export_test.cc — exported tables: rows by their offsets, bad ones told of, larger ones than memory passed
// over.
#include "storage/legacy_export.h"

#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/temp_folder.h"

using namespace cloakroom;

namespace {

using Csv = BackfillMapping::Csv;

std::string show(const LegacyRow& row) {
  return row.fields ? dump_json(row.fields) : "(" + row.trouble + ")";
}

// All rows by pages of `most`, each from the position of the last one, as a run that is killed after each page.
std::string read(LegacyExport& from, std::size_t most = 2) {
  std::string out, position;
  while (true) {
    const auto rows = CHECK_OK(from.after(position, most));
    if (rows.empty()) return out;
    for (const LegacyRow& row : rows) out += show(row) + "\n";
    position = rows.back().position;
  }
}

void csv_rows_are_objects_by_the_names_of_the_first_line() {
  const fake::TempFolder folder;
  const std::string path =
      folder.write("a.csv", "\xef\xbb\xbfid,files\r\n1,\"[\"\"a\"\"]\"\r\n\r\n2,\r\n3,x,y\n4,\"z\"!\n5,\xff\n6,end");
  const auto from = CHECK_OK(LegacyExport::open(Csv{.path = path, .columns = {}, .null = {}}));
  const std::string all =
      "{\"id\":\"1\",\"files\":\"[\\\"a\\\"]\"}\n{\"id\":\"2\",\"files\":\"\"}\n(it has 3 columns, the first line 2)\n"
      "(its quotes do not match)\n(it is not UTF-8)\n{\"id\":\"6\",\"files\":\"end\"}\n";
  for (std::size_t most = 1; most < 8; ++most) CHECK_EQ(read(*from, most), all);
}

void a_file_without_names_needs_them_in_the_mapping() {
  const fake::TempFolder folder;
  const std::string path = folder.write("a.csv", "1,\\N\n");
  const auto from = CHECK_OK(
      LegacyExport::open(Csv{.path = path, .dialect = CsvDialect::kMysql, .columns = {"id", "files"}, .null = {}}));
  CHECK_EQ(read(*from), "{\"id\":\"1\",\"files\":null}\n");
  for (const char* text : {"", "\n", "\xef\xbb\xbf"}) {
    CHECK_ERR(LegacyExport::open(Csv{.path = folder.write("b.csv", text), .columns = {}, .null = {}}), Errc::kInvalid);
  }
}

void a_line_is_an_object_of_json() {
  const fake::TempFolder folder;
  const std::string path = folder.write("a.jsonl", "{\"id\": 1}\n\n[1]\n{\"id\": 2\n{\"id\": 3}");
  const auto from = CHECK_OK(LegacyExport::open(BackfillMapping::JsonLines{path}));
  CHECK_EQ(read(*from), "{\"id\":1}\n(it is no JSON object)\n(it is not valid JSON)\n{\"id\":3}\n");
}

void a_row_that_is_too_large_is_passed_over() {
  const fake::TempFolder folder;
  const std::string huge(limits::kLegacyRowBytes + 10, 'x');
  const auto lines =
      CHECK_OK(LegacyExport::open(BackfillMapping::JsonLines{folder.write("a", "\"" + huge + "\"\n{\"id\":1}\n")}));
  CHECK_EQ(read(*lines), "(the row is larger than 262144 bytes)\n{\"id\":1}\n");
  const auto csv = CHECK_OK(LegacyExport::open(
      Csv{.path = folder.write("b", "id\n\"" + huge + "\n" + huge + "\"\n1\n"), .columns = {}, .null = {}}));
  CHECK_EQ(read(*csv), "(the row is larger than 262144 bytes)\n{\"id\":\"1\"}\n");
}

void what_is_left_is_counted_in_bytes_and_another_file_is_known() {
  const fake::TempFolder folder;
  const std::string path = folder.write("a", "{\"id\":1}\n{\"id\":2}\n");
  const auto from = CHECK_OK(LegacyExport::open(BackfillMapping::JsonLines{path}));
  CHECK_EQ(CHECK_OK(from->left("")).count, 18u);
  CHECK_EQ(CHECK_OK(from->left("9")).count, 9u);
  CHECK_ERR(from->left("19"), Errc::kInvalid);
  folder.write("a", "{\"id\":1}\n");
  CHECK(CHECK_OK(LegacyExport::open(BackfillMapping::JsonLines{path}))->identity() != from->identity());
  CHECK_ERR(LegacyExport::open(BackfillMapping::JsonLines{folder / "none"}), Errc::kNotFound);
  CHECK_ERR(LegacyExport::open(BackfillMapping::JsonLines{folder.path()}), Errc::kInvalid);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(csv_rows_are_objects_by_the_names_of_the_first_line),
      CASE(a_file_without_names_needs_them_in_the_mapping),
      CASE(a_line_is_an_object_of_json),
      CASE(a_row_that_is_too_large_is_passed_over),
      CASE(what_is_left_is_counted_in_bytes_and_another_file_is_known),
  };
  return RUN_TESTS("legacy_export", tests);
}
