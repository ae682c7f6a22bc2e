// kinds.h — which types have pictures, and the one loader of libvips that may open each.
//
// Rule     The type comes from libmagic. What libvips would choose by its own look must be the loader in the table, or
//          the file is refused: one that two readers take for two things is made for mischief.
// Errors   kUnsupportedType  not in the table
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

inline constexpr std::string_view kOwnReader = "bmp";                         // imaging/bmp
inline constexpr std::string_view kJpegLoader = "VipsForeignLoadJpegSource";  // before it, where it can: imaging/jpeg

struct ImageKind {
  std::string_view mime_type;
  std::string_view loader;      // class of libvips, such as "VipsForeignLoadPngSource"; or kOwnReader
  bool can_move = false;        // its pages are frames
  bool has_many_pages = false;  // of which the first is shown
  bool is_drawn = false;        // by a program in the file, not from pixels: only time can limit it
  bool is_paper = false;        // what is transparent in it lies on white
};

Result<ImageKind> kind_of(std::string_view mime_type);

// Loaders that libvips blocks for strangers' files and that are used all the same. Why each: kinds.cc.
std::span<const char* const> deliberately_trusted();

}  // namespace cloakroom
