// sigv4_driver.cc — signs what it reads, for sigv4_botocore to compare: one JSON object a line in, one a line out.
//
// Shape    in   kind (headers, presign, post), key, query [[name, value]], headers [[name, value]], … all as they are,
//               before any encoding
//          out  every stage: path, query, canonical, to_sign, authorization; or the fields of the form; or error
#include <iostream>
#include <string>

#include "base/encode.h"
#include "base/json.h"
#include "storage/post_policy.h"
#include "storage/s3_endpoint.h"
#include "storage/sigv4.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

class Question {
 public:
  explicit Question(const Json& json) : json_(json.get()) {}
  std::string text(const char* name) const {
    const json_t* value = json_object_get(json_, name);
    return {json_string_value(value), json_string_length(value)};
  }
  json_int_t number(const char* name) const { return json_integer_value(json_object_get(json_, name)); }
  StoreHeaders pairs(const char* name) const {
    StoreHeaders out;
    std::size_t index = 0;
    const json_t* pair = nullptr;
    json_array_foreach(json_object_get(json_, name), index, pair) {
      out.push_back({json_string_value(json_array_get(pair, 0)), json_string_value(json_array_get(pair, 1))});
    }
    return out;
  }

 private:
  const json_t* json_;
};

using Answer = StoreHeaders;

std::string query_text(const StoreHeaders& items) {
  std::string out;
  for (const StoreHeader& item : items) {
    out += (out.empty() ? "" : "&") + percent_encode(item.name) + "=" + percent_encode(item.value);
  }
  return out;
}

Result<Answer> sign(const Question& q) {
  const Credentials credentials{q.text("access"), q.text("secret"), q.text("token")};
  SigningKeyCache keys;
  const std::string region = q.text("region");
  const SigningContext context{credentials, region, keys};
  const TimePoint now{std::chrono::seconds(q.number("time"))};
  const std::chrono::seconds expires{q.number("expires")};
  const std::string kind = q.text("kind");
  const std::string bucket = q.text("bucket");
  const std::string key = q.text("key");
  const std::string method = q.text("method");
  if (kind == "post") {
    const std::string type = q.text("type");
    TRY_ASSIGN(const FormFields fields, post_policy_form({.bucket = bucket,
                                                          .key = key,
                                                          .content_type = type,
                                                          .min_bytes = static_cast<std::uint64_t>(q.number("min")),
                                                          .max_bytes = static_cast<std::uint64_t>(q.number("max")),
                                                          .expires = expires,
                                                          .now = now,
                                                          .extra = q.pairs("headers")},
                                                         context));
    Answer answer;
    for (const FormField& field : fields) answer.push_back({field.name, field.value});
    return answer;
  }
  const std::string endpoint = q.text("endpoint");
  TRY_ASSIGN(const S3Location place, locate_bucket({endpoint, "", bucket}));
  StoreHeaders headers{{"Host", place.host}};
  for (StoreHeader& header : q.pairs("headers")) headers.push_back(std::move(header));
  const std::string path = place.path(key);
  const std::string hash = q.text("payload_hash");
  SignInput input{method, path, "", headers, hash, now};
  std::string query = query_text(q.pairs("query"));
  input.query = query;
  if (kind == "presign") {
    TRY_ASSIGN(std::string whole, presign_query(input, context, expires));
    query = sigv4_stage::auth_query(input, context, expires);
    const SignInput full{method, path, query, headers, hash, now};
    const std::string canonical = sigv4_stage::canonical_request(full);
    return Answer{{"path", path},
                  {"query", whole},
                  {"canonical", canonical},
                  {"to_sign", sigv4_stage::string_to_sign(canonical, full, context)}};
  }
  TRY_ASSIGN(const StoreHeaders added, sign_headers(input, context));
  const StoreHeaders all = sigv4_stage::auth_headers(input, context);
  const SignInput full{method, path, query, all, hash, now};
  const std::string canonical = sigv4_stage::canonical_request(full);
  return Answer{{"path", path},
                {"query", query},
                {"canonical", canonical},
                {"to_sign", sigv4_stage::string_to_sign(canonical, full, context)},
                {"authorization", added.back().value}};
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const Result<Json> json = parse_json(line);
    const Result<Answer> answer = json ? sign(Question(*json)) : Result<Answer>(json.error());
    const Json out(json_object());
    if (!answer) json_object_set_new(out.get(), "error", json_text(answer.error().detail).release());
    if (answer) {
      for (const StoreHeader& item : *answer) {
        json_object_set_new(out.get(), item.name.c_str(), json_text(item.value).release());
      }
    }
    std::cout << dump_json(out) << "\n";
  }
}
