// pictures.h — what a look at a file tells about its picture, and that the look costs nobody his upload.
//
// Asked    for files of the types that a decoder knows (imaging/kinds.cc, film_kinds.cc): pictures, PDF, films, sounds.
// Rule     an Imager that is away or finds no picture changes nothing for the uploader: the row says less, the log why.
//          What is broken, or a bomb, is marked (Picture::kNone) and no decoder gets it again.
// Log      picture.refused, picture.not_looked_at: id, type, detail
#pragma once

#include <span>
#include <string_view>

#include "base/file.h"
#include "domain/attachment.h"
#include "domain/image_ports.h"

namespace cloakroom {

bool may_have_picture(std::string_view mime_type);
// Whether what is counted in it are frames, not sheets.
bool may_move(std::string_view mime_type);
std::span<const std::string_view> picture_types();  // those for which it says yes: the one list of them
// Whether it is about the picture, and for ever; a process that ended over it may have been short of time or memory.
bool is_verdict(const Error& error);
// Whether that is how a look or a rendering ended.
bool is_death(const Error& error);

// Fills what the row has for it, and `wants_variants` unless it is known that there will be none.
void look_at_picture(Imager& imager, const FileRange& bytes, Attachment& attachment);
// The same for whoever wants to know why it did not help: the Imager's error, a verdict among them.
Status learn_of_picture(Imager& imager, const FileRange& bytes, Attachment& attachment);

}  // namespace cloakroom
