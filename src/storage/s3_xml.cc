// s3_xml.cc — reads S3 error documents with pugixml.
#include "storage/s3_xml.h"

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
  std::string xml = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>";
  xml.append(region).append("</LocationConstraint></CreateBucketConfiguration>");
  return xml;
}

}  // namespace cloakroom
