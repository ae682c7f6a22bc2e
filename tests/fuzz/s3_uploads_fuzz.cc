// s3_uploads_fuzz.cc — any answer about multipart uploads: what is read of it can be asked for again.
#include <cstdint>
#include <string>

#include "storage/s3_xml.h"

using namespace cloakroom;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view xml(reinterpret_cast<const char*>(data), size);

  if (const auto id = parse_upload_id(xml); id && id->empty()) BUG("an upload without an id");

  const auto page = parse_upload_page(xml);
  if (!page) return 0;
  for (const S3Upload& upload : page->uploads) {
    if (upload.key.empty() || upload.id.empty()) BUG("an upload without a name");
    if (upload.key.find('\0') != std::string::npos) BUG("a key with an end inside");
    // what the store calls a part goes back to it as it is, whatever it is
    const std::vector<S3Part> parts{{1, upload.id}};
    const auto root = xml_root(complete_multipart_xml(parts));
    if (!root || *root != "CompleteMultipartUpload") BUG("a completion that is no XML");
  }
  if (!page->truncated && (!page->next_key.empty() || !page->next_id.empty())) BUG("a page after the last");
  return 0;
}
