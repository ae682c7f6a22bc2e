// sigv4_test.cc — SigV4 against the AWS suite and the AWS documentation, stage by stage, so that a failure names the
// stage.
#include "storage/sigv4.h"

#include <dirent.h>
#include <jansson.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/encode.h"
#include "check.h"

using namespace cloakroom;  // NOLINT: a test

namespace {

// S3 paths are not normalised, so of the pairs x-normalized / x-unnormalized only the second applies where they differ.
const std::set<std::string> kNeedNormalising{
    "get-relative-normalized", "get-relative-relative-normalized",   "get-slash-dot-slash-normalized",
    "get-slash-normalized",    "get-slash-pointless-dot-normalized", "get-slashes-normalized"};
constexpr std::size_t kCasesInSuite = 38;

std::string data_folder() {
  const char* folder = std::getenv("CLOAKROOM_TEST_DATA");
  return std::string(folder != nullptr ? folder : "tests/data") + "/sigv4";
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) t::raise(__FILE__, __LINE__, "cannot open '" + path + "'");
  return {std::istreambuf_iterator<char>(in), {}};
}

struct JsonDelete {
  void operator()(json_t* p) const noexcept { json_decref(p); }
};
using Json = std::unique_ptr<json_t, JsonDelete>;

Json read_json(const std::string& path) {
  Json json(json_loads(read_text(path).c_str(), 0, nullptr));
  if (!json) t::raise(__FILE__, __LINE__, "not JSON: " + path);
  return json;
}

std::string text_of(const json_t* object, const char* name) {
  const char* text = json_string_value(json_object_get(object, name));
  return text != nullptr ? text : "";
}

TimePoint time_of(const std::string& iso) {  // 2015-08-30T12:36:00Z
  std::tm parts{};
  if (strptime(iso.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts) == nullptr)
    t::raise(__FILE__, __LINE__, "not a time: " + iso);
  return TimePoint(std::chrono::seconds(timegm(&parts)));
}

struct Case {
  std::string name, method, path, query, payload_hash, region, service;
  StoreHeaders headers;
  Credentials credentials;
  TimePoint now;
  std::chrono::seconds expires{};
  bool sign_body = false;

  SignInput input() const { return {method, path, query, headers, payload_hash, now, sign_body}; }
};

std::string encode_query(const std::string& raw) {  // the suite writes one name in raw UTF-8
  std::string out;
  for (const char c : raw)
    out += static_cast<unsigned char>(c) < 0x80 ? std::string(1, c) : percent_encode(std::string(1, c));
  return out;
}

Case read_case(const std::string& name) {
  const std::string folder = data_folder() + "/aws-sig-v4/" + name;
  const Json context = read_json(folder + "/context.json");
  const json_t* credentials = json_object_get(context.get(), "credentials");
  Case c;
  c.name = name;
  c.region = text_of(context.get(), "region");
  c.service = text_of(context.get(), "service");
  c.now = time_of(text_of(context.get(), "timestamp"));
  c.expires = std::chrono::seconds(json_integer_value(json_object_get(context.get(), "expiration_in_seconds")));
  c.sign_body = json_is_true(json_object_get(context.get(), "sign_body"));
  c.credentials = {text_of(credentials, "access_key_id"), text_of(credentials, "secret_access_key"),
                   text_of(credentials, "token")};
  // The token is added after signing there, which S3 does not do: the signature is the one without it.
  if (json_is_true(json_object_get(context.get(), "omit_session_token"))) c.credentials.session_token.clear();

  std::string text = read_text(folder + "/request.txt");
  text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
  const std::size_t blank = text.find("\n\n");
  const std::string body = blank == std::string::npos ? "" : text.substr(blank + 2);
  std::istringstream lines(text.substr(0, blank));
  std::string line;
  std::getline(lines, line);
  const std::size_t space = line.find(' ');
  const std::string target = line.substr(space + 1, line.rfind(' ') - space - 1);
  c.method = line.substr(0, space);
  c.path = percent_encode_path(target.substr(0, target.find('?')));
  if (const std::size_t mark = target.find('?'); mark != std::string::npos)
    c.query = encode_query(target.substr(mark + 1));
  while (std::getline(lines, line) && !line.empty()) {
    if (line[0] == ' ') {  // an obsolete folded line belongs to the header before it
      c.headers.back().value += "\n" + line;
    } else {
      c.headers.push_back({line.substr(0, line.find(':')), line.substr(line.find(':') + 1)});
    }
  }
  c.payload_hash = hex_encode(sha256(body));
  return c;
}

