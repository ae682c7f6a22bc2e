// multipart_test.cc — finding parts in a body file: structure, borders of the buffer, limits and hostile bodies.
#include <sys/mman.h>

#include <array>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/limits.h"
#include "check.h"
#include "http/multipart.h"

using namespace cloakroom;

namespace {

constexpr std::string_view kBefore = "bytes before the body\r\n--b\r\n";
const std::string kAfter = "\r\n--b--\r\n" + std::string(1000, 'e');  // would end a cut body, if it were read

// A body in the middle of a file: what stands around it must never be looked at.
class Body {
 public:
  explicit Body(std::string_view text) : fd_(::memfd_create("body", MFD_CLOEXEC)), text_(text) {
    std::string all(kBefore);
    all.append(text).append(kAfter);
    CHECK(write_all(fd_.get(), std::as_bytes(std::span(all))).has_value());
  }
  FileRange range() const { return {.fd = fd_.get(), .offset = kBefore.size(), .size = text_.size(), .path = {}}; }
  Result<std::vector<Part>> parse(std::string_view boundary = "b") const { return parse_multipart(range(), boundary); }
  std::string_view content(const Part& part) const {
    return std::string_view(text_).substr(part.offset - kBefore.size(), part.size_bytes);
  }

 private:
  UniqueFd fd_;
  std::string text_;
};

std::string file_part(std::string_view name, std::string_view content, std::string_view boundary = "b") {
  std::string text = "--" + std::string(boundary) + "\r\nContent-Disposition: form-data; name=\"f\"; filename=\"";
  text.append(name).append("\"\r\nContent-Type: text/x-test\r\n\r\n").append(content).append("\r\n");
  return text;
}

std::string field_part(std::string_view name, std::string_view value) {
  std::string text = "--b\r\nContent-Disposition: form-data; name=\"";
  text.append(name).append("\"\r\n\r\n").append(value).append("\r\n");
  return text;
}

const std::string kEnd = "--b--\r\n";

std::string only_content(const std::string& text, std::string_view boundary = "b") {
  const Body body(text);
  const auto parts = CHECK_OK(body.parse(boundary));
  CHECK_EQ(parts.size(), 1u);
  return std::string(body.content(parts[0]));
}

std::string refusal(std::string_view text, Errc code = Errc::kInvalid) {
  const auto result = Body(text).parse();
  CHECK(!result.has_value());
  CHECK_EQ(result.error().code, code);
  CHECK(!result.error().say.empty());
  return result.error().say;
}

}  // namespace

static void parts_come_in_the_order_sent_with_their_ranges() {
  const Body body(file_part("a.txt", "first") + field_part("dialog_id", "d 7") + file_part("b.txt", "second") + kEnd);
  const auto parts = CHECK_OK(body.parse());
  CHECK_EQ(parts.size(), 3u);
  CHECK(parts[0].is_file() && !parts[1].is_file() && parts[2].is_file());
  CHECK_EQ(*parts[0].filename, "a.txt");
  CHECK_EQ(parts[0].name, "f");
  CHECK_EQ(parts[0].content_type, "text/x-test");
  CHECK_EQ(parts[1].name, "dialog_id");
  CHECK_EQ(parts[1].content_type, "");
  CHECK_EQ(body.content(parts[0]), "first");
  CHECK_EQ(body.content(parts[1]), "d 7");
  CHECK_EQ(body.content(parts[2]), "second");
}

static void offsets_are_positions_in_the_file() {
  const Body body(file_part("a", "content") + kEnd);
  const auto parts = CHECK_OK(body.parse());
  std::array<std::byte, 7> bytes{};
  CHECK_EQ(CHECK_OK(read_at(body.range().fd, bytes, parts[0].offset)), 7u);
  CHECK_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 7), "content");
}

static void an_empty_form_has_no_parts() {
  CHECK_EQ(CHECK_OK(Body("--b--\r\n").parse()).size(), 0u);
  CHECK_EQ(CHECK_OK(Body("--b--").parse()).size(), 0u);
}

static void preamble_epilogue_and_padding_are_ignored() {
  const std::string part = file_part("a", "x");
  CHECK_EQ(only_content("This is a preamble.\r\n--bogus\r\n" + part + kEnd), "x");
  CHECK_EQ(only_content("\r\n" + part + kEnd), "x");
  CHECK_EQ(only_content(part + kEnd + "an epilogue\r\n--b\r\nthat looks like a part"), "x");
  CHECK_EQ(only_content(part + "--b--"), "x");
  CHECK_EQ(only_content(part + "--b-- \t"), "x");
  CHECK_EQ(only_content(part + "--b-- \t\r\nepilogue"), "x");
  const std::string padded = "--b \t \r\n" + part.substr(5);
  CHECK_EQ(only_content(padded + kEnd), "x");
}

