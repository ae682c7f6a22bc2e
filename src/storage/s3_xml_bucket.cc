// s3_xml_bucket.cc — reads by pugixml; writes by hand, for pugixml leaves CR as it is and readers would lose it.
#include "storage/s3_xml_bucket.h"

#include <algorithm>
#include <array>

#include "base/encode.h"
#include "storage/s3_xml_load.h"

namespace cloakroom {
namespace {

constexpr std::string_view kNamespace = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

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

void add_all(std::string& xml, std::string_view name, std::span<const std::string> values) {
  for (const std::string& value : values) add(xml, name, value);
}

std::vector<std::string> all_of(const pugi::xml_node& parent, const char* name) {
  std::vector<std::string> values;
  for (const pugi::xml_node& node : parent.children(name)) values.emplace_back(node.child_value());
  return values;
}

Result<std::string> decoded(std::string_view text, bool is_encoded) {
  if (!is_encoded) return std::string(text);
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return percent_decode(spaced);
}

Result<unsigned> days(const pugi::xml_node& node) {
  const std::string_view text = node.child_value();
  if (!node || text.empty()) return 0U;
  TRY_ASSIGN(const std::uint64_t value, parse_u64(text));
  return static_cast<unsigned>(std::min<std::uint64_t>(value, 1000000));
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
    TRY_ASSIGN(object.key, decoded(node.child_value("Key"), is_encoded));
    TRY_ASSIGN(object.size_bytes, parse_u64(node.child_value("Size")));
    if (object.key.empty()) return Error{Errc::kInvalid, "cannot read the store's listing: an object without a key"};
    object.etag = node.child_value("ETag");
    object.last_modified = node.child_value("LastModified");
    page.objects.push_back(std::move(object));
  }
  page.token = root.child_value("NextContinuationToken");  // opaque, never encoded
  TRY_ASSIGN(page.marker, decoded(root.child_value("NextMarker"), is_encoded));
  if (page.marker.empty() && !page.objects.empty()) page.marker = page.objects.back().key;
  return page;
}

std::string delete_objects_xml(std::span<const std::string_view> keys) {
  std::string xml = "<Delete" + std::string(kNamespace) + "><Quiet>true</Quiet>";
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

std::string cors_xml(std::span<const S3CorsRule> rules) {
  std::string xml = "<CORSConfiguration" + std::string(kNamespace) + ">";
  for (const S3CorsRule& rule : rules) {
    xml += "<CORSRule>";
    add_all(xml, "AllowedOrigin", rule.allowed_origins);
    add_all(xml, "AllowedMethod", rule.allowed_methods);
    add_all(xml, "AllowedHeader", rule.allowed_headers);
    add_all(xml, "ExposeHeader", rule.exposed_headers);
    if (rule.max_age.count() > 0) add(xml, "MaxAgeSeconds", std::to_string(rule.max_age.count()));
    xml += "</CORSRule>";
  }
  return xml + "</CORSConfiguration>";
}

Result<std::vector<S3CorsRule>> parse_cors(std::string_view xml) {
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  const pugi::xml_node root = document.child("CORSConfiguration");
  if (!root) return wrong_document("CORSConfiguration");
  std::vector<S3CorsRule> rules;
  for (const pugi::xml_node& node : root.children("CORSRule")) {
    S3CorsRule rule{all_of(node, "AllowedOrigin"), all_of(node, "AllowedMethod"), all_of(node, "AllowedHeader"),
                    all_of(node, "ExposeHeader")};
    if (const std::string_view age = node.child_value("MaxAgeSeconds"); !age.empty()) {
      TRY_ASSIGN(const std::uint64_t seconds, parse_u64(age));
      rule.max_age = std::chrono::seconds(std::min<std::uint64_t>(seconds, 1U << 30));
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::string lifecycle_xml(std::span<const S3LifecycleRule> rules) {
  std::string xml = "<LifecycleConfiguration" + std::string(kNamespace) + ">";
  for (const S3LifecycleRule& rule : rules) {
    xml += "<Rule>";
    add(xml, "ID", rule.id);
    xml += "<Filter>";
    add(xml, "Prefix", rule.prefix);
    xml += "</Filter>";
    add(xml, "Status", rule.is_enabled ? "Enabled" : "Disabled");
    if (rule.expire_days > 0) {
      xml += "<Expiration>";
      add(xml, "Days", std::to_string(rule.expire_days));
      xml += "</Expiration>";
    }
    if (rule.abort_multipart_days > 0) {
      xml += "<AbortIncompleteMultipartUpload>";
      add(xml, "DaysAfterInitiation", std::to_string(rule.abort_multipart_days));
      xml += "</AbortIncompleteMultipartUpload>";
    }
    xml += "</Rule>";
  }
  return xml + "</LifecycleConfiguration>";
}

Result<std::vector<S3LifecycleRule>> parse_lifecycle(std::string_view xml) {
  static constexpr std::array<std::string_view, 6> kKnown{"ID",     "Prefix",     "Filter",
                                                          "Status", "Expiration", "AbortIncompleteMultipartUpload"};
  pugi::xml_document document;
  TRY(load_xml(document, xml));
  const pugi::xml_node root = document.child("LifecycleConfiguration");
  if (!root) return wrong_document("LifecycleConfiguration");
  std::vector<S3LifecycleRule> rules;
  for (const pugi::xml_node& node : root.children("Rule")) {
    const pugi::xml_node filter = node.child("Filter");
    const pugi::xml_node expiration = node.child("Expiration");
    S3LifecycleRule rule;
    rule.id = node.child_value("ID");
    rule.prefix = filter.child("Prefix") ? filter.child_value("Prefix") : node.child_value("Prefix");
    rule.is_enabled = std::string_view(node.child_value("Status")) == "Enabled";
    TRY_ASSIGN(rule.expire_days, days(expiration.child("Days")));
    TRY_ASSIGN(rule.abort_multipart_days,
               days(node.child("AbortIncompleteMultipartUpload").child("DaysAfterInitiation")));
    for (const pugi::xml_node& child : node.children()) {
      rule.has_more = rule.has_more || std::find(kKnown.begin(), kKnown.end(), child.name()) == kKnown.end();
    }
    for (const pugi::xml_node& child : filter.children()) {
      rule.has_more = rule.has_more || std::string_view(child.name()) != "Prefix";
    }
    for (const pugi::xml_node& child : expiration.children()) {
      rule.has_more = rule.has_more || std::string_view(child.name()) != "Days";
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace cloakroom
