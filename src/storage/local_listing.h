// local_listing.h — the files of a local store, sorted by the bytes of their keys, folder by folder.
//
// Shape    as LocalStore lays them out; nothing of temporary names and spooled bodies (folders of the root whose names
//          begin with a dot), nor of what other nodes keep below .kept/. Links to files count as files, links to
//          folders are not followed.
// Order    within a folder by name, a folder's with its slash: "a.txt" comes before what is in "a/".
// Memory   `names_at_once` names for each level of folders: a larger folder is read several times, each time for the
//          smallest names that were not given yet. 36 bytes a name or so.
// Errors   kNotFound no such root; kInternal a folder or a file that cannot be looked at. What vanishes meanwhile is
//          passed over.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "domain/audit_ports.h"

namespace cloakroom {

struct LocalListingOptions {
  std::string root;
  std::string kept_prefix = {};  // ".kept/node/": of this node; empty: what is kept is left out
  std::size_t names_at_once = 50'000;
};

class LocalListing final : public ObjectListing {
 public:
  explicit LocalListing(LocalListingOptions options);

  Result<std::optional<ListedObject>> next() override;
  TimePoint now() const override { return system_now(); }

 private:
  struct Level {
    std::string prefix;              // "" or ends in '/'
    std::vector<std::string> names;  // largest first; those of folders end in '/'
    std::string last = {};           // all up to this one were read
    bool has_more = true;
  };

  Status read(Level& level);
  bool is_wanted(const std::string& prefix, const std::string& name) const;

  LocalListingOptions options_;
  std::vector<Level> levels_;
};

}  // namespace cloakroom
