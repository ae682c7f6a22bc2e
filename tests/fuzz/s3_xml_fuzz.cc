// s3_xml_fuzz.cc — any document of a store: read without a fault.
//
// Input    the document
#include <cstdint>
#include <string_view>

#include "storage/s3_xml.h"
#include "storage/s3_xml_bucket.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view xml(reinterpret_cast<const char*>(data), size);
  (void)parse_s3_error(xml);
  (void)xml_root(xml);
  (void)parse_delete_result(xml);
  if (const auto etag = parse_copied_etag(xml); etag && etag->empty()) BUG("a part without an ETag");
  if (const auto page = parse_s3_list(xml)) {
    for (const S3ListedObject& object : page->objects) {
      if (object.key.empty()) BUG("an object without a key");
    }
    if (!page->objects.empty() && page->marker.empty()) BUG("a page with objects has no marker");
  }
  (void)parse_s3_versions(xml);
  return 0;
}
