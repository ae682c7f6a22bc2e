// pictures.h — small files of each kind, built here: with a picture's structure, without its pixels, and with secrets.
#pragma once

#include <sys/mman.h>

#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "media/strip.h"
#include "media/strip_edits.h"

namespace cloakroom::fake {

using namespace std::string_literals;

inline std::string number(std::uint64_t n, std::size_t size, bool is_big = true) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[is_big ? size - 1 - i : i] = static_cast<char>(n >> (8 * i) & 0xFF);
  return out;
}

// Folders behind each other; the last one made is the first that a reader sees, unless begin_at() says otherwise.
class ExifMaker {
 public:
  struct Entry {
    std::uint16_t tag, type;
    std::uint32_t count;
    std::string value;  // its bytes, or one to four of them to lie in the entry
  };

  explicit ExifMaker(bool is_big) : is_big_(is_big), bytes_(is_big ? "MM\0*"s : "II*\0"s) { bytes_ += n32(0); }

  std::string n16(std::uint64_t n) const { return number(n, 2, is_big_); }
  std::string n32(std::uint64_t n) const { return number(n, 4, is_big_); }
  Entry text(std::uint16_t tag, std::string value) const {
    return {tag, 2, static_cast<std::uint32_t>(value.size() + 1), value + '\0'};
  }
  Entry blob(std::uint16_t tag, std::string value) const {
    return {tag, 7, static_cast<std::uint32_t>(value.size()), value};
  }
  Entry small(std::uint16_t tag, std::uint16_t value) const { return {tag, 3, 1, n16(value)}; }
  Entry pointer(std::uint16_t tag, std::uint64_t value) const { return {tag, 4, 1, n32(value)}; }

  // Where it begins.
  std::uint32_t folder(const std::vector<Entry>& entries, std::uint32_t next = 0) {
    const auto at = static_cast<std::uint32_t>(bytes_.size());
    std::string values;
    const std::size_t values_at = at + 2 + 12 * entries.size() + 4;
    bytes_ += n16(entries.size());
    for (const Entry& e : entries) {
      bytes_ += n16(e.tag) + n16(e.type) + n32(e.count);
      if (e.value.size() <= 4) {
        bytes_ += e.value + std::string(4 - e.value.size(), '\0');
      } else {
        bytes_ += n32(values_at + values.size());
        values += e.value;
      }
    }
    bytes_ += n32(next) + values;
    begin_at(at);
    return at;
  }
  std::uint32_t raw(std::string_view bytes) {
    bytes_ += bytes;
    return static_cast<std::uint32_t>(bytes_.size() - bytes.size());
  }
  void begin_at(std::uint32_t at) { bytes_.replace(4, 4, n32(at)); }
  const std::string& bytes() const { return bytes_; }

 private:
  bool is_big_;
  std::string bytes_;
};

// Words that stand for secrets; none of them may be left.
inline const std::vector<std::string> kSecretWords{"LATITUDE-SECRET-24-BYTES", "SERIAL-SECRET", "MAKER-SECRET",
                                                   "OWNER-SECRET"};
inline bool has_secret(std::string_view bytes) {
  for (const std::string& word : kSecretWords) {
    if (bytes.find(word) != std::string_view::npos) return true;
  }
  return false;
}

inline std::string secret_exif(bool is_big, std::uint16_t orientation = 6) {
  ExifMaker m(is_big);
  const auto gps = m.folder({m.text(1, "N"), {2, 5, 3, "LATITUDE-SECRET-24-BYTES"}});
  const auto exif = m.folder({m.text(0x9003, "2026:11:21 10:00:00"), m.blob(0x927C, "MAKER-SECRET"),
                              m.text(0xA430, "OWNER-SECRET"), m.text(0xA431, "SERIAL-SECRET")});
  m.folder({m.text(0x010F, "Acme Incorporated"), m.small(0x0112, orientation), m.pointer(0x8769, exif),
            m.pointer(0x8825, gps)});
  return m.bytes();
}

