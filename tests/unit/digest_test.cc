// digest_test.cc — SHA-256 and HMAC against published vectors; comparison of secrets.
#include "base/digest.h"

#include <string>

#include "base/encode.h"
#include "check.h"

using namespace cloakroom;

static void sha256_gives_the_vectors_of_fips_180() {
  CHECK_EQ(hex_encode(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK_EQ(hex_encode(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void a_running_hash_does_not_care_where_it_is_cut() {
  const std::string text(100000, 'x');
  Sha256 hash;
  const auto bytes = std::as_bytes(std::span(text));
  hash.update(bytes.first(1));
  hash.update(bytes.subspan(1, 0));
  hash.update(bytes.subspan(1, 64));
  hash.update(bytes.subspan(65));
  CHECK(hash.finish() == sha256(text));
}

static void hmac_gives_the_vectors_of_rfc_4231() {
  CHECK_EQ(hex_encode(hmac_sha256(as_u8(std::string(20, '\x0b')), "Hi There")),
           "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK_EQ(hex_encode(hmac_sha256(as_u8("Jefe"), "what do ya want for nothing?")),
           "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK_EQ(hex_encode(
               hmac_sha256(as_u8(std::string(131, '\xaa')), "Test Using Larger Than Block-Size Key - Hash Key First")),
           "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void md5_gives_the_vectors_of_rfc_1321() {
  CHECK_EQ(hex_encode(CHECK_OK(md5(""))), "d41d8cd98f00b204e9800998ecf8427e");
  CHECK_EQ(hex_encode(CHECK_OK(md5("message digest"))), "f96b697d7cb7938d525a2f31aaf161d0");
}

static void only_the_same_bytes_are_equal() {
  CHECK(equal_constant_time("", ""));
  CHECK(equal_constant_time(std::string_view("a\0b", 3), std::string_view("a\0b", 3)));
  CHECK(!equal_constant_time(std::string_view("a\0b", 3), std::string_view("a\0c", 3)));
  CHECK(!equal_constant_time("secret", "secre"));
  CHECK(!equal_constant_time("", "x"));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(sha256_gives_the_vectors_of_fips_180), CASE(a_running_hash_does_not_care_where_it_is_cut),
      CASE(hmac_gives_the_vectors_of_rfc_4231),   CASE(md5_gives_the_vectors_of_rfc_1321),
      CASE(only_the_same_bytes_are_equal),
  };
  return RUN_TESTS("digest", tests);
}