static void a_zero_byte_file_is_a_part() {
  const Body body(file_part("empty.txt", "") + file_part("b", "x") + kEnd);
  const auto parts = CHECK_OK(body.parse());
  CHECK_EQ(parts.size(), 2u);
  CHECK_EQ(*parts[0].filename, "empty.txt");
  CHECK_EQ(parts[0].size_bytes, 0u);
}

static void a_part_may_end_right_after_its_headers() {
  // RFC 2046: MIME-part-headers [CRLF *OCTET], so the CRLF before the delimiter may be the empty line itself.
  const Body body("--b\r\nContent-Disposition: form-data; name=a; filename=e\r\n\r\n--b--");
  const auto parts = CHECK_OK(body.parse());
  CHECK_EQ(parts.size(), 1u);
  CHECK_EQ(parts[0].size_bytes, 0u);
}

static void a_file_input_nobody_filled_in_is_skipped() {
  const Body body(file_part("", "") + field_part("a", "") + file_part("", "pasted") + kEnd);
  const auto parts = CHECK_OK(body.parse());
  CHECK_EQ(parts.size(), 2u);
  CHECK_EQ(parts[0].name, "a");
  CHECK_EQ(*parts[1].filename, "");
  CHECK_EQ(body.content(parts[1]), "pasted");
}

static void what_only_resembles_a_delimiter_is_content() {
  for (const std::string content : {"x--b\r\n", "-b\r\n", "\n--b\r\n", "\r--b\r\n", "\r\n--bb\r\n", "\r\n--b x\r\n",
                                    "\r\n--b-\r\n", "\r\n--b--x\r\n", "\r\n --b\r\n", "\r\n-b\r\n", "\r\n--B\r\n",
                                    "\r\n--b \rx", "\r\r\n\n-", "\r\n", "\r\n--", "\r\n\r\n\r\n"}) {
    CHECK_EQ(only_content(file_part("a", content) + kEnd), content);
  }
  // A delimiter found inside a longer one: the inner multipart of a composed message.
  const std::string inner = "--outer2\r\nContent-Type: a/b\r\n\r\nx\r\n--outer2--";
  CHECK_EQ(only_content(file_part("a", "y\r\n" + inner, "outer") + "--outer--", "outer"), "y\r\n" + inner);
}

static void a_body_without_its_last_delimiter_is_refused() {
  const std::string whole = file_part("a", "some content") + field_part("n", "v") + "--b--";
  CHECK_EQ(CHECK_OK(Body(whole).parse()).size(), 2u);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const auto result = Body(whole.substr(0, length)).parse();
    if (result) t::raise(__FILE__, __LINE__, "accepted a body cut after " + std::to_string(length));
    CHECK_EQ(result.error().code, Errc::kInvalid);
  }
  CHECK(refusal("").find("before its last boundary") != std::string::npos);
  CHECK(refusal("no boundary at all").find("before its last boundary") != std::string::npos);
}

static void a_file_shorter_than_announced_is_refused() {
  const Body body(file_part("a", "x") + kEnd);
  FileRange longer = body.range();
  longer.size += kAfter.size() + 1;
  CHECK_ERR(parse_multipart(longer, "b"), Errc::kInvalid);
}

static void a_file_that_cannot_be_read_is_no_fault_of_the_client() {
  CHECK_ERR(parse_multipart({.fd = -1, .offset = 0, .size = 100, .path = {}}, "b"), Errc::kInternal);
}

static void bare_line_feeds_are_refused_by_name() {
  CHECK(refusal("--b\nContent-Disposition: form-data; name=a\n\nx\n--b--\n").find("CRLF") != std::string::npos);
  CHECK(refusal("--b\r\nContent-Disposition: form-data; name=a\n\nx\r\n--b--\r\n").find("CRLF") != std::string::npos);
  CHECK(refusal("--b\r\nContent-Disposition: form-data; name=a\nX: y\r\n\r\nx\r\n--b--").find("CRLF") !=
        std::string::npos);
  CHECK(refusal(file_part("a", "x") + "--b--\n").find("CRLF") != std::string::npos);
}

