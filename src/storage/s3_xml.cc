// s3_xml.cc — reads and writes the XML of S3 with pugixml.
#include "storage/s3_xml.h"

#include <algorithm>

#include "base/encode.h"
#include "storage/s3_xml_load.h"

namespace cloakroom {

Status load_xml(pugi::xml_document& document, std::string_view xml, XmlBlanks blanks) {
  // parse_doctype stays off: pugixml skips a DTD and never expands entities of its own.
  constexpr unsigned kAlways = pugi::parse_escapes | pugi::parse_cdata | pugi::parse_eol;
  const unsigned options =
      kAlways | (blanks == XmlBlanks::kTrimmed ? pugi::parse_trim_pcdata : pugi::parse_ws_pcdata_single);
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size(), options);
  if (!parsed) return Error{Errc::kInvalid, std::string("cannot read the store's answer: ") + parsed.description()};
  return Ok{};
}

std::string write_xml(const pugi::xml_document& document) {
  struct Text final : pugi::xml_writer {
    void write(const void* data, std::size_t size) override { all.append(static_cast<const char*>(data), size); }
    std::string all;
  } text;
  document.save(text, "", pugi::format_raw | pugi::format_no_declaration);
  return std::move(text.all);
}

Result<std::string> listed_name(std::string_view text, bool is_encoded) {
  std::string name(text);
  if (!is_encoded) return name;
  std::replace(name.begin(), name.end(), '+', ' ');
  return percent_decode(name);
}

Result<std::string> xml_root(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  return std::string(document.document_element().name());
}

Result<S3ErrorBody> parse_s3_error(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  const pugi::xml_node root = document.child("Error");
  if (!root) return Error{Errc::kInvalid, "cannot read the store's answer: no <Error> element"};
  return S3ErrorBody{root.child_value("Code"), root.child_value("Message"), root.child_value("Region")};
}

std::string create_bucket_xml(std::string_view region) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CreateBucketConfiguration");
  root.append_attribute("xmlns").set_value(kS3Namespace);
  root.append_child("LocationConstraint").text().set(std::string(region).c_str());
  return write_xml(document);
}

namespace {

Error no_element(const char* name) {
  return Error{Errc::kInvalid, std::string("cannot read the store's answer: no <") + name + ">"};
}

}  // namespace

Result<std::string> parse_upload_id(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  std::string id = document.child("InitiateMultipartUploadResult").child_value("UploadId");
  if (id.empty()) return no_element("UploadId");
  return id;
}

Result<std::string> parse_copied_etag(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  std::string etag = document.child("CopyPartResult").child_value("ETag");
  if (etag.empty()) return no_element("ETag");
  return etag;
}

std::string complete_multipart_xml(std::span<const S3Part> parts) {
  pugi::xml_document document;
  pugi::xml_node root = document.append_child("CompleteMultipartUpload");
  root.append_attribute("xmlns").set_value(kS3Namespace);
  for (const S3Part& part : parts) {
    pugi::xml_node node = root.append_child("Part");
    node.append_child("PartNumber").text().set(part.number);
    node.append_child("ETag").text().set(part.etag.c_str());
  }
  return write_xml(document);
}

Result<S3UploadPage> parse_upload_page(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  const pugi::xml_node root = document.child("ListMultipartUploadsResult");
  if (!root) return no_element("ListMultipartUploadsResult");
  const bool encoded = std::string_view(root.child_value("EncodingType")) == "url";
  S3UploadPage page;
  for (const pugi::xml_node node : root.children("Upload")) {
    S3Upload upload;
    TRY_ASSIGN(upload.key, listed_name(node.child_value("Key"), encoded));
    upload.id = node.child_value("UploadId");
    TRY_ASSIGN(upload.initiated, parse_iso8601(node.child_value("Initiated")));
    if (upload.key.empty() || upload.id.empty()) return no_element("UploadId");
    page.uploads.push_back(std::move(upload));
  }
  page.truncated = std::string_view(root.child_value("IsTruncated")) == "true";
  if (page.truncated) {
    TRY_ASSIGN(page.next_key, listed_name(root.child_value("NextKeyMarker"), encoded));
    page.next_id = root.child_value("NextUploadIdMarker");
  }
  return page;
}

}  // namespace cloakroom
