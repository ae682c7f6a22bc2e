// declared_type_test.cc — honest mistakes of browsers pass, lies do not.
#include "domain/declared_type.h"

#include <string>

#include "check.h"

using namespace cloakroom;

static void honest_files_agree_with_what_browsers_call_them() {
  const char* honest[][2] = {
      {"image/png", "image/png"},
      {"image/jpg", "image/jpeg"},
      {"image/svg+xml", "image/svg+xml"},
      {"audio/webm", "video/webm"},
      {"video/mp4", "video/mp4"},
      {"audio/mpeg", "application/octet-stream"},  // libmagic does not know every frame
      {"text/csv", "text/plain"},
      {"text/markdown", "text/html"},
      {"text/javascript", "application/javascript"},
      {"application/json", "text/plain"},
      {"application/xml", "text/xml"},
      {"application/zip", "application/zip"},
      {"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/zip"},
      {"application/vnd.microsoft.portable-executable", "application/x-dosexec"},
      {"application/x-made-up", "application/octet-stream"},
      {"application/octet-stream", "text/html"}};
  for (const auto& [declared, sniffed] : honest) CHECK(type_agrees(declared, sniffed));
}

static void lies_do_not() {
  const char* lies[][2] = {{"image/png", "text/html"},        {"image/png", "application/octet-stream"},
                           {"image/png", "application/zip"},  {"video/mp4", "text/html"},
                           {"video/mp4", "image/png"},        {"application/pdf", "text/html"},
                           {"application/pdf", "text/plain"}, {"application/pdf", "application/octet-stream"},
                           {"text/plain", "application/zip"}, {"text/plain", "application/x-dosexec"},
                           {"text/plain", "image/png"},       {"application/zip", "text/html"},
                           {"application/zip", "image/jpeg"}, {"application/zip", "application/x-executable"},
                           {"application/json", "video/mp4"}};
  for (const auto& [declared, sniffed] : lies) CHECK(!type_agrees(declared, sniffed));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(honest_files_agree_with_what_browsers_call_them),
      CASE(lies_do_not),
  };
  return RUN_TESTS("declared_type", tests);
}
