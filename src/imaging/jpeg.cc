// jpeg.cc — libjpeg's two halves, each in one function that a failure leaves by longjmp.
//
// libjpeg's error handler must not return, and an exception must not cross its frames. So between setjmp() and the
// calls that may jump there is nothing whose destructor would be skipped: all that has one belongs to whoever calls.
#include "imaging/jpeg.h"

#include <array>
#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it before
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

// NOLINTNEXTLINE(llvm-include-order): after <cstdio>
#include <jpeglib.h>
// NOLINTNEXTLINE(llvm-include-order): after jpeglib.h
#include <jerror.h>

#include "media/tiff.h"

namespace cloakroom {
namespace {

struct Faults {
  jpeg_error_mgr manager;  // first: libjpeg hands it back as this struct
  std::jmp_buf way_out;
  std::array<char, JMSG_LENGTH_MAX> text;
};

[[noreturn]] void leave(j_common_ptr info) noexcept {
  auto* const faults = reinterpret_cast<Faults*>(info->err);
  faults->manager.format_message(info, faults->text.data());
  std::longjmp(faults->way_out, 1);
}

// Warnings are lesser faults, which libjpeg mends; but it would paint what is missing at the end grey.
void warn(j_common_ptr info, int level) noexcept {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) leave(info);
}

void prepare(Faults& faults, jpeg_error_mgr** place) {
  *place = jpeg_std_error(&faults.manager);
  faults.manager.error_exit = leave;
  faults.manager.emit_message = warn;
  faults.text = {};
}

Error fault_of(const Faults& faults) {
  return Error{Errc::kUndecodable, std::string("jpeg: ") + faults.text.data()};
}

const JOCTET* octets(std::span<const std::byte> bytes) {
  return reinterpret_cast<const JOCTET*>(bytes.data());
}

struct Reader {
  jpeg_decompress_struct info{};
  Faults faults{};

  ~Reader() { jpeg_destroy_decompress(&info); }
};

constexpr unsigned kMarkerBytes = 0xFFFF;  // all of it
constexpr std::string_view kExif("Exif\0\0", 6);

struct FreeProfile {
  void operator()(JOCTET* bytes) const noexcept { std::free(bytes); }  // NOLINT(cppcoreguidelines-no-malloc)
};

// 1 where nobody says otherwise.
int orientation_of(const jpeg_decompress_struct& info) {
  for (const jpeg_marker_struct* m = info.marker_list; m != nullptr; m = m->next) {
    const std::string_view data(reinterpret_cast<const char*>(m->data), m->data_length);
    if (m->marker != JPEG_APP0 + 1 || !data.starts_with(kExif)) continue;
    const Tiff exif(data.substr(kExif.size()));
    const int found = exif.is_tiff() ? exif.orientation() : 0;
    return found >= 1 && found <= 8 ? found : 1;
  }
  return 1;
}

bool read_head(Reader& r, std::span<const std::byte> bytes, JOCTET*& profile, unsigned& profile_bytes) {
  if (setjmp(r.faults.way_out) != 0) return false;
  jpeg_create_decompress(&r.info);
  jpeg_mem_src(&r.info, octets(bytes), bytes.size());
  jpeg_save_markers(&r.info, JPEG_APP0 + 1, kMarkerBytes);
  jpeg_save_markers(&r.info, JPEG_APP0 + 2, kMarkerBytes);
  jpeg_read_header(&r.info, TRUE);
  if (jpeg_read_icc_profile(&r.info, &profile, &profile_bytes) == 0) profile = nullptr;
  return true;
}

bool read_all(Reader& r, std::span<const std::byte> bytes, unsigned shrink, Bitmap& out) {
  if (setjmp(r.faults.way_out) != 0) return false;
  jpeg_create_decompress(&r.info);
  jpeg_mem_src(&r.info, octets(bytes), bytes.size());
  jpeg_read_header(&r.info, TRUE);
  r.info.scale_num = 1;
  r.info.scale_denom = shrink;
  r.info.out_color_space = r.info.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&r.info);
  out.width = r.info.output_width;
  out.height = r.info.output_height;
  out.bands = static_cast<unsigned>(r.info.output_components);
  const std::size_t row_bytes = std::size_t{out.width} * out.bands;
  out.pixels.resize(row_bytes * out.height);
  while (r.info.output_scanline < r.info.output_height) {
    JSAMPROW row = out.pixels.data() + row_bytes * r.info.output_scanline;
    jpeg_read_scanlines(&r.info, &row, 1);
  }
  return true;
}

