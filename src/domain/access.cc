// access.cc — the rule of access.h as code.
#include "domain/access.h"

namespace cloakroom {
namespace {

bool is_uploader(const Caller& caller, const Attachment& attachment) {
  return caller.user_id.has_value() && attachment.uploader_id == caller.user_id;
}

bool is_quarantined(const Attachment& attachment) {
  return attachment.status == AttachmentStatus::kQuarantined;
}

}  // namespace

Error cloaked() {
  return Error{Errc::kNotFound, "absent or not the caller's"};
}

bool may_read(const Caller& caller, const ReadableAttachment& found) {
  if (caller.is_service()) return true;
  if (is_quarantined(found.attachment)) return false;
  if (is_uploader(caller, found.attachment)) return true;
  if (caller.user_id && caller.granted_id == found.attachment.id) return true;
  return found.attachment.status == AttachmentStatus::kLinked && found.caller_is_member;
}

Status check_read(const Caller& caller, const std::optional<ReadableAttachment>& found) {
  if (!found || !may_read(caller, *found)) return cloaked();
  return Ok{};
}

Status check_read_file(Visibility visibility, const Caller& caller, const std::optional<ReadableAttachment>& found) {
  if (!found || is_quarantined(found->attachment)) return cloaked();
  if (visibility == Visibility::kPublic) return Ok{};
  if (caller.link && caller.link->id == found->attachment.id) return Ok{};
  return check_read(caller, found);
}

Status check_dialog(std::string_view dialog_id, const Attachment& attachment) {
  if (attachment.dialog_id != dialog_id) return cloaked();
  return Ok{};
}

Status check_make_link(const Caller& caller, const std::optional<ReadableAttachment>& found) {
  if (found && is_quarantined(found->attachment)) return cloaked();
  return check_read(caller, found);
}

Status check_remove(const Caller& caller, const std::optional<ReadableAttachment>& found) {
  TRY(check_read(caller, found));
  if (is_quarantined(found->attachment)) return Ok{};  // the service: nobody else came so far
  if (!caller.is_service() && !is_uploader(caller, found->attachment)) {
    return refuse(Errc::kDenied, "Only the uploader may remove this attachment.");
  }
  if (found->attachment.status != AttachmentStatus::kUploaded) {
    return refuse(Errc::kConflict, "This attachment is linked to a message; delete the message instead.");
  }
  return Ok{};
}

}  // namespace cloakroom
