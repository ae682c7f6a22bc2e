// filename.h — makes a file name that came from outside fit to be stored, shown and sent in a header. Pure.
//
// Result   UTF-8 in NFC, never empty, at most limits::kFilenameBytes, no control characters, nothing that hides or
// turns
//          the reading around (bidi controls, zero-width characters, fillers), no '/' or '\\', not "." or "..". What a
//          script or an emoji is spelled with stays where it spells: joiners between characters that are not ASCII,
//          variation selectors after such, tags after U+1F3F4. A name that fits already comes back unchanged.
// Path     "C:\\dir\\x.jpg" (old browsers send it) gives "x.jpg"; other separators become '_', so that nothing is lost.
// Length   The stem is cut where a reader sees the end of a character; an extension of up to 31 bytes stays.
// Bytes    Each that is not part of well-formed UTF-8 becomes '_'. The middle of a name of more than
//          limits::kRawNameBytes is dropped first.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

std::string clean_filename(std::string_view raw);

}  // namespace cloakroom
