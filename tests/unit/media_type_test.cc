// media_type_test.cc — which types are shown, and what becomes of types that are none.
#include "http/media_type.h"

#include <string>

#include "check.h"

using namespace cloakroom;

static void types_are_lower_cased_and_lose_their_parameters() {
  CHECK_EQ(canonical_mime("image/png"), "image/png");
  CHECK_EQ(canonical_mime(" Text/HTML ; charset=utf-8"), "text/html");
  CHECK_EQ(canonical_mime("application/vnd.oasis.opendocument.text"), "application/vnd.oasis.opendocument.text");
}

static void what_is_no_type_is_octet_stream() {
  for (const std::string& bad :
       {std::string(""), std::string("png"), std::string("image/"), std::string("/png"), std::string("a/b/c"),
        std::string("*/*"), std::string("image/p ng"), std::string("image/png\r\nX: y"), std::string("text/\xC3\x9C"),
        std::string("a/b\0", 4), "a/" + std::string(128, 'b')}) {
    CHECK_EQ(canonical_mime(bad), "application/octet-stream");
  }
}

static void pictures_sound_films_and_plain_text_are_shown() {
  for (const std::string_view type :
       {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp", "audio/mpeg", "audio/ogg",
        "video/mp4", "video/webm", "text/plain", "IMAGE/PNG", "text/plain; charset=utf-8"}) {
    if (!is_inline_safe(type)) t::raise(__FILE__, __LINE__, "not shown: " + std::string(type));
  }
}

static void whatever_may_hold_scripts_or_is_unknown_is_saved() {
  for (const std::string_view type :
       {"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml", "text/javascript",
        "application/javascript", "text/css", "application/pdf", "application/octet-stream", "image/tiff",
        "audio/x-mpegurl", "application/vnd.apple.mpegurl", "multipart/x-mixed-replace", "", "image/png,text/html",
        "image/png text/html", "text/plain2"}) {
    if (is_inline_safe(type)) t::raise(__FILE__, __LINE__, "shown: " + std::string(type));
  }
}

static void what_a_page_could_load_as_code_is_sent_as_text_or_bytes() {
  for (const char* script :
       {"application/javascript", "text/javascript", "application/x-javascript", "text/ecmascript", "text/jscript",
        "text/livescript", "text/javascript1.5", "Text/JavaScript; x=y", "text/css"})
    CHECK_EQ(sent_type(script), "text/plain");
  CHECK_EQ(sent_type("application/wasm"), "application/octet-stream");
  CHECK_EQ(sent_type("multipart/x-mixed-replace"), "application/octet-stream");
  for (const char* other : {"image/png", "text/html", "image/svg+xml", "application/json", "application/pdf"})
    CHECK_EQ(sent_type(other), other);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(types_are_lower_cased_and_lose_their_parameters),
      CASE(what_is_no_type_is_octet_stream),
      CASE(pictures_sound_films_and_plain_text_are_shown),
      CASE(whatever_may_hold_scripts_or_is_unknown_is_saved),
      CASE(what_a_page_could_load_as_code_is_sent_as_text_or_bytes),
  };
  return RUN_TESTS("media_type", tests);
}
