// declared_type.cc — the rule of declared_type.h as code.
#include "domain/declared_type.h"

#include <algorithm>
#include <array>

namespace cloakroom {
namespace {

constexpr std::string_view kUnknown = "application/octet-stream";
// What libmagic calls text that has a name of its own.
constexpr std::array<std::string_view, 7> kTextual{"application/json",       "application/xml",      "application/csv",
                                                   "application/javascript", "application/x-ndjson", "image/svg+xml",
                                                   "message/rfc822"};
constexpr std::array<std::string_view, 7> kPrograms{
    "application/x-dosexec",   "application/x-executable",  "application/x-pie-executable",
    "application/x-sharedlib", "application/x-mach-binary", "application/vnd.microsoft.portable-executable",
    "application/x-msdownload"};

template <class Table>
bool holds(const Table& table, std::string_view type) {
  return std::find(table.begin(), table.end(), type) != table.end();
}

bool is_image(std::string_view type) {
  return type.starts_with("image/");
}
bool is_sound_or_video(std::string_view type) {
  return type.starts_with("audio/") || type.starts_with("video/");
}

}  // namespace

bool type_agrees(std::string_view declared, std::string_view sniffed) {
  if (declared == sniffed || declared == kUnknown) return true;
  if (is_image(declared)) return is_image(sniffed);
  if (declared == "application/pdf") return false;
  if (is_sound_or_video(declared)) return is_sound_or_video(sniffed) || sniffed == kUnknown;
  if (declared.starts_with("text/")) return sniffed.starts_with("text/") || holds(kTextual, sniffed);
  if (holds(kPrograms, sniffed)) return holds(kPrograms, declared);
  if (sniffed == "text/html") return declared == "application/xhtml+xml";
  return !is_image(sniffed) && !is_sound_or_video(sniffed);
}

}  // namespace cloakroom
