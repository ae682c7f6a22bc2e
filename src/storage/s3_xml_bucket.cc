// s3_xml_bucket.cc — reads by pugixml; writes by hand, for pugixml leaves CR as it is and readers would lose it.
#include "storage/s3_xml_bucket.h"

#include "base/encode.h"
#include "storage/s3_xml_load.h"

namespace cloakroom {
namespace {

Error wrong_document(const char* root) {
  return Error{Errc::kInvalid, std::string("cannot read the store's answer: no <") + root + "> element"};
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\t':
        out += "&#x9;";
        break;
      case '\n':
        out += "&#xA;";
        break;
      case '\r':
        out += "&#xD;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

void add(std::string& xml, std::string_view name, std::string_view value) {
  xml.append("<").append(name).append(">").append(escaped(value)).append("</").append(name).append(">");
}

}  // namespace

Result<S3ListPage> parse_s3_list(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml, XmlBlanks::kKept));
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) return wrong_document("ListBucketResult");
  const bool is_encoded = ascii_iequal(root.child_value("EncodingType"), "url");
  S3ListPage page;
  page.is_truncated = std::string_view(root.child_value("IsTruncated")) == "true";
  page.is_version_1 = root.child("Marker") && !root.child("KeyCount");
  for (const pugi::xml_node& node : root.children("Contents")) {
    S3ListedObject object;
    TRY_ASSIGN(object.key, listed_name(node.child_value("Key"), is_encoded));
    TRY_ASSIGN(object.size_bytes, parse_u64(node.child_value("Size")));
    if (object.key.empty()) return Error{Errc::kInvalid, "cannot read the store's listing: an object without a key"};
    object.etag = node.child_value("ETag");
    object.last_modified = node.child_value("LastModified");
    page.objects.push_back(std::move(object));
  }
  page.token = root.child_value("NextContinuationToken");  // opaque, never encoded
  TRY_ASSIGN(page.marker, listed_name(root.child_value("NextMarker"), is_encoded));
  if (page.marker.empty() && !page.objects.empty()) page.marker = page.objects.back().key;
  return page;
}

std::string delete_objects_xml(std::span<const std::string_view> keys) {
  std::string xml = std::string("<Delete xmlns=\"") + kS3Namespace + "\"><Quiet>true</Quiet>";
  for (const std::string_view key : keys) {
    xml += "<Object>";
    add(xml, "Key", key);
    xml += "</Object>";
  }
  return xml + "</Delete>";
}

Result<std::vector<S3DeleteFailure>> parse_delete_result(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml, XmlBlanks::kKept));
  const pugi::xml_node root = document.child("DeleteResult");
  if (!root) return wrong_document("DeleteResult");
  std::vector<S3DeleteFailure> failures;
  for (const pugi::xml_node& node : root.children("Error")) {
    failures.push_back({node.child_value("Key"), node.child_value("Code")});
  }
  return failures;
}

Result<std::vector<S3ObjectVersion>> parse_s3_versions(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml, XmlBlanks::kKept));
  const pugi::xml_node root = document.child("ListVersionsResult");
  if (!root) return wrong_document("ListVersionsResult");
  const bool is_encoded = ascii_iequal(root.child_value("EncodingType"), "url");
  std::vector<S3ObjectVersion> versions;
  for (const pugi::xml_node& node : root.children()) {
    const std::string_view name = node.name();
    if (name != "Version" && name != "DeleteMarker") continue;
    S3ObjectVersion version;
    TRY_ASSIGN(version.key, listed_name(node.child_value("Key"), is_encoded));
    version.id = node.child_value("VersionId");
    versions.push_back(std::move(version));
  }
  return versions;
}

}  // namespace cloakroom
