// external_rows.cc — the statement of PgRows that keeps a file which lives elsewhere.
#include "db/attachments.h"

namespace cloakroom {
namespace {

constexpr Statement kAddExternal{
    "add_external",
    "INSERT INTO attachments (id, status, uploader_id, dialog_id, message_id, account_id, filename, mime_type,"
    " external_url, created_at, linked_at)"
    " VALUES ($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text, $8::text, $9::text,"
    " $10::timestamptz, CASE WHEN $5::text IS NOT NULL THEN $10::timestamptz END)"};

}  // namespace

Status PgRows::add_external(const Attachment& a) {
  Params params;
  params.uuid(a.id).text(to_string(a.status)).text(a.uploader_id).text(a.dialog_id).text(a.message_id);
  params.text(a.account_id).text(a.filename).text(a.mime_type).text(a.external_url).time(a.created_at);
  TRY(database_.run(kAddExternal, params));
  return Ok{};
}

}  // namespace cloakroom
