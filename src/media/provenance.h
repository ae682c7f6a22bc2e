// provenance.h — whether a manifest of provenance (C2PA) tells where a picture was taken, or with which device.
//
// Source   C2PA 2.1, section "Metadata assertions": Exif names as they are, in JSON-LD or CBOR, not compressed.
// Rule     a manifest cannot be edited, it is signed; so it stays or goes whole.
#pragma once

#include <string>
#include <string_view>

#include "media/pieces.h"

namespace cloakroom {

// Looks for names of positions and serial numbers. Pieces that follow each other are shown one after the other.
class ProvenanceSearch {
 public:
  void show(std::string_view bytes);
  bool has_found() const { return has_found_; }

 private:
  std::string last_ = {};
  bool has_found_ = false;
};

// In these bytes of the file.
Result<bool> has_secret_provenance(Pieces& in, std::uint64_t offset, std::uint64_t size);

}  // namespace cloakroom
