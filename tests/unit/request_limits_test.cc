// request_limits_test.cc — the maxima of a request, one table: as much is taken, one more is not. base/limits.h names
// them.
//
// Others have tests beside their code: parts, boundaries and part headers in multipart_test, file names in
// filename_test, tokens in jwt_test, ranges in range_test, what stores answer in tests/contract.
#include <string>

#include "base/limits.h"
#include "check.h"
#include "fake/direct.h"
#include "fake/service.h"

using namespace cloakroom;
using fake::Service;

namespace {

std::string of(std::size_t count, char c = 'a') {
  return std::string(count, c);
}

// `[one,one,…]`, count times.
std::string list_of(std::size_t count, const std::string& one) {
  std::string text = "[";
  for (std::size_t i = 0; i < count; ++i) text.append(i == 0 ? "" : ",").append(one);
  return text + "]";
}

std::string form(const std::string& field) {
  return "--B\r\nContent-Disposition: form-data; name=\"dialog_id\"\r\n\r\n" + field +
         "\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nx\r\n--B--\r\n";
}

void an_id_has_so_many_bytes_and_no_more() {
  Service s;
  const auto members = [&](const std::string& dialog, const std::string& member) {
    return s.ask("service", "PUT /api/dialogs/" + dialog + "/members", "[\"" + member + "\"]").status;
  };
  const auto put = [&](const std::string& dialog) {
    return s.ask("service", "PUT /api/upload/a?dialog_id=" + dialog, "x").status;
  };
  const std::string most = of(limits::kForeignIdBytes), more = of(limits::kForeignIdBytes + 1);
  CHECK_EQ(members(most, most), 200);
  CHECK_EQ(members(more, "a"), 404);
  CHECK_EQ(members("d", more), 400);
  CHECK_EQ(put(most), 201);
  CHECK_EQ(put(more), 400);
  CHECK_EQ(s.ask("", "GET /api/attachments?status=uploaded", {}, {{"REMOTE_USER", most}}).status, 200);
  CHECK_EQ(s.ask("", "GET /api/attachments?status=uploaded", {}, {{"REMOTE_USER", more}}).status, 401);
}

void a_path_and_a_query_have_so_many_bytes_and_no_more() {
  Service s;
  const auto query = [&](std::size_t size) {
    return s
        .ask("alice", "GET /api/attachments?status=uploaded&x=" + of(size - std::string("status=uploaded&x=").size()))
        .status;
  };
  CHECK_EQ(query(limits::kQueryBytes), 200);
  CHECK_EQ(query(limits::kQueryBytes + 1), 400);
  const auto put = [&](std::size_t size) {
    return s.ask("alice", "PUT /api/upload/" + of(size - std::string("/api/upload/").size()), "x").status;
  };
  CHECK_EQ(put(limits::kPathBytes), 201);
  CHECK_EQ(put(limits::kPathBytes + 1), 404);
}

void a_field_has_so_many_bytes_and_no_more() {
  Service s;
  s.app.options.bodies.max_request_bytes = 100'000;
  const auto answer = [&](std::size_t size) {
    return s.ask("alice", "POST /api/upload", form(of(size)), {{"CONTENT_TYPE", "multipart/form-data; boundary=B"}});
  };
  CHECK_EQ(answer(limits::kForeignIdBytes).status, 201);
  CHECK_EQ(member(answer(limits::kFieldBytes), "detail"), "The field dialog_id is not a usable id.");
  CHECK_EQ(member(answer(limits::kFieldBytes + 1), "detail"), "The field 'dialog_id' is too long.");
}

void json_has_so_many_bytes_and_no_more() {
  Service s;
  s.app.options.bodies.max_request_bytes = 1ULL << 30;
  const auto put = [&](std::size_t size) {
    return s.ask("service", "PUT /api/dialogs/d/members", "[]" + of(size - 2, ' ')).status;
  };
  CHECK_EQ(put(limits::kJsonBodyBytes), 200);
  CHECK_EQ(put(limits::kJsonBodyBytes + 1), 413);
}

void a_dialog_has_so_many_members_and_no_more() {
  Service s;
  const auto put = [&](std::size_t count) {
    return s.ask("service", "PUT /api/dialogs/d/members", list_of(count, "1")).status;
  };
  CHECK_EQ(put(limits::kDialogMembers), 200);
  CHECK_EQ(put(limits::kDialogMembers + 1), 400);
}

void a_batch_has_so_many_ids_and_no_more() {
  Service s;
  const auto read = [&](std::size_t count) {
    std::string ids;
    for (std::size_t i = 0; i < count; ++i) ids += "m,";
    return s.ask("service", "GET /api/attachments?message_ids=" + ids).status;
  };
  CHECK_EQ(read(limits::kBatchIds), 200);
  CHECK_EQ(read(limits::kBatchIds + 1), 400);
  const auto link = [&](std::size_t count) {
    const std::string ids = list_of(count, "\"0198c0de-beef-7abc-89ab-0123456789ab\"");
    return s.ask("alice", "POST /api/attachments/link", R"({"message_id":"m","attachment_ids":)" + ids + "}").status;
  };
  CHECK(link(limits::kBatchIds) != 400);
  CHECK_EQ(link(limits::kBatchIds + 1), 400);
}

void a_list_of_own_uploads_has_an_end() {
  Service s;
  for (std::size_t i = 0; i < limits::kListRows + 1; ++i) s.add("x");
  CHECK_EQ(list_size(s.ask("alice", "GET /api/attachments?status=uploaded")), limits::kListRows);
}

void so_many_parts_are_signed_at_once_and_no_more() {
  Service s({.new_files = StoreKind::kS3});
  fake::FakeDirectRows tickets(s.rows);
  fake::FakeDirectStore store;
  DirectUploads uploads(
      {s.rows, tickets, s.s3, store, s.sniffer, s.clock},
      {.keys = {}, .max_file_bytes = 1'000'000, .allowed_types = {}, .object_cache_control = {}, .orphan_grace = {}},
      {.part_bytes = 20});
  s.app.direct_uploads = &uploads;
  CHECK_EQ(s.ask("alice", "POST /api/direct-uploads", R"({"filename":"a","size":10000})").status, 201);
  const std::string parts = "POST /api/direct-uploads/" + to_string(tickets.uploads.back().id) + "/parts";
  const auto sign = [&](std::size_t count) {
    return s.ask("alice", parts, R"({"part_numbers":)" + list_of(count, "1") + "}").status;
  };
  CHECK_EQ(sign(limits::kSignedParts), 200);
  CHECK_EQ(sign(limits::kSignedParts + 1), 400);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(an_id_has_so_many_bytes_and_no_more),      CASE(a_path_and_a_query_have_so_many_bytes_and_no_more),
      CASE(a_field_has_so_many_bytes_and_no_more),    CASE(json_has_so_many_bytes_and_no_more),
      CASE(a_dialog_has_so_many_members_and_no_more), CASE(a_batch_has_so_many_ids_and_no_more),
      CASE(a_list_of_own_uploads_has_an_end),         CASE(so_many_parts_are_signed_at_once_and_no_more),
  };
  return RUN_TESTS("request_limits", tests);
}
