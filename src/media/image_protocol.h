// image_protocol.h — what a worker and the picture maker say to each other: one question, one answer, one connection.
//
// Socket   Unix, SOCK_SEQPACKET, one packet each way, at most limits::kImageMessageBytes. With the question travel
//          descriptors (SCM_RIGHTS): the file, read only; to render also the file to write to, which is empty.
// Shape    {"op":"probe","mime_type":"image/png","offset":0,"size":4096}
//          {"op":"render","mime_type":"image/png","offset":0,"size":4096,"max_width":250,"max_height":0,"format":"webp"}
//          answers {"width":1920,"height":1080,"frames":1,"duration_ms":0,"has_alpha":false,"placeholder":"data:…"}
//                  {"width":250,"height":141,"format":"webp"}
//                  {"error":"undecodable","detail":"…"}, or "unsupported"
//          A connection that ends without an answer: the process that had the question died of it, or had a fault of
//          its own: no verdict. One that is reset: nobody read the question.
// Trust    Neither side trusts the other: a decoder may have been taken over by what it decoded, and then says what its
//          master wants. Every number is checked against its limit, a placeholder letter by letter.
// Errors   kInvalid      the question is not of this form
//          kUndecodable  the answer says so, or is not of this form
//          kUnsupportedType  the answer says so
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/image_ports.h"

namespace cloakroom {

struct ImageQuestion {
  enum class Operation { kProbe, kRender };
  Operation operation = Operation::kProbe;
  std::string mime_type;               // what libmagic said
  std::uint64_t offset = 0, size = 0;  // bytes, of the file
  Rendering wanted = {};               // to render
};

struct RenderedFacts {
  std::uint32_t width = 0, height = 0;
  ImageFormat format = ImageFormat::kJpeg;
};

std::string_view word_of(ImageFormat format);  // "jpeg"

std::string image_question(const ImageQuestion& question);
Result<ImageQuestion> parse_image_question(std::string_view text);

std::string probe_answer(const ImageFacts& facts);
std::string render_answer(const RenderedFacts& facts);
std::string error_answer(const Error& error);
Result<ImageFacts> parse_probe_answer(std::string_view text);
Result<RenderedFacts> parse_render_answer(std::string_view text, const Rendering& wanted);

}  // namespace cloakroom
