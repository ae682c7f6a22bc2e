// legacy_record_test.cc — from a row to its files: fields wherever they are, hostile paths, other people's times.
#include "domain/legacy_record.h"

#include <string>

#include "check.h"
#include "domain/legacy_path.h"
#include "domain/legacy_time.h"

using namespace cloakroom;

namespace {

// The lines of a mapping that the tests do not change.
std::string mapping_text(const std::string& fields, const std::string& files = R"("row.files")") {
  return R"({"name": "m", "source": {"jsonl": {"path": "/x"}}, "files": )" + files + R"(, "fields": )" + fields +
         R"(, "bytes": {"root": "/r", "strip": "/up/", "percent_encoded": true}, "mode": "copy"})";
}

LegacyRecord read(const std::string& fields, const std::string& row, const std::string& files = R"("row.files")") {
  const BackfillMapping mapping = CHECK_OK(parse_mapping(mapping_text(fields, files)));
  const Json parsed = CHECK_OK(parse_json(row));
  return read_record(mapping, parsed.get());
}

const std::string kUsual = R"({"path": "file.url", "message_id": "row.id", "filename": "file.meta.name"})";

void every_element_of_the_list_is_a_file() {
  const auto record = read(kUsual, R"({"id": 7, "files": [{"url": "/up/a%20b/c.jpg?v=1#x", "meta": {"name": "C.jpg"}},
                                       null, {"url": "d.png"}]})");
  CHECK_EQ(record.troubles.size(), 0u);
  CHECK_EQ(record.files.size(), 2u);
  CHECK_EQ(record.files[0].message_id, "7");
  CHECK_EQ(record.files[0].path.str(), "a b/c.jpg");
  CHECK_EQ(record.files[0].filename, "C.jpg");
  CHECK_EQ(record.files[1].filename, "d.png");
}

void a_list_may_be_text_or_lie_deeper_or_be_one_file() {
  for (const char* row : {R"({"id": "7", "files": "[{\"url\": \"/up/a\"}]"})", R"({"id": "7", "files": {"url": "a"}})",
                          R"({"id": "7", "files": "{\"url\": \"a\"}"})"}) {
    CHECK_EQ(read(kUsual, row).files.at(0).path.str(), "a");
  }
  const auto deep = read(R"({"path": "file", "message_id": "row.id"})",
                         R"({"id": 1, "data": "{\"f\": [\"a\", \"b/c\"]}"})", R"("row.data.f")");
  CHECK_EQ(deep.files.size(), 2u);
  CHECK_EQ(deep.files[1].filename, "c");
}

void no_list_is_no_trouble_and_a_broken_one_is() {
  for (const char* row : {R"({"id": 1})", R"({"id": 1, "files": null})", R"({"id": 1, "files": " "})",
                          R"({"id": 1, "files": []})", R"({"id": 1, "files": "null"})"}) {
    const auto record = read(kUsual, row);
    CHECK(record.files.empty() && record.troubles.empty());
  }
  for (const char* row :
       {R"({"id": 1, "files": "[{"})", R"({"id": 1, "files": "a.jpg"})", R"({"id": 1, "files": 5})"}) {
    const auto record = read(kUsual, row);
    CHECK_EQ(record.troubles.size(), 1u);
    CHECK_EQ(record.troubles[0].reason, "bad_json");
    CHECK_EQ(record.troubles[0].message_id, "1");
  }
}

void one_bad_file_keeps_no_other_back() {
  const auto record =
      read(R"({"path": "file.url", "message_id": "row.id", "size": "file.size", "created_at": "file.at"})",
           R"({"id": 1, "files": [{"url": "../etc/passwd"}, {"size": 3}, {"url": "a", "size": "many"},
                               {"url": "b", "at": "yesterday"}, {"url": ["c"]},
                               {"url": "good", "size": "12", "at": "2020-01-02 03:04:05"}]})");
  CHECK_EQ(record.files.size(), 1u);
  CHECK(record.files[0].size_bytes == 12u);
  CHECK_EQ(iso8601_ms(*record.files[0].created_at), "2020-01-02T03:04:05.000Z");
  CHECK_EQ(record.troubles.size(), 5u);
  CHECK_EQ(record.troubles[0].reason, "bad_path");
  CHECK_EQ(record.troubles[0].path, "../etc/passwd");
  CHECK_EQ(record.troubles[2].reason, "bad_row");
}

void a_file_of_no_message_is_not_taken() {
  for (const char* row : {R"({"files": [{"url": "a"}]})", R"({"id": "", "files": [{"url": "a"}]})",
                          R"({"id": "a\u0001", "files": [{"url": "a"}]})", R"({"id": 1.5, "files": [{"url": "a"}]})"}) {
    const auto record = read(kUsual, row);
    CHECK(record.files.empty());
    CHECK_EQ(record.troubles.at(0).reason, "bad_row");
  }
}

