// imaging_kinds_test.cc — who asks for pictures and who makes them know the same types.
#include "imaging/kinds.h"

#include "check.h"
#include "domain/pictures.h"

using namespace cloakroom;

static void what_is_asked_about_is_what_can_be_answered() {
  for (const char* type :
       {"image/jpeg", "image/png", "image/apng", "image/vnd.mozilla.apng", "image/gif", "image/webp", "image/avif",
        "image/heic", "image/heif", "image/tiff", "image/bmp", "image/x-ms-bmp", "image/svg+xml", "application/pdf"}) {
    CHECK(kind_of(type) && may_have_picture(type));
    CHECK_EQ(CHECK_OK(kind_of(type)).can_move, may_move(type));
  }
  for (const char* type : {"image/vnd.adobe.photoshop", "image/x-canon-cr2", "image/jxl", "video/mp4", "audio/mpeg",
                           "text/plain", "application/zip", "application/octet-stream", ""}) {
    CHECK(!kind_of(type) && !may_have_picture(type));
  }
}

int main() {
  const CMUnitTest tests[] = {CASE(what_is_asked_about_is_what_can_be_answered)};
  return cmocka_run_group_tests_name("imaging_kinds", tests, nullptr, nullptr);
}