void check_stage(const std::string& name, const char* stage, const std::string& got, std::string wanted) {
  if (got != wanted)
    t::raise(__FILE__, __LINE__, name + ", " + stage + "\n--- got\n" + got + "\n--- wanted\n" + wanted);
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  const std::string folder = data_folder() + "/aws-sig-v4";
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(opendir(folder.c_str()), closedir);
  if (!dir) t::raise(__FILE__, __LINE__, "cannot open '" + folder + "'");
  while (const dirent* entry = readdir(dir.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void check_header_stages(const Case& c) {
  const std::string files = data_folder() + "/aws-sig-v4/" + c.name + "/header-";
  SigningKeyCache keys;
  const SigningContext context{c.credentials, c.region, keys, c.service};
  const StoreHeaders all = sigv4_stage::auth_headers(c.input(), context);
  const SignInput full{c.method, c.path, c.query, all, c.payload_hash, c.now, c.sign_body};
  const std::string canonical = sigv4_stage::canonical_request(full);
  check_stage(c.name, "header: canonical request", canonical, read_text(files + "canonical-request.txt"));
  const std::string to_sign = sigv4_stage::string_to_sign(canonical, full, context);
  check_stage(c.name, "header: string to sign", to_sign, read_text(files + "string-to-sign.txt"));
  const std::string signature = sigv4_stage::signature(to_sign, full, context);
  check_stage(c.name, "header: signature", signature, read_text(files + "signature.txt"));

  const StoreHeaders added = CHECK_OK(sign_headers(c.input(), context));
  const std::string signed_request = read_text(files + "signed-request.txt");
  for (const StoreHeader& header : added) {
    const std::string wanted = ascii_lower("\n" + header.name + ":" + header.value);
    if (ascii_lower(signed_request).find(wanted) == std::string::npos) {
      t::raise(__FILE__, __LINE__, c.name + ", header: signed request lacks" + wanted);
    }
  }
}

// The suite puts X-Amz-Expires after X-Amz-SignedHeaders; the order in a URL means nothing, so items are compared
// sorted.
std::vector<std::string> items_of(const std::string& query) {
  std::vector<std::string> items;
  std::istringstream in(query);
  for (std::string item; std::getline(in, item, '&');) items.push_back(item);
  std::sort(items.begin(), items.end());
  return items;
}

void check_query_stages(const Case& c) {
  const std::string files = data_folder() + "/aws-sig-v4/" + c.name + "/query-";
  SigningKeyCache keys;
  const SigningContext context{c.credentials, c.region, keys, c.service};
  const std::string query = sigv4_stage::auth_query(c.input(), context, c.expires);
  const SignInput full{c.method, c.path, query, c.headers, c.payload_hash, c.now, c.sign_body};
  const std::string canonical = sigv4_stage::canonical_request(full);
  check_stage(c.name, "query: canonical request", canonical, read_text(files + "canonical-request.txt"));
  const std::string to_sign = sigv4_stage::string_to_sign(canonical, full, context);
  check_stage(c.name, "query: string to sign", to_sign, read_text(files + "string-to-sign.txt"));
  const std::string signature = sigv4_stage::signature(to_sign, full, context);
  check_stage(c.name, "query: signature", signature, read_text(files + "signature.txt"));

  const std::string got = CHECK_OK(presign_query(c.input(), context, c.expires));
  const std::string line = read_text(files + "signed-request.txt");
  const std::size_t mark = line.find('?');
  std::vector<std::string> wanted = items_of(encode_query(line.substr(mark + 1, line.find(" HTTP/") - mark - 1)));
  if (c.name == "post-sts-header-after")
    std::erase_if(wanted, [](const std::string& i) { return i.find("X-Amz-Security-Token") == 0; });
  if (items_of(got) != wanted) t::raise(__FILE__, __LINE__, c.name + ", query: signed request\n" + got + "\n" + line);
}

void the_aws_suite_agrees_stage_by_stage() {
  std::size_t run = 0;
  std::size_t left_out = 0;
  for (const std::string& name : case_names()) {
    if (kNeedNormalising.count(name) != 0) {
      ++left_out;
      continue;
    }
    const Case c = read_case(name);
    check_header_stages(c);
    check_query_stages(c);
    ++run;
  }
  CHECK_EQ(left_out, kNeedNormalising.size());
  CHECK_EQ(run, kCasesInSuite - kNeedNormalising.size());
}

// The worked examples of the S3 documentation: bucket examplebucket, 24 May 2013.
struct Docs {
  Json json = read_json(data_folder() + "/aws-docs.json");
  Credentials credentials{text_of(json.get(), "access_key"), text_of(json.get(), "secret_key"), ""};
  SigningKeyCache keys;
  SigningContext context{credentials, "us-east-1", keys};
  TimePoint now = time_of("2013-05-24T00:00:00Z");

  const json_t* example(const char* name) const {
    return json_object_get(json_object_get(json.get(), "aws_docs"), name);
  }
  std::string signature(const char* name) const { return text_of(example(name), "signature"); }
};

const StoreHeaders kDocsHost{{"Host", "examplebucket.s3.amazonaws.com"}};

std::string last_64(const std::string& text) {
  return text.size() < 64 ? text : text.substr(text.size() - 64);
}

void the_documented_get_object_agrees() {
  Docs docs;
  const StoreHeaders headers{{"Host", "examplebucket.s3.amazonaws.com"}, {"Range", "bytes=0-9"}};
  const SignInput input{"GET", "/test.txt", "", headers, kEmptyPayloadHash, docs.now};
  const StoreHeaders all = sigv4_stage::auth_headers(input, docs.context);
  const std::string canonical =
      sigv4_stage::canonical_request({"GET", "/test.txt", "", all, kEmptyPayloadHash, docs.now});
  CHECK_EQ(canonical, text_of(docs.example("get_object"), "canonical_request"));
  CHECK_EQ(hex_encode(sha256(canonical)), text_of(docs.example("get_object"), "creq_sha256"));
  const StoreHeaders added = CHECK_OK(sign_headers(input, docs.context));
  CHECK_EQ(added.back().name, "Authorization");
  CHECK_EQ(last_64(added.back().value), docs.signature("get_object"));
}

// Canonical request (by its hash, as published in the string to sign), then signature.
void check_example(Docs& docs, const char* name, const SignInput& input) {
  const StoreHeaders all = sigv4_stage::auth_headers(input, docs.context);
  const SignInput full{input.method, input.path, input.query, all, input.payload_hash, input.now};
  const std::string canonical = sigv4_stage::canonical_request(full);
  const std::string published = text_of(docs.example(name), "creq_sha256");
  if (!published.empty()) check_stage(name, "hash of the canonical request", hex_encode(sha256(canonical)), published);
  const std::string to_sign = sigv4_stage::string_to_sign(canonical, full, docs.context);
  check_stage(name, "signature", sigv4_stage::signature(to_sign, full, docs.context), docs.signature(name));
  CHECK_EQ(last_64(CHECK_OK(sign_headers(input, docs.context)).back().value), docs.signature(name));
}

void the_documented_put_object_agrees() {
  Docs docs;
  const StoreHeaders headers{{"Host", "examplebucket.s3.amazonaws.com"},
                             {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
                             {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  const std::string hash = hex_encode(sha256(text_of(docs.example("put_object"), "body")));
  const SignInput input{"PUT", "/test%24file.text", "", headers, hash, docs.now};
  const StoreHeaders all = sigv4_stage::auth_headers(input, docs.context);
  CHECK_EQ(sigv4_stage::canonical_request({"PUT", "/test%24file.text", "", all, hash, docs.now}),
           text_of(docs.example("put_object"), "canonical_request"));
  check_example(docs, "put_object", input);
}

void the_documented_queries_agree_in_any_order() {
  Docs docs;
  check_example(docs, "get_bucket_lifecycle", {"GET", "/", "lifecycle", kDocsHost, kEmptyPayloadHash, docs.now});
  check_example(docs, "list_objects", {"GET", "/", "prefix=J&max-keys=2", kDocsHost, kEmptyPayloadHash, docs.now});
  check_example(docs, "list_objects", {"GET", "/", "max-keys=2&prefix=J", kDocsHost, kEmptyPayloadHash, docs.now});
}

void the_documented_presigned_get_agrees() {
  Docs docs;
  const std::chrono::seconds expires(86400);
  const SignInput input{"GET", "/test.txt", "", kDocsHost, kUnsignedPayload, docs.now};
  const std::string query = sigv4_stage::auth_query(input, docs.context, expires);
  const std::string canonical =
      sigv4_stage::canonical_request({"GET", "/test.txt", query, kDocsHost, kUnsignedPayload, docs.now});
  CHECK_EQ(hex_encode(sha256(canonical)), text_of(docs.example("presigned_get"), "creq_sha256"));
  CHECK_EQ(last_64(CHECK_OK(presign_query(input, docs.context, expires))), docs.signature("presigned_get"));
}

// We send no signed chunks, but the request that would open them is signed like any other.
void the_documented_seeds_of_chunked_uploads_agree() {
  Docs docs;
  const auto seed = [&](const char* name, StoreHeaders headers, std::string_view hash) {
    headers.insert(headers.end(), {{"Host", "s3.amazonaws.com"},
                                   {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
                                   {"Content-Encoding", "aws-chunked"},
                                   {"x-amz-decoded-content-length", "66560"}});
    const SignInput input{"PUT", "/examplebucket/chunkObject.txt", "", headers, hash, docs.now};
    CHECK_EQ(last_64(CHECK_OK(sign_headers(input, docs.context)).back().value), text_of(docs.example(name), "seed"));
  };
  seed("chunked_put", {{"Content-Length", "66824"}}, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
  seed("chunked_put_trailer", {{"x-amz-trailer", "x-amz-checksum-crc32c"}},
       "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER");
}

void a_request_that_is_signed_already_is_refused() {
  Docs docs;
  for (const char* name : {"Authorization", "X-Amz-Date", "x-amz-content-sha256", "X-AMZ-Security-Token"}) {
    const StoreHeaders headers{{"Host", "h"}, {name, "x"}};
    const SignInput input{"GET", "/", "", headers, kEmptyPayloadHash, docs.now};
    CHECK_ERR(sign_headers(input, docs.context), Errc::kInvalid);
    CHECK_ERR(presign_query(input, docs.context, std::chrono::seconds(60)), Errc::kInvalid);
  }
  const SignInput presigned{"GET", "/", "X-Amz-Signature=0", kDocsHost, kUnsignedPayload, docs.now};
  CHECK_ERR(presign_query(presigned, docs.context, std::chrono::seconds(60)), Errc::kInvalid);
}

void a_request_without_a_host_is_refused() {
  Docs docs;
  const StoreHeaders none;
  CHECK_ERR(sign_headers({"GET", "/", "", none, kEmptyPayloadHash, docs.now}, docs.context), Errc::kInvalid);
}

void a_presigned_lifetime_is_one_second_to_seven_days() {
  Docs docs;
  const SignInput input{"GET", "/test.txt", "", kDocsHost, kUnsignedPayload, docs.now};
  for (const int seconds : {-1, 0, 604801}) {
    CHECK_ERR(presign_query(input, docs.context, std::chrono::seconds(seconds)), Errc::kInvalid);
  }
  for (const int seconds : {1, 604800}) {
    const std::string query = CHECK_OK(presign_query(input, docs.context, std::chrono::seconds(seconds)));
    CHECK(query.find("&X-Amz-Expires=" + std::to_string(seconds) + "&") != std::string::npos);
  }
}

// Every scope after every other: the cache must notice a change of any one part.
void a_key_cache_used_for_other_scopes_changes_no_signature() {
  Docs docs;
  struct Use {
    Credentials credentials;
    std::string region, service;
    TimePoint now;
  };
  std::vector<Use> uses;
  for (unsigned bits = 0; bits < 16; ++bits) {
    Use use{docs.credentials, "us-east-1", "s3", docs.now};
    if ((bits & 1U) != 0) use.credentials.secret_access_key += "x";
    if ((bits & 2U) != 0) use.region = "eu-west-1";
    if ((bits & 4U) != 0) use.service = "sts";
    if ((bits & 8U) != 0) use.now += std::chrono::hours(24);
    uses.push_back(std::move(use));
  }
  const auto sign = [](const Use& use, SigningKeyCache& keys) {
    const SigningContext context{use.credentials, use.region, keys, use.service};
    return last_64(
        CHECK_OK(sign_headers({"GET", "/", "", kDocsHost, kEmptyPayloadHash, use.now}, context)).back().value);
  };
  std::vector<std::string> wanted;
  for (const Use& use : uses) {
    SigningKeyCache fresh;
    wanted.push_back(sign(use, fresh));
  }
  CHECK_EQ(std::set<std::string>(wanted.begin(), wanted.end()).size(), uses.size());
  SigningKeyCache shared;
  for (std::size_t first = 0; first < uses.size(); ++first) {
    for (std::size_t second = 0; second < uses.size(); ++second) {
      CHECK_EQ(sign(uses[first], shared), wanted[first]);
      CHECK_EQ(sign(uses[second], shared), wanted[second]);
    }
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_aws_suite_agrees_stage_by_stage),
      CASE(the_documented_get_object_agrees),
      CASE(the_documented_put_object_agrees),
      CASE(the_documented_queries_agree_in_any_order),
      CASE(the_documented_presigned_get_agrees),
      CASE(the_documented_seeds_of_chunked_uploads_agree),
      CASE(a_request_that_is_signed_already_is_refused),
      CASE(a_request_without_a_host_is_refused),
      CASE(a_presigned_lifetime_is_one_second_to_seven_days),
      CASE(a_key_cache_used_for_other_scopes_changes_no_signature),
  };
  return RUN_TESTS("sigv4", tests);
}