struct Writer {
  jpeg_compress_struct info{};
  Faults faults{};
  unsigned char* bytes = nullptr;  // libjpeg allocates them
  unsigned long size = 0;          // NOLINT(google-runtime-int): libjpeg's type

  ~Writer() {
    jpeg_destroy_compress(&info);
    std::free(bytes);  // NOLINT(cppcoreguidelines-no-malloc)
  }
};

bool write_all_rows(Writer& w, const Bitmap& bitmap, int quality) {
  if (setjmp(w.faults.way_out) != 0) return false;
  jpeg_create_compress(&w.info);
  jpeg_mem_dest(&w.info, &w.bytes, &w.size);
  w.info.image_width = bitmap.width;
  w.info.image_height = bitmap.height;
  w.info.input_components = static_cast<int>(bitmap.bands);
  w.info.in_color_space = bitmap.bands == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&w.info);
  jpeg_set_quality(&w.info, quality, TRUE);
  w.info.optimize_coding = TRUE;
  jpeg_start_compress(&w.info, TRUE);
  const std::size_t row_bytes = std::size_t{bitmap.width} * bitmap.bands;
  while (w.info.next_scanline < w.info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(bitmap.pixels.data()) + row_bytes * w.info.next_scanline;
    jpeg_write_scanlines(&w.info, &row, 1);
  }
  jpeg_finish_compress(&w.info);
  return true;
}

}  // namespace

Result<JpegHead> read_jpeg_head(std::span<const std::byte> bytes) {
  const auto reader = std::make_unique<Reader>();
  prepare(reader->faults, &reader->info.err);
  JOCTET* profile = nullptr;
  unsigned profile_bytes = 0;
  const bool is_read = read_head(*reader, bytes, profile, profile_bytes);
  const std::unique_ptr<JOCTET, FreeProfile> owner(profile);
  if (!is_read) return fault_of(reader->faults);
  jpeg_decompress_struct& info = reader->info;
  JpegHead head{.width = info.image_width, .height = info.image_height, .orientation = orientation_of(info)};
  head.is_plain = info.num_components == 1 || info.num_components == 3;
  head.has_many_scans = jpeg_has_multiple_scans(&info) != 0;
  if (profile != nullptr) {
    const auto* const first = reinterpret_cast<const std::byte*>(profile);
    head.profile.assign(first, first + profile_bytes);
  }
  return head;
}

Result<Bitmap> read_jpeg(std::span<const std::byte> bytes, JpegShrink shrink) {
  const auto reader = std::make_unique<Reader>();
  prepare(reader->faults, &reader->info.err);
  Bitmap bitmap;
  if (!read_all(*reader, bytes, static_cast<unsigned>(shrink), bitmap)) return fault_of(reader->faults);
  return bitmap;
}

Result<std::vector<std::byte>> write_jpeg(const Bitmap& bitmap, int quality) {
  const auto writer = std::make_unique<Writer>();
  prepare(writer->faults, &writer->info.err);
  if (!write_all_rows(*writer, bitmap, quality)) return fault_of(writer->faults);
  const auto* const first = reinterpret_cast<const std::byte*>(writer->bytes);
  return std::vector<std::byte>(first, first + writer->size);
}

}  // namespace cloakroom
