// strip_xmp.cc — goes from tag to tag; no tree is built.
#include "media/strip_xmp.h"

#include <algorithm>
#include <array>

#include "base/encode.h"

namespace cloakroom {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): clang-tidy 14 sees no literals

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::array kSecretParts{"serialnumber"sv, "latitude"sv, "longitude"sv, "longtitude"sv,  // as DJI writes it
                                  "altitude"sv,     "iso6709"sv,  "geohash"sv,   "makernote"sv};
constexpr std::array kSecretNames{"ownername"sv, "cameraownername"sv, "lat"sv, "lon"sv, "long"sv};
// Pictures in base64 within the packet, with Exif of their own; and the digest of a second packet, which is gone.
constexpr std::array kHiding{"GDepth:Data"sv, "GImage:Data"sv, "xmpGImg:image"sv, "xmpNote:HasExtendedXMP"sv};

bool is_gone(std::string_view name) {
  return is_secret_name(name) || std::find(kHiding.begin(), kHiding.end(), name) != kHiding.end();
}

class Xmp {
 public:
  explicit Xmp(std::string_view in) : in_(in), out_(in) {}

  bool run();
  std::string take() { return std::move(out_); }

 private:
  struct Tag {
    std::string_view name;
    std::size_t end = 0;  // behind its ">"
    bool is_closed = false;
  };
  // `begin` is that of a "<". False: it is no start tag. With `blank` secret attributes go.
  bool read_tag(std::size_t begin, Tag& tag, bool blank);
  // Behind what `text` ends, from `from` on; npos.
  std::size_t behind(std::string_view text, std::size_t from) const {
    const std::size_t at = in_.find(text, from);
    return at == std::string_view::npos ? at : at + text.size();
  }
  // Behind a comment, an instruction, a CDATA section or an end tag at `begin`; npos: it is none, or has no end.
  std::size_t behind_other(std::size_t begin) const;
  // Behind the end tag of the element that was opened by `tag`; npos.
  std::size_t behind_element(const Tag& tag);
  bool starts(std::size_t at, std::string_view text) const { return in_.substr(at).starts_with(text); }
  void blank(std::size_t from, std::size_t to) { out_.replace(from, to - from, to - from, ' '); }

  std::string_view in_;
  std::string out_;
};

bool Xmp::read_tag(std::size_t begin, Tag& tag, bool blank_secrets) {
  constexpr auto npos = std::string_view::npos;
  std::size_t at = in_.find_first_of(" \t\r\n/>", begin + 1);
  if (at == npos || at == begin + 1) return false;
  tag.name = in_.substr(begin + 1, at - begin - 1);
  for (;;) {
    at = in_.find_first_not_of(kSpace, at);
    if (at == npos) return false;
    tag.is_closed = starts(at, "/>");
    if (tag.is_closed || in_[at] == '>') {
      tag.end = at + (tag.is_closed ? 2 : 1);
      return true;
    }
    const std::size_t name_end = in_.find_first_of(" \t\r\n=/><\"'", at);
    if (name_end == npos || name_end == at) return false;
    const std::string_view name = in_.substr(at, name_end - at);
    std::size_t quote = in_.find_first_not_of(kSpace, name_end);
    if (quote == npos || in_[quote] != '=') return false;
    quote = in_.find_first_not_of(kSpace, quote + 1);
    if (quote == npos || (in_[quote] != '"' && in_[quote] != '\'')) return false;
    const std::size_t end = in_.find(in_[quote], quote + 1);
    if (end == npos) return false;
    if (blank_secrets && is_gone(name)) blank(at, end + 1);
    at = end + 1;
  }
}

std::size_t Xmp::behind_other(std::size_t begin) const {
  if (starts(begin, "<!--")) return behind("-->", begin + 4);
  if (starts(begin, "<?")) return behind("?>", begin + 2);
  if (starts(begin, "<![CDATA[")) return behind("]]>", begin + 9);
  if (starts(begin, "</")) return behind(">", begin + 2);
  return std::string_view::npos;
}

std::size_t Xmp::behind_element(const Tag& opened) {
  if (opened.is_closed) return opened.end;
  std::size_t depth = 1;
  for (std::size_t at = in_.find('<', opened.end); at != std::string_view::npos; at = in_.find('<', at)) {
    Tag tag;
    const bool is_end = starts(at, "</");
    if (is_end || starts(at, "<!") || starts(at, "<?")) {
      tag.name = is_end ? in_.substr(at + 2, in_.find_first_of(" \t\r\n>", at) - at - 2) : "";
      tag.end = behind_other(at);
    } else if (!read_tag(at, tag, false)) {
      return std::string_view::npos;
    }
    if (tag.end == std::string_view::npos) return tag.end;
    if (tag.name == opened.name && is_end && --depth == 0) return tag.end;
    if (tag.name == opened.name && !is_end && !tag.is_closed) ++depth;
    at = tag.end;
  }
  return std::string_view::npos;
}

bool Xmp::run() {
  if (in_.find('\0') != std::string_view::npos) return false;  // UTF-16, or none at all
  std::size_t at = in_.find('<');
  if (at == std::string_view::npos) return in_.find_first_not_of(kSpace) == std::string_view::npos;
  while (at != std::string_view::npos) {
    std::size_t end = 0;
    if (starts(at, "<!") || starts(at, "<?") || starts(at, "</")) {
      end = behind_other(at);
      if (end != std::string_view::npos && starts(at, "<!--")) blank(at, end);
    } else {
      Tag tag;
      if (!read_tag(at, tag, true)) return false;
      end = is_gone(tag.name) ? behind_element(tag) : tag.end;
      if (end != std::string_view::npos && is_gone(tag.name)) blank(at, end);
    }
    if (end == std::string_view::npos) return false;
    at = in_.find('<', end);
  }
  return true;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  name.remove_prefix(name.rfind(':') + 1);  // npos + 1 is 0
  std::string word = ascii_lower(name);
  std::erase_if(word, [](char c) { return c == ' ' || c == '_' || c == '-'; });
  return word.starts_with("gps") || std::find(kSecretNames.begin(), kSecretNames.end(), word) != kSecretNames.end() ||
         std::any_of(kSecretParts.begin(), kSecretParts.end(),
                     [&word](std::string_view part) { return word.find(part) != std::string::npos; });
}

std::string empty_xmp(std::size_t size) {
  constexpr std::string_view kEmpty = "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"/>";
  std::string out(size, ' ');
  if (kEmpty.size() <= size) kEmpty.copy(out.data(), kEmpty.size());
  return out;
}

std::string stripped_xmp(std::string_view packet, StripMode mode) {
  if (mode == StripMode::kAll) return empty_xmp(packet.size());
  const std::size_t end = packet.find_last_not_of('\0') + 1;  // some writers close it with zeros
  Xmp xmp(packet.substr(0, end));
  if (!xmp.run()) return empty_xmp(packet.size());
  return xmp.take() + std::string(packet.size() - end, '\0');
}

}  // namespace cloakroom
