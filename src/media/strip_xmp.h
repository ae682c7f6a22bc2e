// strip_xmp.h — XMP packets without positions, serial numbers and owners, at their own length.
//
// Source   XMP 1 (ISO 16684-1), section 7: RDF/XML, properties as attributes or as elements.
// Shape    an attribute or a whole element whose name is a secret's becomes spaces, whatever its prefix, so the packet
//          stays well-formed; so do comments. kAll: an empty packet.
// Errors   none: what is no XML in UTF-8, or has a DTD, becomes an empty packet.
#pragma once

#include <string>
#include <string_view>

#include "domain/strip_ports.h"

namespace cloakroom {

std::string stripped_xmp(std::string_view packet, StripMode mode);
// A packet that says nothing, padded with spaces; only spaces where there is no room.
std::string empty_xmp(std::size_t size);
// Does a property of this name ("exif:GPSLatitude", "Camera Serial Number") say where or whose?
bool is_secret_name(std::string_view name);

}  // namespace cloakroom
