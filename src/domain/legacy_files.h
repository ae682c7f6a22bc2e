// legacy_files.h — files of an old application by the addresses that they had: what was taken over, and what was not
// yet.
//
// Rule     a path in the book of the backfill means its attachments, and them alone: when they are deleted it means
//          nothing, whatever still lies in the old folder. Any other path means a file in that folder, for the service
//          and for those whom LEGACY_FALLBACK_ACCESS names.
// Errors   kNotFound (cloaked) for all that is not there or not for this caller
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "domain/access.h"
#include "domain/backfill_ports.h"

namespace cloakroom {

enum class LegacyAccess { kService, kGranted, kUsers, kPublic };
LegacyAccess parse_legacy_access(std::string_view word);  // of the settings

// Errors   kDatabase
class LegacyAddresses {
 public:
  virtual ~LegacyAddresses() = default;
  // Of those that were made of this path, at most `most`; also of attachments that are gone by now.
  virtual Result<std::vector<Uuid>> ids_of(const std::string& path, std::size_t most) = 0;
};

// Who may read what was not taken over yet. `is_granted`: the application said so of this very request.
Status check_read_legacy(LegacyAccess access, const Caller& caller, bool is_granted);

// A file as it would be an attachment: name and type by the rules of uploads, validators by what the disk says of it.
struct LegacyOpened {
  Attachment as_attachment;
  std::shared_ptr<const UniqueFd> file;
};

class LegacyFiles {
 public:
  LegacyFiles(LegacyStore& store, Sniffer& sniffer) : store_(store), sniffer_(sniffer) {}  // borrowed

  Result<LegacyOpened> open(const ObjectKey& path);

 private:
  LegacyStore& store_;
  Sniffer& sniffer_;
};

// Sends exactly this range of an open file.
Status send_file(int fd, const ByteRange& range, ByteSink& sink);

}  // namespace cloakroom