void no_path_leads_out_however_it_is_spelled() {
  const LegacyPathRule decoded{"/up/", true}, plain{"/up/", false};
  for (const char* path : {"..",       "../a",  "a/../b", "a/..",   "./a",  "/a",       "//a",         "a//b",
                           "a/",       "",      "/up/",   "/up//a", "a\\b", "%2e%2e/a", "a/%2e%2e/b",  "%2Fetc/passwd",
                           "a%00.jpg", "a%0ab", "a%",     "a%zz",   "%c3",  "a%5cb",    "..%2f..%2fa", "/up/../a",
                           "?a",       "#a"}) {
    if (legacy_path(path, decoded)) CHECK_EQ(std::string("refused"), path);
  }
  CHECK_EQ(CHECK_OK(legacy_path("/up/%252e%252e/a", decoded)).str(), "%2e%2e/a");  // decoded once
  CHECK_EQ(CHECK_OK(legacy_path("a%20b?c", plain)).str(), "a%20b?c");
  CHECK_EQ(CHECK_OK(legacy_path("...", decoded)).str(), "...");
  CHECK_ERR(legacy_path(std::string("a\0b", 3), plain), Errc::kInvalid);
  CHECK_ERR(legacy_path(std::string(300, 'a'), plain), Errc::kInvalid);
}

void times_are_read_as_tables_write_them() {
  const auto at = [](const char* text) { return iso8601_ms(CHECK_OK(parse_legacy_time(text))); };
  for (const char* text : {"2026-01-31 09:30:00.123", "2026-01-31T09:30:00.123456Z", "2026-01-31 11:30:00.123+02",
                           "2026-01-31T04:00:00.123-05:30", "2026-01-31 09:30:00.123 UTC", "1769851800123"}) {
    CHECK_EQ(at(text), "2026-01-31T09:30:00.123Z");
  }
  CHECK_EQ(at("1769851800"), "2026-01-31T09:30:00.000Z");
  CHECK_EQ(at("2026-01-31"), "2026-01-31T00:00:00.000Z");
  for (const char* text : {"", "now", "31.01.2026", "2026-02-30 00:00:00", "2026-01-31 09:30", "2026-01-31 09:30:00.",
                           "2026-01-31 09:30:00+2", "2026-01-31 09:30:00 CET", "0000-00-00 00:00:00",
                           "1969-12-31 00:00:00", "99999999999999999999", "-5"}) {
    CHECK_ERR(parse_legacy_time(text), Errc::kInvalid);
  }
}

void a_mistake_in_a_mapping_is_named() {
  const auto refused = [](const std::string& text, const std::string& words) {
    const auto mapping = parse_mapping(text);
    CHECK(!mapping);
    if (mapping.error().detail.find(words) == std::string::npos) CHECK_EQ(mapping.error().detail, words);
  };
  const std::string good = mapping_text(kUsual);
  CHECK_OK(parse_mapping(good));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  refused("{", "not valid JSON: line 1");
  refused("[]", "must be an object");
  refused(changed(R"("root")", R"("rot")"), R"("bytes.rot" is not known; there are: root, s3_prefix)");
  refused(changed(R"("/r")", R"("r")"), R"("bytes.root" must be a whole path)");
  refused(changed(R"("root": "/r")", R"("root": "/r", "s3_prefix": "x/")"), "either root");
  refused(changed(R"("copy")", R"("move")"), R"("mode" must be)");
  refused(changed(R"(, "mode": "copy")", ""), R"("mode" is missing)");
  refused(changed(R"("file.url")", R"("url")"), R"("fields.path" must be like)");
  refused(changed(R"("row.id")", R"("row")"), R"("fields.message_id" must be like)");
  refused(changed(R"("row.files")", "null"), R"(names a file of a list)");
  refused(changed(R"("jsonl": {"path": "/x"})", ""), "must have one of");
  refused(changed(R"("jsonl": {"path": "/x"})", R"("csv": {"path": "/x", "dialect": "excel"})"), "source.csv.dialect");
  refused(changed(R"("jsonl": {"path": "/x"})", R"("csv": {"path": "/x", "delimiter": "||"})"), "one character");
  refused(changed(R"("jsonl": {"path": "/x"})", R"("postgresql": {"query": "SELECT 1; DROP TABLE x", "key": "id"})"),
          "without a semicolon");
  refused(changed(R"("jsonl": {"path": "/x"})", R"("postgresql": {"query": "SELECT 1;"})"), "postgresql.key");
  refused(changed(R"("name": "m")", R"("name": "m m")"), "63 letters");
  refused(changed("true", "1"), "true or false");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(every_element_of_the_list_is_a_file),       CASE(a_list_may_be_text_or_lie_deeper_or_be_one_file),
      CASE(no_list_is_no_trouble_and_a_broken_one_is), CASE(one_bad_file_keeps_no_other_back),
      CASE(a_file_of_no_message_is_not_taken),         CASE(no_path_leads_out_however_it_is_spelled),
      CASE(times_are_read_as_tables_write_them),       CASE(a_mistake_in_a_mapping_is_named),
  };
  return RUN_TESTS("legacy_record", tests);
}
