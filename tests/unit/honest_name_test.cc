// honest_name_test.cc — names that claim what their bytes are not.
#include "domain/honest_name.h"

#include <string>

#include "base/limits.h"
#include "check.h"

using namespace cloakroom;

static void a_name_that_agrees_comes_back_unchanged() {
  struct Case {
    const char *name, *type;
  };
  for (const Case& c : std::initializer_list<Case>{{"x.png", "image/png"},
                                                   {"x.JPG", "image/jpeg"},
                                                   {"x.jpg", "image/png"},  // both are pictures, and drawn as such
                                                   {"x.nef", "image/tiff"},
                                                   {"x.ai", "application/pdf"},
                                                   {"x.pdf", "application/pdf"},
                                                   {"x.mp4", "audio/mp4"},
                                                   {"x.ogg", "application/ogg"},
                                                   {"x.svg", "image/svg+xml"},
                                                   {"x.html", "text/html"},
                                                   {"x.js", "text/plain"},
                                                   {"x.txt", "text/html"},
                                                   {"x.docx", "application/zip"},
                                                   {"x.xls", "text/html"},  // what some exports are
                                                   {"x.doc", "application/CDFV2"},
                                                   {"x.jar", "application/zip"},
                                                   {"x.exe", "application/x-dosexec"},
                                                   {"x.bak", "image/png"},
                                                   {"no extension", "image/png"},
                                                   {"x.png", "application/octet-stream"},
                                                   {"x.png", "inode/x-empty"},
                                                   {"x.png", "text/plain"},
                                                   {"x.pdf", "text/plain"}})
    CHECK_EQ(honest_filename(c.name, c.type), c.name);
}

static void what_claims_to_be_a_picture_or_a_document_must_be_one() {
  CHECK_EQ(honest_filename("x.png", "text/html"), "x.png.txt");
  CHECK_EQ(honest_filename("x.PnG", "image/svg+xml"), "x.PnG.txt");
  CHECK_EQ(honest_filename("x.png", "application/pdf"), "x.png.pdf");
  CHECK_EQ(honest_filename("x.pdf", "image/png"), "x.pdf.png");
  CHECK_EQ(honest_filename("x.pdf", "application/x-dosexec"), "x.pdf.bin");
  CHECK_EQ(honest_filename("x.pdf", "application/zip"), "x.pdf.bin");
  CHECK_EQ(honest_filename("x.mp4", "text/html"), "x.mp4.txt");
  CHECK_EQ(honest_filename("x.gif", "audio/x-unheard-of"), "x.gif.bin");
}

static void a_polyglot_is_named_for_what_it_is_shown_as() {
  CHECK_EQ(honest_filename("x.js", "image/gif"), "x.js.gif");
  CHECK_EQ(honest_filename("x.html", "image/jpeg"), "x.html.jpg");
  CHECK_EQ(honest_filename("x.svg", "image/png"), "x.svg.png");
  CHECK_EQ(honest_filename("x.hta", "application/pdf"), "x.hta.pdf");
  CHECK_EQ(honest_filename("x.html", "application/zip"), "x.html.bin");
  CHECK_EQ(honest_filename("x.jar", "application/pdf"), "x.jar.pdf");
  CHECK_EQ(honest_filename("x.exe", "video/mp4"), "x.exe.mp4");
  CHECK_EQ(honest_filename("x.png.html", "image/png"), "x.png.html.png");
}

static void dots_at_the_end_hide_nothing() {
  CHECK_EQ(honest_filename("x.js.", "image/gif"), "x.js..gif");
  CHECK_EQ(honest_filename("x.js. .", "image/gif"), "x.js. ..gif");
  CHECK_EQ(honest_filename("...", "image/gif"), "...");
}

static void the_result_is_a_name_of_ours() {
  const std::string name = honest_filename(std::string(250, 'x') + ".html", "image/jpeg");
  CHECK(name.size() <= limits::kFilenameBytes);
  CHECK(name.ends_with(".jpg"));
  CHECK_EQ(honest_filename(name, "image/jpeg"), name);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_name_that_agrees_comes_back_unchanged),
      CASE(what_claims_to_be_a_picture_or_a_document_must_be_one),
      CASE(a_polyglot_is_named_for_what_it_is_shown_as),
      CASE(dots_at_the_end_hide_nothing),
      CASE(the_result_is_a_name_of_ours),
  };
  return RUN_TESTS("honest_name", tests);
}
