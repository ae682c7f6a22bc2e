// ip_address_test.cc — every spelling of an address becomes one, and nothing else is taken.
#include "base/ip_address.h"

#include "check.h"

using namespace cloakroom;

static void an_address_has_one_spelling() {
  CHECK_EQ(CHECK_OK(canonical_ip("192.0.2.7")), "192.0.2.7");
  CHECK_EQ(CHECK_OK(canonical_ip("2001:DB8:0:0::1")), "2001:db8::1");
  CHECK_EQ(CHECK_OK(canonical_ip("::1")), "::1");
}

static void an_ipv4_address_in_ipv6_is_the_ipv4_one() {
  CHECK_EQ(CHECK_OK(canonical_ip("::ffff:192.0.2.7")), "192.0.2.7");
  CHECK_EQ(CHECK_OK(canonical_ip("::FFFF:c000:207")), "192.0.2.7");
}

static void what_is_no_address_is_refused() {
  for (const char* text : {"", "unix:", "localhost", "192.0.2", "192.0.2.256", "192.0.2.07", "0x7f.0.0.1", "1.2.3.4:80",
                           "[::1]", "fe80::1%eth0", "2001:db8::/32", " 192.0.2.7", "1.2.3.4\n",
                           "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111"}) {
    CHECK_ERR(canonical_ip(text), Errc::kInvalid);
  }
  CHECK_ERR(canonical_ip(std::string_view("1.2.3.4\0", 8)), Errc::kInvalid);
}

static void a_client_has_an_ipv4_address_or_a_64th_part_of_ipv6() {
  CHECK_EQ(CHECK_OK(client_network("192.0.2.7")), "192.0.2.7");
  CHECK_EQ(CHECK_OK(client_network("::ffff:192.0.2.7")), "192.0.2.7");
  CHECK_EQ(CHECK_OK(client_network("2001:db8:1:2:3:4:5:6")), "2001:db8:1:2::");
  CHECK_EQ(CHECK_OK(client_network("2001:db8:1:2::9")), "2001:db8:1:2::");
  CHECK_EQ(CHECK_OK(client_network("2001:db8:1:3::9")), "2001:db8:1:3::");
  CHECK_ERR(client_network("unix:"), Errc::kInvalid);
  CHECK_ERR(client_network(""), Errc::kInvalid);
}

static void a_network_has_as_many_bits_as_its_kind() {
  for (const char* text : {"192.0.2.7", "10.0.0.0/8", "0.0.0.0/0", "10.0.0.1/32", "2001:db8::/32", "::1", "::/128"}) {
    CHECK(is_network(text));
  }
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "2001:db8::/129", "10.0.0.0/8/8", "10.0.0.0/-1",
                           "10.0.0.0/8;", "proxy", "10.0.0.0 /8"}) {
    CHECK(!is_network(text));
  }
}

int main() {
  const CMUnitTest tests[] = {
      CASE(an_address_has_one_spelling),
      CASE(an_ipv4_address_in_ipv6_is_the_ipv4_one),
      CASE(what_is_no_address_is_refused),
      CASE(a_client_has_an_ipv4_address_or_a_64th_part_of_ipv6),
      CASE(a_network_has_as_many_bits_as_its_kind),
  };
  return RUN_TESTS("ip_address", tests);
}
