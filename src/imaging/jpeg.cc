// jpeg.cc — libjpeg on a file in memory. It reports errors by a function that must not return: longjmp, over frames of
//   C and of decode() alone, where nothing has a destructor.
#include "imaging/jpeg.h"

#include <csetjmp>
#include <cstdio>  // jpeglib.h wants FILE

#include <jpeglib.h>
// after it
#include <jerror.h>

namespace cloakroom {
namespace {

struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf failed{};
};

[[noreturn]] void give_up(j_common_ptr info) {
  std::longjmp(static_cast<Decoder*>(info->client_data)->failed, 1);
}

// libjpeg ends a file that was cut off by itself, with a warning.
void take_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) give_up(info);
}

enum class Outcome { kDone, kOther, kBroken };

Outcome decode(Decoder& decoder, std::span<const std::byte> bytes, unsigned part, Bitmap& to) {
  jpeg_decompress_struct& info = decoder.info;
  if (setjmp(decoder.failed) != 0) return Outcome::kBroken;
  jpeg_create_decompress(&info);
  info.client_data = &decoder;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&info, TRUE);
  const bool is_grey = info.jpeg_color_space == JCS_GRAYSCALE;
  if (!is_grey && info.jpeg_color_space != JCS_YCbCr && info.jpeg_color_space != JCS_RGB) return Outcome::kOther;
  info.out_color_space = is_grey ? JCS_GRAYSCALE : JCS_RGB;
  info.scale_num = 1;
  info.scale_denom = part;
  jpeg_start_decompress(&info);
  to.width = info.output_width;
  to.height = info.output_height;
  to.bands = static_cast<unsigned>(info.output_components);
  const std::size_t row_bytes = std::size_t{to.width} * to.bands;
  to.pixels.resize(row_bytes * to.height);
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = to.pixels.data() + row_bytes * info.output_scanline;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  return Outcome::kDone;
}

}  // namespace

Result<Bitmap> read_small_jpeg(std::span<const std::byte> bytes, unsigned part) {
  Decoder decoder;
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.errors.error_exit = give_up;
  decoder.errors.emit_message = take_message;
  Bitmap picture;
  const Outcome outcome = decode(decoder, bytes, part, picture);
  jpeg_destroy_decompress(&decoder.info);
  if (outcome == Outcome::kDone) return picture;
  if (outcome == Outcome::kOther) return Error{Errc::kUnsupportedType, "a JPEG of other colours"};
  return Error{Errc::kUndecodable, "the JPEG is broken or cut off"};
}

}  // namespace cloakroom
