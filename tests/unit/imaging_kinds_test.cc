// imaging_kinds_test.cc — who asks for pictures and who makes them know the same types.
#include "imaging/kinds.h"

#include "check.h"
#include "domain/pictures.h"
#include "imaging/film_kinds.h"

using namespace cloakroom;

static void what_is_asked_about_is_what_can_be_answered() {
  for (const char* type :
       {"image/jpeg", "image/png", "image/apng", "image/vnd.mozilla.apng", "image/gif", "image/webp", "image/avif",
        "image/heic", "image/heif", "image/tiff", "image/bmp", "image/x-ms-bmp", "image/svg+xml", "application/pdf"}) {
    CHECK(kind_of(type) && may_have_picture(type));
    CHECK_EQ(CHECK_OK(kind_of(type)).can_move, may_move(type));
  }
  for (const char* type : {"video/mp4",      "video/x-m4v",  "video/quicktime",  "video/3gpp", "video/3gpp2",
                           "video/webm",     "video/ogg",    "video/x-matroska", "video/mpeg", "video/x-msvideo",
                           "video/vnd.avi",  "video/x-flv",  "video/x-ms-asf",   "audio/mp4",  "audio/x-m4a",
                           "audio/3gpp",     "audio/webm",   "audio/x-matroska", "audio/ogg",  "audio/mpeg",
                           "audio/aac",      "audio/flac",   "audio/x-flac",     "audio/wav",  "audio/x-wav",
                           "audio/vnd.wave", "audio/x-aiff", "audio/amr",        "audio/AMR",  "audio/x-hx-aac-adts"}) {
    CHECK(film_kind_of(type) && !kind_of(type) && may_have_picture(type));
  }
  for (const char* type :
       {"image/vnd.adobe.photoshop", "image/x-canon-cr2", "image/jxl", "audio/x-mpegurl", "audio/x-scpls", "audio/midi",
        "application/vnd.apple.mpegurl", "text/plain", "application/zip", "application/octet-stream", ""}) {
    CHECK(!kind_of(type) && !film_kind_of(type) && !may_have_picture(type));
  }
}

int main() {
  const CMUnitTest tests[] = {CASE(what_is_asked_about_is_what_can_be_answered)};
  return cmocka_run_group_tests_name("imaging_kinds", tests, nullptr, nullptr);
}
