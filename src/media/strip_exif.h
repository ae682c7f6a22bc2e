// strip_exif.h — Exif without positions, serial numbers and owners, at its own length.
//
// Source   Exif 2.32 (CIPA DC-008), TIFF 6.0, DNG 1.6 for names of tags; ExifTool's tables for what cameras write.
// Shape    a block from "II*\0" or "MM\0*" on. Entries are taken out of their folders (IFDs), which close ranks;
// nothing
//          that is kept moves, so no offset changes. Whatever no kept entry refers to becomes zeros: what a program
//          that edited the file before left behind, too.
// Gone     kGps: the GPS folder, serial numbers, owners, maker notes (nobody can look into them, and they name the
//          device), private data of raw converters, geographic tags of TIFF; entries that lead out of the block. XMP
//          and Photoshop resources in it are stripped as such, and so is a thumbnail.
//          kAll: everything but the orientation.
// Errors   none: a block that is no TIFF loses all but its orientation.
// Cost     a block's bytes are copied at most a few times, whatever its entries say.
#pragma once

#include <string>
#include <string_view>

#include "domain/strip_ports.h"

namespace cloakroom {

std::string stripped_exif(std::string_view exif, StripMode mode, unsigned depth = 0);
// Of the same length, with the orientation of `exif` alone, as far as one can be found. Zeros where there is no room.
std::string bare_exif(std::string_view exif);

}  // namespace cloakroom
