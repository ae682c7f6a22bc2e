// heif_items.h — the items of a HEIF file that are no pictures: their kinds, and where their bytes lie.
//
// Source   ISO/IEC 14496-12: iinf (8.11.6), iloc (8.11.3); ISO/IEC 23008-12, annex A (Exif, XMP).
// Limits   a meta box of limits::kStripBlockBytes, limits::kHeifItems items and extents.
// Errors   none but the file's: a meta box that cannot be understood says so in `unread`.
#pragma once

#include <string>
#include <vector>

#include "media/boxes.h"

namespace cloakroom {

struct HeifExtent {
  std::uint64_t at = 0, size = 0;  // within the file
};

struct HeifItem {
  std::uint32_t id = 0;
  std::string type = {};          // "Exif", "mime", "uri "
  std::string content_type = {};  // of a mime item
  bool is_encoded = false;        // compressed, say
  std::vector<HeifExtent> extents = {};
};

struct HeifItems {
  std::vector<HeifItem> items;
  std::string unread;  // empty: all of it was understood
};

// Of the meta box `meta`; items of other kinds than those three are left out.
Result<HeifItems> read_heif_items(Pieces& in, const Box& meta);

}  // namespace cloakroom