static void a_delimiter_among_headers_is_refused() {
  refusal("--b\r\nX: y\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--");
  // With a colon in the boundary the delimiter would read as a header.
  const Body body("--a:b\r\nX: y\r\n--a:b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--a:b--");
  CHECK_ERR(body.parse("a:b"), Errc::kInvalid);
}

static void a_part_without_headers_is_refused() {
  CHECK(refusal("--b\r\n\r\nx\r\n--b--").find("no Content-Disposition") != std::string::npos);
}

static void everything_may_straddle_the_border_of_the_buffer() {
  const std::string boundary = "bound";
  const std::string near_miss = "\r\n--boun";
  const std::string tail = file_part("two", "2", boundary) +
                           "--bound \t\r\nContent-Disposition: form-data; name=n\r\n\r\n" + "\r\n--bound-- \r\n";
  CHECK(tail.size() < 300);
  for (const std::size_t border : {limits::kCopyBufferBytes, 2 * limits::kCopyBufferBytes}) {
    for (std::size_t before = 0; before < 400; ++before) {
      const std::string head = file_part("one", "", boundary);
      std::string content;
      while (content.size() < border) content += near_miss;
      content.resize(border - before - (head.size() - 2) + near_miss.size() * (border / limits::kCopyBufferBytes - 1));
      const Body body(head.substr(0, head.size() - 2) + content + "\r\n" + tail);
      const auto parts = CHECK_OK(body.parse(boundary));
      CHECK_EQ(parts.size(), 3u);
      CHECK(body.content(parts[0]) == content);
      CHECK_EQ(body.content(parts[1]), "2");
      CHECK_EQ(parts[1].name + *parts[1].filename + parts[2].name, "ftwon");
      CHECK_EQ(parts[2].size_bytes, 0u);
    }
  }
}

static void a_hundred_parts_are_taken_and_one_more_is_refused() {
  std::string text;
  for (std::size_t i = 0; i < limits::kParts; ++i) text += i % 2 ? field_part("n", "v") : file_part("a", "x");
  CHECK_EQ(CHECK_OK(Body(text + kEnd).parse()).size(), limits::kParts);
  CHECK(refusal(text + file_part("a", "x") + kEnd, Errc::kTooLarge).find("at most 100 parts") != std::string::npos);
  CHECK(refusal(text + file_part("", "") + kEnd, Errc::kTooLarge).find("at most 100 parts") != std::string::npos);
}

static void a_header_block_may_be_as_long_as_the_limit() {
  const std::string line = "Content-Disposition: form-data; name=a\r\nX: ";
  const auto with_header_bytes = [&](std::size_t size) {
    return "--b\r\n" + line + std::string(size - line.size(), 'y') + "\r\n\r\nx\r\n--b--";
  };
  CHECK_EQ(only_content(with_header_bytes(limits::kPartHeaderBytes)), "x");
  CHECK(refusal(with_header_bytes(limits::kPartHeaderBytes + 1)).find("longer than 8192") != std::string::npos);
}

static void a_boundary_of_seventy_characters_works() {
  const std::string boundary(limits::kBoundaryBytes, '-');
  const std::string dashes(1000, '-');
  CHECK_EQ(only_content(file_part("a", "\r\n" + dashes, boundary) + "--" + boundary + "--", boundary), "\r\n" + dashes);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(parts_come_in_the_order_sent_with_their_ranges),
      CASE(offsets_are_positions_in_the_file),
      CASE(an_empty_form_has_no_parts),
      CASE(preamble_epilogue_and_padding_are_ignored),
      CASE(a_zero_byte_file_is_a_part),
      CASE(a_part_may_end_right_after_its_headers),
      CASE(a_file_input_nobody_filled_in_is_skipped),
      CASE(what_only_resembles_a_delimiter_is_content),
      CASE(a_body_without_its_last_delimiter_is_refused),
      CASE(a_file_shorter_than_announced_is_refused),
      CASE(a_file_that_cannot_be_read_is_no_fault_of_the_client),
      CASE(bare_line_feeds_are_refused_by_name),
      CASE(a_delimiter_among_headers_is_refused),
      CASE(a_part_without_headers_is_refused),
      CASE(everything_may_straddle_the_border_of_the_buffer),
      CASE(a_hundred_parts_are_taken_and_one_more_is_refused),
      CASE(a_header_block_may_be_as_long_as_the_limit),
      CASE(a_boundary_of_seventy_characters_works),
  };
  return RUN_TESTS("multipart", tests);
}
