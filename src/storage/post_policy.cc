// post_policy.cc — writes the policy and signs its base64 text.
#include "storage/post_policy.h"

#include <algorithm>
#include <limits>

#include "base/encode.h"
#include "base/json.h"

namespace cloakroom {
namespace {

constexpr std::uint64_t kMostBytes = std::numeric_limits<json_int_t>::max();

Status check(const PostPolicyInput& input, const FormFields& fields) {
  const auto bad = [](const std::string& why) { return Error{Errc::kInvalid, "cannot sign a POST policy: " + why}; };
  if (input.key.empty()) return bad("no key");
  if (input.min_bytes > input.max_bytes || input.max_bytes > kMostBytes) return bad("not a range of sizes");
  if (input.expires < std::chrono::seconds(1) || input.expires > kPresignMaximum) {
    return bad("lifetime of " + std::to_string(input.expires.count()) + " seconds is not within 1..604800");
  }
  std::vector<std::string> names{"policy", "x-amz-signature", "file"};
  for (const FormField& field : fields) {
    std::string name = ascii_lower(field.name);
    if (std::find(names.begin(), names.end(), name) != names.end()) return bad("field '" + name + "' is there twice");
    if (name.empty() || has_control(name) || !is_utf8(name)) return bad("a field has no proper name");
    if (has_control(field.value) || !is_utf8(field.value) || field.value.find("${filename}") != std::string::npos) {
      return bad("the value of field '" + name + "' cannot stand in it");
    }
    names.push_back(std::move(name));
  }
  return Ok{};
}

std::string policy_json(const PostPolicyInput& input, const FormFields& fields) {
  Json conditions(json_array());
  for (const FormField& field : fields) {
    json_t* const condition = json_object();
    json_object_set_new(condition, field.name.c_str(), json_text(field.value).release());
    json_array_append_new(conditions.get(), condition);
  }
  json_array_append_new(conditions.get(),
                        json_pack("[s, I, I]", "content-length-range", static_cast<json_int_t>(input.min_bytes),
                                  static_cast<json_int_t>(input.max_bytes)));
  const TimePoint end = TimePoint(unix_seconds(input.now)) + input.expires;
  const Json policy(json_pack("{s:s, s:o}", "expiration", iso8601_ms(end).c_str(), "conditions", conditions.release()));
  return dump_json(policy);
}

}  // namespace

namespace post_policy_stage {

std::string signature(std::string_view policy, TimePoint now, const SigningContext& context) {
  const StoreHeaders none;
  return sigv4_stage::signature(policy, {"POST", "/", "", none, kUnsignedPayload, now}, context);
}

}  // namespace post_policy_stage

Result<FormFields> post_policy_form(const PostPolicyInput& input, const SigningContext& context) {
  const std::string date = amz_date(input.now);
  std::string credential = context.credentials.access_key_id;
  credential.append("/").append(date, 0, 8).append("/").append(context.region).append("/");
  credential.append(context.service).append("/aws4_request");

  FormFields fields{{"key", std::string(input.key)},
                    {"bucket", std::string(input.bucket)},
                    {"Content-Type", std::string(input.content_type)},
                    {"success_action_status", "201"}};
  for (const StoreHeader& field : input.extra) fields.push_back({field.name, field.value});
  fields.push_back({"x-amz-algorithm", "AWS4-HMAC-SHA256"});
  fields.push_back({"x-amz-credential", std::move(credential)});
  fields.push_back({"x-amz-date", date});
  const std::string& token = context.credentials.session_token;
  if (!token.empty()) fields.push_back({"x-amz-security-token", token});
  TRY(check(input, fields));

  std::string policy = base64_encode(policy_json(input, fields));
  std::string signature = post_policy_stage::signature(policy, input.now, context);
  fields.push_back({"policy", std::move(policy)});
  fields.push_back({"x-amz-signature", std::move(signature)});
  return fields;
}

}  // namespace cloakroom