inline std::string secret_xmp() {
  return "<?xpacket begin=''?><x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF><rdf:Description rdf:about='' "
         "exif:GPSLatitude=\"LATITUDE-SECRET-24-BYTES\" dc:title='A title'>"
         "<aux:SerialNumber>SERIAL-SECRET</aux:SerialNumber><xmp:Rating>5</xmp:Rating>"
         "</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>";
}

// One of Photoshop's, without a name.
inline std::string resource(unsigned id, const std::string& data) {
  return "8BIM" + number(id, 2) + "\0\0"s + number(data.size(), 4) + data + std::string(data.size() % 2, '\0');
}

inline std::string jpeg_segment(unsigned char code, std::string_view payload) {
  return "\xFF"s + static_cast<char>(code) + number(payload.size() + 2, 2) + std::string(payload);
}
// Start, the segments, two scans with stuffed bytes and restarts, end.
inline std::string jpeg(const std::string& segments) {
  return "\xFF\xD8"s + segments + jpeg_segment(0xDA, "scan") + "ab\xFF\x00"s + "c\xFF\xD0xyz" +
         jpeg_segment(0xC4, "table") + jpeg_segment(0xDA, "scan") + "more\xFF\x00\xFF\xD9"s;
}
inline const std::string kJpegExif = "Exif\0\0"s, kJpegXmp = "http://ns.adobe.com/xap/1.0/\0"s;

inline std::uint32_t crc(std::string_view bytes) {
  std::uint32_t sum = 0xFFFFFFFF;
  for (const char c : bytes) {
    sum ^= static_cast<unsigned char>(c);
    for (int i = 0; i < 8; ++i) sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB88320 : 0);
  }
  return ~sum;
}
inline std::string png_chunk(const std::string& type, const std::string& data) {
  return number(data.size(), 4) + type + data + number(crc(type + data), 4);
}
inline std::string png(const std::string& chunks) {
  return "\x89PNG\r\n\x1A\n" + png_chunk("IHDR", std::string(13, '\1')) + chunks + png_chunk("IDAT", "pixels") +
         png_chunk("IEND", "");
}

inline std::string riff_chunk(const std::string& type, const std::string& data) {
  return type + number(data.size(), 4, false) + data + std::string(data.size() % 2, '\0');
}
inline std::string webp(const std::string& chunks) {
  const std::string body = "WEBP" + riff_chunk("VP8X", std::string(10, '\0')) + riff_chunk("VP8L", "pixels!") + chunks;
  return "RIFF" + number(body.size(), 4, false) + body;
}

inline std::string box(const std::string& type, const std::string& content) {
  return number(content.size() + 8, 4) + type + content;
}

struct Stripped {
  std::string bytes, unread;
  std::size_t patches = 0;
};

// The file in the middle of another; patches must not leave it.
inline Stripped strip(const std::string& file, StripMode mode = StripMode::kGps) {
  const UniqueFd fd(::memfd_create("picture", MFD_CLOEXEC));
  const std::string whole = "before" + file + "behind";
  CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(whole))));
  PictureStripper stripper(mode);
  const StripPlan plan = CHECK_OK(stripper.plan({fd.get(), 6, file.size(), {}}));
  Stripped out{file, plan.unread, plan.patches.size()};
  for (const Patch& patch : plan.patches) {
    CHECK(patch.size() > 0 && patch.offset < file.size() && patch.size() <= file.size() - patch.offset);
  }
  apply_patches(plan, out.bytes);
  CHECK_EQ(out.bytes.size(), file.size());
  return out;
}

// Cut at each byte: no patch outside, no secret left, and nothing to do for a second time.
inline void check_cut_anywhere(const std::string& file, StripMode mode = StripMode::kGps) {
  for (std::size_t size = 0; size <= file.size(); ++size) {
    const Stripped once = strip(file.substr(0, size), mode);
    if (once.unread.empty() && has_secret(once.bytes)) {
      t::raise(__FILE__, __LINE__, "a secret is left when cut at " + std::to_string(size));
    }
    if (strip(once.bytes, mode).bytes != once.bytes) {
      t::raise(__FILE__, __LINE__, "a second time changes more when cut at " + std::to_string(size));
    }
  }
}

}  // namespace cloakroom::fake
