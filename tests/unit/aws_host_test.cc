// aws_host_test.cc — which hosts are AWS's, and where its services are.
#include "base/aws_host.h"

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

void a_service_is_below_the_domain_of_its_region() {
  CHECK_EQ(aws_url("s3", "eu-west-1"), "https://s3.eu-west-1.amazonaws.com");
  CHECK_EQ(aws_url("sts", ""), "https://sts.us-east-1.amazonaws.com");
  CHECK_EQ(aws_url("s3", "cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
  CHECK_EQ(aws_url("sts", "cn-northwest-1"), "https://sts.cn-northwest-1.amazonaws.com.cn");
  CHECK_EQ(aws_url("s3", "us-gov-west-1"), "https://s3.us-gov-west-1.amazonaws.com");
}

void only_hosts_below_its_domains_are_of_aws() {
  for (const char* host : {"s3.amazonaws.com", "s3.eu-west-1.amazonaws.com", "s3.cn-north-1.amazonaws.com.cn"}) {
    CHECK(is_aws_host(host));
  }
  for (const char* host :
       {"", "amazonaws.com", ".amazonaws.com", "amazonaws.com.cn", "notamazonaws.com", "s3.amazonaws.cn",
        "s3.amazonaws.com.evil.example", "s3.amazonaws.com.cn.evil.example", "minio"}) {
    CHECK(!is_aws_host(host));
    CHECK_EQ(aws_region_in(host), "");
  }
}

void a_region_is_the_label_before_the_domain() {
  CHECK_EQ(aws_region_in("s3.eu-west-1.amazonaws.com"), "eu-west-1");
  CHECK_EQ(aws_region_in("s3.dualstack.cn-north-1.amazonaws.com.cn"), "cn-north-1");
  CHECK_EQ(aws_region_in("s3.amazonaws.com"), "");
  CHECK_EQ(aws_region_in("s3-accelerate.amazonaws.com"), "");
}

void a_host_is_taken_from_its_url() {
  CHECK_EQ(url_host("https://S3.EU-West-1.amazonaws.com:443/"), "s3.eu-west-1.amazonaws.com");
  CHECK_EQ(url_host("http://minio/"), "minio");
  CHECK_EQ(url_host("minio:9000"), "minio");
  CHECK_EQ(url_host(""), "");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_service_is_below_the_domain_of_its_region),
      CASE(only_hosts_below_its_domains_are_of_aws),
      CASE(a_region_is_the_label_before_the_domain),
      CASE(a_host_is_taken_from_its_url),
  };
  return RUN_TESTS("aws_host", tests);
}
