// quota.h — how much a user and a dialog may keep, and a place that an upload takes before its bytes come.
//
// Rule     a user's files are those he uploaded, wherever they are linked; a dialog's are those uploaded for it or
// linked
//          in it, whoever uploaded them. What the service uploads for itself is no user's. A file in quarantine counts.
// Place    is taken for all files of a request or for none, and is theirs until they have their rows or the upload was
//          given up; after a crash until its deletion ticket falls due. A direct upload has one of its announced size
//          until its ticket expires.
// Source   sql/008_quotas.sql: what is taken is counted there, so all nodes count together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cloakroom {

// 0: any number.
struct Quota {
  std::uint64_t bytes = 0, files = 0;
  bool is_on() const { return bytes > 0 || files > 0; }
};

struct QuotaRules {
  Quota user, dialog;
  bool any() const { return user.is_on() || dialog.is_on(); }
};

struct Usage {
  std::uint64_t bytes = 0, files = 0;
};

// What an upload asks for. Without rules nothing is asked, and nothing is held.
struct RoomRequest {
  QuotaRules rules = {};
  std::optional<std::string> uploader_id = {}, dialog_id = {};
  bool by_service = false;                // a user must be a member of the dialog, once it is registered
  std::vector<std::uint64_t> sizes = {};  // one a file, in bytes
};

}  // namespace cloakroom
