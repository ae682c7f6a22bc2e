// nginx_include_test.cc — the template language of the nginx includes.
#include "cmd/nginx_include.h"

#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

const TemplateInput kInput{.values = {{"NAME", "one"}, {"AT", "a@b@c"}, {"EMPTY", ""}},
                           .conditions = {"yes"},
                           .parts = {{"inner", "inner @NAME@\n#:if no\nhidden\n#:end\n"}, {"loose", "no newline"}}};

std::string render(const std::string& text) {
  return CHECK_OK(render_template(text, kInput));
}

}  // namespace

static void names_between_at_signs_are_replaced_everywhere() {
  CHECK_EQ(render("a @NAME@@NAME@ b\n@NAME@\n"), "a oneone b\none\n");
  CHECK_EQ(render("[@EMPTY@]\n"), "[]\n");
  CHECK_EQ(render(""), "");
}

static void a_value_is_not_replaced_again() {
  CHECK_EQ(render("@AT@ @NAME@\n"), "a@b@c one\n");
}

static void lines_are_kept_only_when_their_word_holds() {
  CHECK_EQ(render("1\n#:if yes\n2\n#:end\n3\n#:if no\n4\n@UNKNOWN@\n#:end\n5\n"), "1\n2\n3\n5\n");
  CHECK_EQ(render("#:if no\n#:include absent\n#:end\n"), "");
}

static void a_part_is_rendered_in_its_place() {
  CHECK_EQ(render("{\n#:include inner\n}\n"), "{\ninner one\n}\n");
  CHECK_EQ(render("#:include loose\n}\n"), "no newline\n}\n");
}

static void an_ordinary_comment_is_a_line_like_others() {
  CHECK_EQ(render("# @NAME@: x\n"), "# one: x\n");
}

static void what_a_template_cannot_mean_is_an_error() {
  for (const char* text : {"@UNKNOWN@\n", "a@b\n", "@NAME@ @\n", "@\nNAME@\n", "#:include absent\n"})
    CHECK_ERR(render_template(text, kInput), Errc::kInternal);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(names_between_at_signs_are_replaced_everywhere), CASE(a_value_is_not_replaced_again),
      CASE(lines_are_kept_only_when_their_word_holds),      CASE(a_part_is_rendered_in_its_place),
      CASE(an_ordinary_comment_is_a_line_like_others),      CASE(what_a_template_cannot_mean_is_an_error),
  };
  return RUN_TESTS("nginx_include", tests);
}
