// access.h — who may do what with an attachment. The only place where the rule stands.
//
// Rule     read    the service; the uploader; once linked, the members of its dialog
//                  with VISIBILITY=public the bytes are for everybody; what is known about them is not
//          change  (link, remove) the service on the uploader's behalf and the uploader, while it is unlinked
// Cloak    whoever may not read gets kNotFound, the same error as for an id that never was. Only those who may read
//          can learn more: kDenied (not yours to change), kConflict (linked already).
#pragma once

#include <string>

#include "base/result.h"
#include "domain/ports.h"

namespace cloakroom {

struct Caller {
  enum class Kind { kUser, kService };
  Kind kind = Kind::kUser;
  // The user, or the one on whose behalf the service acts; empty: the service for itself.
  std::optional<std::string> user_id;

  bool is_service() const { return kind == Kind::kService; }
};

// Of a whole instance (VISIBILITY), never of a single file.
enum class Visibility { kPrivate, kPublic };

// The one error for "not there" and "not yours".
Error cloaked();

bool may_read(const Caller& caller, const ReadableAttachment& found);
Status check_read(const Caller& caller, const std::optional<ReadableAttachment>& found);
// For the bytes alone: public ones are for everybody who knows the id, also without an identity.
Status check_read_file(Visibility visibility, const Caller& caller, const std::optional<ReadableAttachment>& found);
Status check_remove(const Caller& caller, const std::optional<ReadableAttachment>& found);

}  // namespace cloakroom
