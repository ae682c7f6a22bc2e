// access.h — who may do what with an attachment. The only place where the rule stands.
//
// Rule     read    the service; the uploader; once linked, the members of its dialog; whom the application lets in
//          bytes   who may read; a signed link to this file; with VISIBILITY=public everybody. A file in quarantine:
//                  nobody, and what is known about it is for the service alone
//          change  (link, remove) the service on the uploader's behalf and the uploader, while it is unlinked; what is
//                  in quarantine only the service removes
// Cloak    whoever may not read gets kNotFound, the same error as for an id that never was. Only those who may read
//          can learn more: kDenied (not yours to change), kConflict (linked already).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/ports.h"

namespace cloakroom {

// A signed link that was checked: it names this file, and holds for this request until then.
struct FileLink {
  Uuid id;
  TimePoint expires;
};

struct Caller {
  enum class Kind { kUser, kService };
  Kind kind = Kind::kUser;
  // The user, or the one on whose behalf the service acts; empty: the service for itself, or nobody we know.
  std::optional<std::string> user_id;
  // The one file that the application lets this user read for the time of this request, by nginx's word.
  std::optional<Uuid> granted_id = {};
  std::optional<FileLink> link = {};

  bool is_service() const { return kind == Kind::kService; }
};

// Of a whole instance (VISIBILITY), never of a single file.
enum class Visibility { kPrivate, kPublic };

// The one error for "not there" and "not yours".
Error cloaked();

// What is known about a file.
bool may_read(const Caller& caller, const ReadableAttachment& found);
Status check_read(const Caller& caller, const std::optional<ReadableAttachment>& found);
// The bytes: public ones are for everybody who knows the id, also without an identity.
Status check_read_file(Visibility visibility, const Caller& caller, const std::optional<ReadableAttachment>& found);
// Where an address also names a dialog, it must be the file's own. REQUIRES: the caller may read it.
Status check_dialog(std::string_view dialog_id, const Attachment& attachment);
// A link gives the bytes to whoever has it: who may read them may make one. A link is not enough, nor is a public file.
Status check_make_link(const Caller& caller, const std::optional<ReadableAttachment>& found);
Status check_remove(const Caller& caller, const std::optional<ReadableAttachment>& found);

}  // namespace cloakroom
