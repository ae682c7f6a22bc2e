// honest_name.h — a file's name may not claim to be what its bytes are not. Pure.
//
// Rule     the bytes decide; a last extension that says otherwise gets the right one appended, nothing is taken away.
//          Only extensions that claim something are judged, others may stand beside any bytes:
//            pictures (png, jpg …), sound and film (mp3, mp4 …), pdf   must be of that family
//            markup and scripts (html, svg, js, bat …)                 must not be a picture, sound, film, PDF or ZIP
//            programs and archives (exe, jar …)                        must not be a picture, sound, film or PDF
//          Appended is the usual extension of pictures, sound, film and PDF; else "txt" for text, HTML and SVG too, and
//          "bin" for all else: what lies is not made easier to run.
//          "x.png" holding HTML -> "x.png.txt"; "x.js" holding a GIF (that may also be a script) -> "x.js.gif".
// Bytes    of which nothing is known (application/octet-stream, text/plain) contradict no name.
#pragma once

#include <string>
#include <string_view>

namespace cloakroom {

// `filename` as clean_filename made it, and so is the result; `sniffed` is what the bytes are, lower case.
std::string honest_filename(std::string_view filename, std::string_view sniffed);

}  // namespace cloakroom
