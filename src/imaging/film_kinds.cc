// film_kinds.cc — the table of types and demuxers.
#include "imaging/film_kinds.h"

#include <algorithm>
#include <array>

namespace cloakroom {
namespace {

constexpr std::string_view kMov = "mov", kMatroska = "matroska";

// Transport streams (video/mp2t) are not among them: libmagic does not know them.
constexpr std::array kKinds{
    FilmKind{"video/mp4", kMov},
    FilmKind{"video/x-m4v", kMov},
    FilmKind{"video/quicktime", kMov},
    FilmKind{"video/3gpp", kMov},
    FilmKind{"video/3gpp2", kMov},
    FilmKind{"audio/mp4", kMov},
    FilmKind{"audio/x-m4a", kMov},
    FilmKind{"audio/3gpp", kMov},
    FilmKind{"video/webm", kMatroska},
    FilmKind{"audio/webm", kMatroska},
    FilmKind{"video/x-matroska", kMatroska},
    FilmKind{"audio/x-matroska", kMatroska},
    FilmKind{"video/ogg", "ogg"},
    FilmKind{"audio/ogg", "ogg"},
    FilmKind{"video/x-msvideo", "avi"},
    FilmKind{"video/vnd.avi", "avi"},
    FilmKind{"video/mpeg", "mpeg"},
    FilmKind{"video/x-flv", "flv"},
    FilmKind{"video/x-ms-asf", "asf"},
    FilmKind{"audio/mpeg", "mp3"},
    FilmKind{"audio/aac", "aac"},
    FilmKind{"audio/x-hx-aac-adts", "aac"},
    FilmKind{"audio/flac", "flac"},
    FilmKind{"audio/x-flac", "flac"},
    FilmKind{"audio/wav", "wav"},
    FilmKind{"audio/x-wav", "wav"},
    FilmKind{"audio/vnd.wave", "wav"},
    FilmKind{"audio/x-aiff", "aiff"},
    FilmKind{"audio/amr", "amr"},
    FilmKind{"audio/AMR", "amr"},
};

}  // namespace

Result<FilmKind> film_kind_of(std::string_view mime_type) {
  const auto* found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const FilmKind& k) { return k.mime_type == mime_type; });
  if (found == kKinds.end()) return Error{Errc::kUnsupportedType, "it is neither a film nor a sound"};
  return *found;
}

}  // namespace cloakroom
