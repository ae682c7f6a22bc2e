// s3_xml_rules.cc — reads and writes CORSConfiguration and LifecycleConfiguration with pugixml.
#include "storage/s3_xml_rules.h"

#include "storage/s3_xml_load.h"

namespace cloakroom {
namespace {

constexpr const char* kRuleId = "cloakroom";
constexpr const char* kAbortDays = "7";

void add_text(pugi::xml_node parent, const char* name, const std::string& text) {
  parent.append_child(name).text().set(text.c_str());
}

// The root of `now`, or a new one; without our rule.
Result<pugi::xml_node> open_rules(pugi::xml_document& document, std::string_view now, const char* root_name,
                                  const char* rule_name) {
  pugi::xml_node root;
  if (now.empty()) {
    root = document.append_child(root_name);
    root.append_attribute("xmlns") = kS3Namespace;
  } else {
    TRY(load_xml(document, now));
    root = document.child(root_name);
    if (!root) return Error{Errc::kInvalid, std::string("no <") + root_name + ">"};
  }
  for (pugi::xml_node rule = root.child(rule_name); rule;) {
    const pugi::xml_node next = rule.next_sibling(rule_name);
    if (rule.child("ID").text().get() == std::string_view(kRuleId)) root.remove_child(rule);
    rule = next;
  }
  return root;
}

}  // namespace

Result<std::string> with_cors_rule(std::string_view now, std::span<const std::string> origins) {
  pugi::xml_document document;
  TRY_ASSIGN(pugi::xml_node root, open_rules(document, now, "CORSConfiguration", "CORSRule"));
  pugi::xml_node rule = root.append_child("CORSRule");
  add_text(rule, "ID", kRuleId);
  for (const std::string& origin : origins) add_text(rule, "AllowedOrigin", origin);
  for (const char* method : {"GET", "HEAD", "PUT", "POST"}) add_text(rule, "AllowedMethod", method);
  add_text(rule, "AllowedHeader", "*");
  add_text(rule, "ExposeHeader", "ETag");
  add_text(rule, "MaxAgeSeconds", "3600");
  return write_xml(document);
}

Result<std::string> with_abort_rule(std::string_view now, std::string_view key_prefix) {
  pugi::xml_document document;
  TRY_ASSIGN(pugi::xml_node root, open_rules(document, now, "LifecycleConfiguration", "Rule"));
  pugi::xml_node rule = root.append_child("Rule");
  add_text(rule, "ID", kRuleId);
  add_text(rule.append_child("Filter"), "Prefix", std::string(key_prefix));
  add_text(rule, "Status", "Enabled");
  add_text(rule.append_child("AbortIncompleteMultipartUpload"), "DaysAfterInitiation", kAbortDays);
  return write_xml(document);
}

bool has_abort_rule(std::string_view now, std::string_view key_prefix) {
  pugi::xml_document document;
  if (!load_xml(document, now)) return false;
  for (const pugi::xml_node rule : document.child("LifecycleConfiguration").children("Rule")) {
    // An old rule has its prefix beside the filter's place; one with tags or sizes is not for every upload.
    const pugi::xml_node filter = rule.child("Filter");
    std::string_view prefix = filter ? filter.child("Prefix").text().get() : rule.child("Prefix").text().get();
    const pugi::xml_node first = filter.first_child();
    const bool plain = !first || (first.name() == std::string_view("Prefix") && !first.next_sibling());
    if (rule.child("AbortIncompleteMultipartUpload") && plain && key_prefix.starts_with(prefix) &&
        rule.child("Status").text().get() == std::string_view("Enabled")) {
      return true;
    }
  }
  return false;
}

}  // namespace cloakroom
