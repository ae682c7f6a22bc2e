// legacy_files.h — files of an old application by the addresses that they had: what was taken over, and what was not
// yet.
//
// Rule     a path in the book of the backfill means its attachments, and them alone: when they are deleted it means
//          nothing, whatever still lies in the old folder. Any other path means a file in that folder, for the service
//          and for those whom LEGACY_FALLBACK_ACCESS names. That folder may lie within our own store's: what is stored
//          there under a name of ours is none of the old application's.
// Errors   kNotFound (cloaked) for all that is not there or not for this caller
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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

// The old folder as the local store sees it.
struct PlaceInStore {
  std::string prefix;      // of a path, to make its key: "" or "legacy/"
  std::string key_prefix;  // of our own keys
};

class LegacyFiles {
 public:
  // Store and sniffer are borrowed. `place`: nothing when the folder lies elsewhere.
  LegacyFiles(LegacyStore& store, Sniffer& sniffer, std::optional<PlaceInStore> place = {})
      : store_(store), sniffer_(sniffer), place_(std::move(place)) {}

  Result<LegacyOpened> open(const ObjectKey& path);

 private:
  bool is_ours(const ObjectKey& path) const;

  LegacyStore& store_;
  Sniffer& sniffer_;
  std::optional<PlaceInStore> place_;
};

// Sends exactly this range of an open file.
Status send_file(int fd, const ByteRange& range, ByteSink& sink);

}  // namespace cloakroom
