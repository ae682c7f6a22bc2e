// nginx_include.h — the nginx includes of an instance, rendered from the templates in nginx/*.in and the settings.
//
// Shape    @NAME@ is replaced; "#:if word" … "#:end" keeps lines when the word holds; "#:include word" puts word.inc.in
// there. Errors   kInternal a template is missing or names something unknown; kInvalid the S3 endpoint cannot be split.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/config.h"

namespace cloakroom {

struct NginxIncludes {
  std::string http, server;
};
Result<NginxIncludes> render_nginx(const Config& config, const std::string& template_folder);

// For tests: one template with explicit values.
struct TemplateInput {
  std::map<std::string, std::string> values;
  std::set<std::string> conditions;
  std::map<std::string, std::string> parts;  // for #:include
};
Result<std::string> render_template(const std::string& text, const TemplateInput& input);

}  // namespace cloakroom
