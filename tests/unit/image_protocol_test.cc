// image_protocol_test.cc — questions and answers survive the way; what is not of the form, or beyond a limit, is
// refused.
#include "media/image_protocol.h"

#include <string>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string probed(const std::string& placeholder, const std::string& width = "4", const std::string& more = "") {
  return R"({"width":)" + width + R"(,"height":3,"frames":1,"duration_ms":0,"has_alpha":true,"placeholder":")" +
         placeholder + "\"" + more + "}";
}

void check_bad_question(const std::string& text) {
  const auto parsed = parse_image_question(text);
  if (parsed) CHECK_EQ(text, "refused");
  CHECK_EQ(parsed.error().code, Errc::kInvalid);
}

}  // namespace

static void a_question_survives_the_way() {
  const ImageQuestion q{.operation = ImageQuestion::Operation::kRender,
                        .mime_type = "image/svg+xml",
                        .offset = 1ULL << 40,
                        .size = 7,
                        .wanted = {400, 300, ImageFormat::kAvif}};
  const ImageQuestion back = CHECK_OK(parse_image_question(image_question(q)));
  CHECK(back.operation == q.operation);
  CHECK_EQ(back.mime_type, q.mime_type);
  CHECK_EQ(back.offset, q.offset);
  CHECK_EQ(back.size, q.size);
  CHECK_EQ(back.wanted.max_width, 400U);
  CHECK_EQ(back.wanted.max_height, 300U);
  CHECK(back.wanted.format == ImageFormat::kAvif);
  CHECK(CHECK_OK(parse_image_question(image_question({.mime_type = "a/b"}))).operation ==
        ImageQuestion::Operation::kProbe);
}

static void questions_of_another_form_are_refused() {
  for (const char* text :
       {"", "[]", "{", "null", R"({"op":"probe"})", R"({"op":"strip","mime_type":"a/b","offset":0,"size":1})",
        R"({"op":"probe","mime_type":"a/b","offset":-1,"size":1})",
        R"({"op":"probe","mime_type":"a b","offset":0,"size":1})",
        R"({"op":"probe","mime_type":"a/b","offset":9223372036854775807,"size":1})",
        R"({"op":"probe","mime_type":"a/b","offset":0.5,"size":1})",
        R"({"op":"render","mime_type":"a/b","offset":0,"size":1,"max_width":1,"max_height":1,"format":"bmp"})",
        R"({"op":"render","mime_type":"a/b","offset":0,"size":1,"max_width":65536,"max_height":1,"format":"png"})"}) {
    check_bad_question(text);
  }
  check_bad_question(R"({"op":"probe","mime_type":")" + std::string(128, 'a') + R"(","offset":0,"size":1})");
  check_bad_question(image_question({.mime_type = "a/b"}) + std::string(limits::kImageMessageBytes, ' '));
}

static void answers_survive_the_way() {
  const ImageFacts facts{1920, 1080, 12, 1200, true, "data:image/webp;base64,AAA+/="};
  const ImageFacts back = CHECK_OK(parse_probe_answer(probe_answer(facts)));
  CHECK_EQ(back.width, 1920U);
  CHECK_EQ(back.height, 1080U);
  CHECK_EQ(back.frames, 12U);
  CHECK_EQ(back.duration_ms, 1200U);
  CHECK(back.has_alpha);
  CHECK_EQ(back.placeholder, facts.placeholder);
  const RenderedFacts made =
      CHECK_OK(parse_render_answer(render_answer({250, 141, ImageFormat::kWebp}), {250, 0, ImageFormat::kWebp}));
  CHECK_EQ(made.width, 250U);
  CHECK_EQ(made.height, 141U);
}

static void errors_survive_the_way_without_control_characters() {
  const std::string text = error_answer({Errc::kUndecodable, "a\nb\x80" + std::string(1000, 'c')});
  CHECK(text.size() < 400);
  const auto parsed = parse_probe_answer(text);
  CHECK_ERR(parsed, Errc::kUndecodable);
  CHECK(parsed.error().detail.starts_with("imager: a?b?ccc"));
  CHECK_ERR(parse_render_answer(error_answer({Errc::kUnsupportedType, "no"}), {}), Errc::kUnsupportedType);
  CHECK_ERR(parse_probe_answer(R"({"error":"undecodable","detail":"a\u001bb"})"), Errc::kUndecodable);
  CHECK_EQ(parse_probe_answer(R"({"error":"undecodable","detail":"a\u001bb"})").error().detail, "imager: a?b");
}

static void a_decoder_that_was_taken_over_is_not_believed() {
  CHECK_OK(parse_probe_answer(probed("")));
  CHECK_OK(parse_probe_answer(probed("data:image/webp;base64,AAAA")));
  for (const std::string& text :
       {probed("data:text/html;base64,AAAA"), probed("javascript:alert(1)"), probed("data:image/webp;base64,A\\\"B"),
        probed("data:image/webp;base64,A<B"), probed("data:image/webp;base64," + std::string(400, 'A')),
        probed("", "65536"), probed("", "-1"), probed("", "1.5"), probed("", "\\\"4\\\""), probed("", "0"),
        probed("", "4", R"(,"error":"what","detail":7)"), std::string("{}"), std::string("[1]"), std::string("\0", 1),
        probed("") + probed(""), probed("", "4", R"(,"width":5)")}) {
    const auto parsed = parse_probe_answer(text);
    if (parsed) CHECK_EQ(text, "refused");
    CHECK_EQ(parsed.error().code, Errc::kUndecodable);
  }
}

static void a_picture_larger_than_asked_for_or_of_another_format_is_refused() {
  const auto answer = [](std::uint32_t width, std::uint32_t height, ImageFormat format = ImageFormat::kPng) {
    return parse_render_answer(render_answer({width, height, format}), {250, 0, ImageFormat::kPng});
  };
  CHECK_OK(answer(250, limits::kRenderedSide));
  CHECK_ERR(answer(251, 1), Errc::kUndecodable);
  CHECK_ERR(answer(0, 1), Errc::kUndecodable);
  CHECK_ERR(answer(1, limits::kRenderedSide + 1), Errc::kUndecodable);
  CHECK_ERR(answer(1, 1, ImageFormat::kGif), Errc::kUndecodable);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_question_survives_the_way),
      CASE(questions_of_another_form_are_refused),
      CASE(answers_survive_the_way),
      CASE(errors_survive_the_way_without_control_characters),
      CASE(a_decoder_that_was_taken_over_is_not_believed),
      CASE(a_picture_larger_than_asked_for_or_of_another_format_is_refused),
  };
  return RUN_TESTS("image_protocol", tests);
}
