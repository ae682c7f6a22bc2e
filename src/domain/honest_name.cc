// honest_name.cc — what extensions claim, in five short lists.
#include "domain/honest_name.h"

#include <algorithm>
#include <array>

#include "domain/attachment.h"
#include "domain/filename.h"

namespace cloakroom {
namespace {

enum class Family { kNone, kPicture, kSoundOrFilm, kPdf, kText, kScript, kProgram, kZip };

struct Claim {
  Family family;
  std::string_view extensions;  // between blanks
};
constexpr std::array kClaims{
    Claim{Family::kPicture, " png apng jpg jpeg jpe jfif gif webp avif bmp ico tif tiff heic heif "},
    Claim{Family::kSoundOrFilm, " mp3 m4a aac ogg oga opus wav flac mp4 m4v webm mov mkv avi ogv 3gp "},
    Claim{Family::kPdf, " pdf "},
    Claim{Family::kText, " txt csv log "},
    Claim{Family::kScript,
          " html htm xhtml xht shtml mht mhtml svg svgz xml xsl xslt js mjs css hta bat cmd vbs vbe wsf wsh ps1 url "
          "reg sh py php "},
    Claim{Family::kProgram, " exe com scr pif cpl msi dll jar apk swf lnk zip "}};

struct Usual {
  std::string_view type, extension;
};
constexpr std::array kUsual = std::to_array<Usual>(
    {{"image/png", "png"},       {"image/apng", "png"},          {"image/jpeg", "jpg"},
     {"image/gif", "gif"},       {"image/webp", "webp"},         {"image/avif", "avif"},
     {"image/bmp", "bmp"},       {"image/x-ms-bmp", "bmp"},      {"image/vnd.microsoft.icon", "ico"},
     {"image/x-icon", "ico"},    {"image/tiff", "tif"},          {"image/heic", "heic"},
     {"image/heif", "heic"},     {"audio/mpeg", "mp3"},          {"audio/x-m4a", "m4a"},
     {"audio/mp4", "m4a"},       {"audio/x-hx-aac-adts", "aac"}, {"audio/ogg", "ogg"},
     {"audio/x-wav", "wav"},     {"audio/flac", "flac"},         {"video/mp4", "mp4"},
     {"video/x-m4v", "m4v"},     {"video/webm", "webm"},         {"video/ogg", "ogv"},
     {"video/quicktime", "mov"}, {"application/pdf", "pdf"}});

Family claim_of(std::string_view extension) {
  const std::string wanted = " " + std::string(extension) + " ";
  const auto* found = std::find_if(kClaims.begin(), kClaims.end(),
                                   [&](const Claim& c) { return c.extensions.find(wanted) != std::string_view::npos; });
  return found == kClaims.end() ? Family::kNone : found->family;
}

Family family_of(std::string_view type) {
  if (type == "image/svg+xml" || type.starts_with("text/") || type == "application/xml" ||
      type == "application/xhtml+xml" || type == "application/json" || type == "application/javascript")
    return Family::kText;
  if (type.starts_with("image/")) return Family::kPicture;
  if (type.starts_with("audio/") || type.starts_with("video/") || type == "application/ogg")
    return Family::kSoundOrFilm;
  if (type == "application/pdf") return Family::kPdf;
  if (type == "application/zip") return Family::kZip;
  return Family::kNone;
}

// What libmagic calls bytes of which it knows nothing, or nothing but that they are text.
bool is_unknown(std::string_view type) {
  return type == "application/octet-stream" || type == "text/plain" || type == "inode/x-empty";
}

bool is_shown(Family family) {
  return family == Family::kPicture || family == Family::kSoundOrFilm || family == Family::kPdf;
}

bool agrees(Family claim, Family bytes) {
  if (claim == Family::kNone || claim == bytes) return true;
  if (is_shown(claim)) return false;
  if (claim == Family::kProgram) return !is_shown(bytes);
  return !is_shown(bytes) && bytes != Family::kZip;
}

std::string_view usual_extension(std::string_view type, Family family) {
  const auto* known = std::find_if(kUsual.begin(), kUsual.end(), [&](const Usual& u) { return u.type == type; });
  if (known != kUsual.end()) return known->extension;
  return family == Family::kText ? "txt" : "bin";
}

}  // namespace

std::string honest_filename(std::string_view filename, std::string_view sniffed) {
  std::string name(filename);
  if (is_unknown(sniffed)) return name;
  const Family bytes = family_of(sniffed);
  // Windows takes dots off the end when it saves
  const std::string_view shown = filename.substr(0, filename.find_last_not_of(". ") + 1);
  if (agrees(claim_of(extension_of(shown)), bytes)) return name;
  name += '.';
  name += usual_extension(sniffed, bytes);
  return clean_filename(name);  // it may have become too long
}

}  // namespace cloakroom
