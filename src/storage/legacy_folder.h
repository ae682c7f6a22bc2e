// legacy_folder.h — the files of an old application below one folder. Read only.
//
// Rule     a path leads to a regular file below the folder, and nowhere else: not through symbolic links, whoever made
//          them, nor to devices and pipes (openat2(2), RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS; Linux 5.6).
// Errors   kNotFound; kDenied without the right to read it; kInvalid it is no file, or a link is in the way
#pragma once

#include <optional>
#include <string>

#include "domain/backfill_ports.h"

namespace cloakroom {

class LegacyFolder final : public LegacyStore {
 public:
  static Result<LegacyFolder> make(const std::string& root);
  LegacyFolder(LegacyFolder&&) = default;

  Result<LegacyBytes> open(const ObjectKey& path) override;

 private:
  explicit LegacyFolder(UniqueFd root) : root_(std::move(root)) {}

  UniqueFd root_;
};

// Those below a prefix in the bucket of our own store.
class LegacyObjects final : public LegacyStore {
 public:
  LegacyObjects(BlobStore& store, std::string prefix) : store_(store), prefix_(std::move(prefix)) {}  // borrowed

  Result<LegacyBytes> open(const ObjectKey& path) override;

 private:
  BlobStore& store_;
  std::string prefix_;
};

// As the kernel knows it, without links.
Result<std::string> real_path(const std::string& path);
// Whether it is that folder or lies in it. REQUIRES: real paths.
bool lies_within(const std::string& path, const std::string& folder);
// What a path below `root` begins with as a key of the store in `store_root`: "" or "legacy/". Nothing: it lies
// elsewhere.
Result<std::optional<std::string>> prefix_in_store(const std::string& root, const std::string& store_root);

}  // namespace cloakroom
