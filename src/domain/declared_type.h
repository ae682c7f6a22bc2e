// declared_type.h — whether a file may honestly be called what its sender called it.
//
// Rule     what the bytes are decides what is kept; this only tells a lie from a difference of opinion.
//            application/octet-stream     claims nothing: any bytes
//            image/*, pdf                 their bytes always show it: the same family (image), the same type (pdf)
//            audio/*, video/*             audio, video (one container serves both) or bytes that nobody knows
//            text/*                       any text
//            all else                     anything but pictures, sound, HTML and programs
#pragma once

#include <string_view>

namespace cloakroom {

// Both lower case, without parameters.
bool type_agrees(std::string_view declared, std::string_view sniffed);

}  // namespace cloakroom
