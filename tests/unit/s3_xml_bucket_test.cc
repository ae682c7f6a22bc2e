// s3_xml_bucket_test.cc — documents about a bucket, as stores write them and as nobody should.
#include "storage/s3_xml_bucket.h"

#include <string>

#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

std::string listing(const std::string& inside) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">" +
         inside + "</ListBucketResult>";
}

std::string object(const std::string& key) {
  return "<Contents><Key>" + key + "</Key><LastModified>2026-01-31T09:30:00.000Z</LastModified>" +
         "<ETag>&quot;e1&quot;</ETag><Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>";
}

std::string only_key(const std::string& xml) {
  const S3ListPage page = CHECK_OK(parse_s3_list(xml));
  CHECK_EQ(page.objects.size(), 1U);
  return page.objects[0].key;
}

void a_page_is_read() {
  const S3ListPage page = CHECK_OK(parse_s3_list(
      listing("<Name>files</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>"
              "<NextContinuationToken>1/a+b==</NextContinuationToken><EncodingType>url</EncodingType>" +
              object("a%2Fb+c%2Bd.txt") + object("z"))));
  CHECK_EQ(page.objects.size(), 2U);
  CHECK_EQ(page.objects[0].key, "a/b c+d.txt");
  CHECK_EQ(page.objects[0].size_bytes, 7U);
  CHECK_EQ(page.objects[0].etag, "\"e1\"");
  CHECK_EQ(page.objects[0].last_modified, "2026-01-31T09:30:00.000Z");
  CHECK(page.is_truncated && !page.is_version_1);
  CHECK_EQ(page.token, "1/a+b==");  // never decoded
}

void names_are_decoded_only_when_the_answer_says_so() {
  CHECK_EQ(only_key(listing(object("a+b%20c"))), "a+b%20c");
  CHECK_EQ(only_key(listing("<EncodingType>url</EncodingType>" + object("a+b%20c"))), "a b c");
  CHECK_EQ(only_key(listing("<EncodingType>url</EncodingType>" + object("%C3%BC%0D%0A"))), "\xC3\xBC\r\n");
  CHECK_ERR(parse_s3_list(listing("<EncodingType>url</EncodingType>" + object("a%2"))), Errc::kInvalid);
  CHECK_ERR(parse_s3_list(listing("<EncodingType>url</EncodingType>" + object("a%00"))), Errc::kInvalid);
}

void blanks_around_a_name_belong_to_it() {
  CHECK_EQ(only_key(listing(object(" a "))), " a ");
  CHECK_EQ(only_key(listing(object("  "))), "  ");
  CHECK_EQ(only_key(listing(object("&lt;a&gt;&amp;&#13;"))), "<a>&\r");
}

void an_answer_of_version_1_goes_on_at_its_marker() {
  const std::string head = "<Marker></Marker><IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>";
  const S3ListPage last_key = CHECK_OK(parse_s3_list(listing(head + object("a") + object("b+c"))));
  CHECK(last_key.is_version_1);
  CHECK_EQ(last_key.marker, "b c");
  const S3ListPage told = CHECK_OK(parse_s3_list(listing(head + "<NextMarker>x+y</NextMarker>" + object("a"))));
  CHECK_EQ(told.marker, "x y");
  CHECK(!CHECK_OK(parse_s3_list(listing("<KeyCount>0</KeyCount>"))).is_version_1);
}

void what_is_no_listing_is_refused() {
  for (const std::string& xml :
       {std::string(), std::string("<ListBucketResult>"), std::string("<Error><Code>SlowDown</Code></Error>"),
        listing("<Contents><Size>1</Size></Contents>"), listing("<Contents><Key>a</Key><Size>-1</Size></Contents>"),
        listing("<Contents><Key>a</Key></Contents>"), listing(object("a")).substr(0, 200)}) {
    CHECK_ERR(parse_s3_list(xml), Errc::kInvalid);
  }
}

void a_removal_names_its_keys_escaped() {
  const std::vector<std::string_view> keys{"a<b>&\"'c", "d\re\nf\tg", "\xC3\xBC"};
  CHECK_EQ(delete_objects_xml(keys),
           "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
           "<Object><Key>a&lt;b&gt;&amp;&quot;'c</Key></Object><Object><Key>d&#xD;e&#xA;f&#x9;g</Key></Object>"
           "<Object><Key>\xC3\xBC</Key></Object></Delete>");
}

void each_failure_of_a_removal_is_read() {
  const auto failures = CHECK_OK(parse_delete_result(
      "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key> b&amp; </Key><Code>AccessDenied</Code>"
      "<Message>no</Message></Error><Error><Key>c</Key><Code>InternalError</Code></Error></DeleteResult>"));
  CHECK_EQ(failures.size(), 2U);
  CHECK_EQ(failures[0].key, " b& ");
  CHECK_EQ(failures[0].code, "AccessDenied");
  CHECK_EQ(failures[1].code, "InternalError");
  CHECK(CHECK_OK(parse_delete_result("<DeleteResult/>")).empty());
  CHECK_ERR(parse_delete_result("<Error><Code>x</Code></Error>"), Errc::kInvalid);
  CHECK_ERR(parse_delete_result("<DeleteResult><Error>"), Errc::kInvalid);
}

void versions_and_markers_are_read() {
  const auto found = CHECK_OK(parse_s3_versions(
      "<ListVersionsResult><Prefix>a</Prefix><Version><Key> a+b </Key><VersionId>v1</VersionId></Version>"
      "<DeleteMarker><Key>c</Key><VersionId>null</VersionId></DeleteMarker><CommonPrefixes/></ListVersionsResult>"));
  CHECK_EQ(found.size(), 2U);
  CHECK_EQ(found[0].key, " a+b ");
  CHECK_EQ(found[0].id, "v1");
  CHECK_EQ(found[1].key, "c");
  CHECK_EQ(found[1].id, "null");
  const std::string encoded = "<ListVersionsResult><EncodingType>url</EncodingType><Version><Key>a+b%2B";
  CHECK_EQ(CHECK_OK(parse_s3_versions(encoded + "</Key></Version></ListVersionsResult>"))[0].key, "a b+");
  CHECK_ERR(parse_s3_versions(encoded + "%zz</Key></Version></ListVersionsResult>"), Errc::kInvalid);
  CHECK_ERR(parse_s3_versions(encoded), Errc::kInvalid);
  CHECK_ERR(parse_s3_versions(listing(object("a"))), Errc::kInvalid);
}

void entities_of_a_document_type_are_not_expanded() {
  CHECK_EQ(only_key("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\"><!ENTITY b \"&a;&a;\">]>" +
                    listing(object("&b;"))),
           "&b;");
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_page_is_read),
      CASE(names_are_decoded_only_when_the_answer_says_so),
      CASE(blanks_around_a_name_belong_to_it),
      CASE(an_answer_of_version_1_goes_on_at_its_marker),
      CASE(what_is_no_listing_is_refused),
      CASE(a_removal_names_its_keys_escaped),
      CASE(each_failure_of_a_removal_is_read),
      CASE(versions_and_markers_are_read),
      CASE(entities_of_a_document_type_are_not_expanded),
  };
  return RUN_TESTS("s3_xml_bucket", tests);
}
