// image_protocol_fuzz.cc — any bytes as a question or an answer: what is taken is within its limits and survives the
// way.
#include <cstdint>

#include "base/limits.h"
#include "media/image_protocol.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto question = parse_image_question(text)) {
    const auto back = parse_image_question(image_question(*question));
    if (!back || back->mime_type != question->mime_type || back->size != question->size) BUG("another question");
  } else if (question.error().code != Errc::kInvalid) {
    BUG("another error");
  }
  if (const auto facts = parse_probe_answer(text)) {
    if (facts->placeholder.size() > limits::kPlaceholderBytes) BUG("too long");
    if (facts->placeholder.find_first_of("\"'<>\\ ") != std::string::npos) BUG("fit for no page");
    if (facts->width > limits::kImageSide || facts->frames == 0) BUG("beyond a limit");
  }
  const Rendering wanted{250, 0, ImageFormat::kWebp};
  if (const auto made = parse_render_answer(text, wanted)) {
    if (made->width > 250 || made->width == 0 || made->height > limits::kRenderedSide) BUG("larger than asked for");
    if (made->format != wanted.format) BUG("another format");
  }
  return 0;
}
