// encode_test.cc — hex, base64, percent coding and the checks of text: what is written, what is read, what is refused.
#include "base/encode.h"

#include <string>

#include "base/digest.h"
#include "check.h"

using namespace cloakroom;

namespace {

std::string all_bytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

}  // namespace

static void hex_is_lowercase_and_read_in_any_case() {
  CHECK_EQ(hex_encode(as_u8(std::string_view("\x00\x7f\xff", 3))), "007fff");
  CHECK_EQ(CHECK_OK(hex_decode("00FFaB")), std::string("\x00\xff\xab", 3));
  CHECK_EQ(CHECK_OK(hex_decode(hex_encode(as_u8(all_bytes())))), all_bytes());
  CHECK_EQ(CHECK_OK(hex_decode("")), "");
}

static void what_is_not_hex_is_refused() {
  for (const char* text : {"0", "abc", "0g", "g0", " 00", "0x", "\xc3\xbc"})
    CHECK_ERR(hex_decode(text), Errc::kInvalid);
}

static void base64_gives_the_vectors_of_rfc_4648() {
  const char* const vectors[][2] = {{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK_EQ(base64_encode(plain), encoded);
    std::string url = encoded;
    while (url.ends_with('=')) url.pop_back();
    CHECK_EQ(base64url_encode(plain), url);
    CHECK_EQ(CHECK_OK(base64url_decode(url)), plain);
  }
}

static void base64url_uses_its_own_alphabet_and_carries_every_byte() {
  CHECK_EQ(base64url_encode("\xfb\xff\xfe"), "-__-");
  CHECK_EQ(CHECK_OK(base64url_decode("-__-")), "\xfb\xff\xfe");
  for (std::size_t size = 250; size <= 256; ++size) {
    const std::string bytes = all_bytes().substr(256 - size);
    CHECK_EQ(CHECK_OK(base64url_decode(base64url_encode(bytes))), bytes);
  }
}

static void base64url_refuses_padding_other_alphabets_and_impossible_lengths() {
  for (const char* text : {"Zg==", "Zm8=", "+/+/", "Zm9v\n", " Zm9v", "Zm9v ", "Z", "Zm9vY", "Zm.v", "Zm~v", "Zm\xc3v"})
    CHECK_ERR(base64url_decode(text), Errc::kInvalid);
}

static void percent_keeps_the_unreserved_and_encodes_the_rest() {
  CHECK_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  CHECK_EQ(percent_encode("a b/%\"\xc3\x9c+"), "a%20b%2F%25%22%C3%9C%2B");
  CHECK_EQ(percent_encode_path("a b/%/\xc3\x9c?#"), "a%20b/%25/%C3%9C%3F%23");
  CHECK_EQ(percent_encode(std::string_view("\0\r\n", 3)), "%00%0D%0A");
}

static void percent_decoding_undoes_it_once() {
  CHECK_EQ(CHECK_OK(percent_decode(percent_encode(all_bytes().substr(1)))), all_bytes().substr(1));
  CHECK_EQ(CHECK_OK(percent_decode("%2525%2f+")), "%25/+");
  CHECK_EQ(CHECK_OK(percent_decode("")), "");
}

static void bad_escapes_and_a_nul_are_refused() {
  for (const char* text : {"%", "a%2", "%zz", "%2g", "%g2", "%%41", "a%00b", "% 41"})
    CHECK_ERR(percent_decode(text), Errc::kInvalid);
}

static void utf8_is_told_from_what_only_looks_like_it() {
  for (const char* good : {"", "abc", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
    CHECK(is_utf8(good));
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\xaf", "\xc1\xbf", "\xc2", "\xc2\x41", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf",
        "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "ok\xf0\x9f\x93"})
    CHECK(!is_utf8(bad));
}

static void control_characters_are_those_of_ascii() {
  for (const char c : {'\0', '\x01', '\t', '\r', '\n', '\x1f', '\x7f'}) CHECK(has_control(std::string("a") + c + "b"));
  CHECK(!has_control(" ~\xc3\xbc\xff"));
  CHECK(is_plain_ascii("") && is_plain_ascii(" !\"aZ~"));
  for (const char c : {'\0', '\x1f', '\n', '\x7f', '\x80', '\xc3', '\xff'})
    CHECK(!is_plain_ascii(std::string("a") + c));
}

static void only_ascii_letters_change_case() {
  CHECK_EQ(ascii_lower("AZ@[`{\xc3\x9c"), "az@[`{\xc3\x9c");
  CHECK(ascii_iequal("Bearer", "bEARER"));
  CHECK(!ascii_iequal("bearer", "beare"));
  CHECK(!ascii_iequal("@", "`"));  // one bit apart, as 'A' and 'a' are
}

static void a_number_is_the_whole_text_or_nothing() {
  CHECK_EQ(CHECK_OK(parse_u64("0")), 0u);
  CHECK_EQ(CHECK_OK(parse_u64("18446744073709551615")), UINT64_MAX);
  for (const char* text : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "1.0", "0x1", "1e3", "one"})
    CHECK_ERR(parse_u64(text), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(hex_is_lowercase_and_read_in_any_case),
      CASE(what_is_not_hex_is_refused),
      CASE(base64_gives_the_vectors_of_rfc_4648),
      CASE(base64url_uses_its_own_alphabet_and_carries_every_byte),
      CASE(base64url_refuses_padding_other_alphabets_and_impossible_lengths),
      CASE(percent_keeps_the_unreserved_and_encodes_the_rest),
      CASE(percent_decoding_undoes_it_once),
      CASE(bad_escapes_and_a_nul_are_refused),
      CASE(utf8_is_told_from_what_only_looks_like_it),
      CASE(control_characters_are_those_of_ascii),
      CASE(only_ascii_letters_change_case),
      CASE(a_number_is_the_whole_text_or_nothing),
  };
  return RUN_TESTS("encode", tests);
}
