// s3_check_browser.cc — what browsers and nginx do with what we sign for them: GET, PUT and POST without credentials.
#include "base/encode.h"
#include "storage/s3_bucket.h"
#include "storage/s3_check.h"
#include "storage/s3_errors.h"
#include "storage/s3_xml_rules.h"

namespace cloakroom::s3_check {
namespace {

constexpr std::string_view kType = "text/plain; charset=utf-8";
constexpr std::string_view kBoundary = "cloakroom-check-form-boundary";

// The store as browsers reach it may lie behind something that this host cannot reach.
Finding unreachable(const Error& error, const S3Location& browser) {
  return warning("this host cannot reach " + browser.base() + ": " + error.detail,
                 "if browsers can, all is well; else correct S3_PUBLIC_ENDPOINT");
}

Finding refused(S3Probe& probe, std::string_view method, const Result<HttpAnswer>& answer) {
  if (!answer) return unreachable(answer.error(), probe.store().browser());
  return failure(
      "a presigned URL is refused: " + told(method, answer),
      "see that S3_PUBLIC_ENDPOINT is the host name that the store itself sees, and nothing on the way changes "
      "path, query or Host");
}

bool has_word(std::string_view list, std::string_view word) {
  const std::string all = "," + ascii_lower(list) + ",";
  std::string packed;
  for (const char c : all) {
    if (c != ' ' && c != '\t') packed += c;
  }
  return packed.find("," + ascii_lower(word) + ",") != std::string::npos || packed == ",*,";
}

struct CorsAnswer {
  bool lets_in = false;
  bool shows_etag = false;
};

Result<CorsAnswer> ask_cors(S3Probe& probe, const std::string& origin) {
  CorsAnswer found{true, true};
  for (const std::string_view method : {"PUT", "POST"}) {
    TRY_ASSIGN(const std::string url, probe.presign("PUT", ""));
    TRY_ASSIGN(const HttpAnswer answer,
               probe.plain({.method = "OPTIONS",
                            .url = url,
                            .headers = {{"Origin", origin},
                                        {"Access-Control-Request-Method", std::string(method)},
                                        {"Access-Control-Request-Headers", "content-type,content-disposition"}}}));
    const std::string_view allowed = answer.header("access-control-allow-origin");
    found.lets_in = found.lets_in && answer.status >= 200 && answer.status < 300 &&
                    (allowed == origin || allowed == "*") &&
                    has_word(answer.header("access-control-allow-methods"), method) &&
                    has_word(answer.header("access-control-allow-headers"), "content-type") &&
                    has_word(answer.header("access-control-allow-headers"), "content-disposition");
  }
  TRY_ASSIGN(const std::string url, probe.presign("GET", ""));
  TRY_ASSIGN(const HttpAnswer answer, probe.plain({.method = "GET", .url = url, .headers = {{"Origin", origin}}}));
  found.shows_etag = has_word(answer.header("access-control-expose-headers"), "etag");
  return found;
}

// Our rule beside those that the bucket has.
Status set_cors(S3Probe& probe) {
  TRY_ASSIGN(const std::string now, get_bucket_rules(probe.store(), BucketRules::kCors));
  TRY_ASSIGN(const std::string rules, with_cors_rule(now, probe.wanted().origins));
  return put_bucket_rules(probe.store(), BucketRules::kCors, rules);
}

std::string cors_remedy(const S3Probe& probe) {
  if (probe.profile().provider == S3Provider::kMinio) return "set MINIO_API_CORS_ALLOW_ORIGIN on the MinIO server";
  if (probe.profile().provider == S3Provider::kSwift) {
    return "set cors_preflight_allow_origin in [filter:s3api] of the Swift proxy; its CORS rules are the cluster's";
  }
  return probe.wanted().fix ? "set the bucket's CORS rules by the store's own tools" : "run this with --fix";
}

// "" when all origins are let in; else what is wrong.
Result<std::string> cors_problem(S3Probe& probe) {
  for (const std::string& origin : probe.wanted().origins) {
    TRY_ASSIGN(const CorsAnswer answer, ask_cors(probe, origin));
    if (!answer.lets_in) return "scripts of pages of " + origin + " are not let in";
    if (!answer.shows_etag) return "scripts of pages of " + origin + " are not shown the ETag";
  }
  return std::string();
}

std::string form_body(const PostForm& form, std::string_view file) {
  std::string body;
  const auto part = [&body](std::string_view name, std::string_view more, std::string_view value) {
    body.append("--").append(kBoundary).append("\r\nContent-Disposition: form-data; name=\"").append(name).append("\"");
    body.append(more).append("\r\n\r\n").append(value).append("\r\n");
  };
  for (const FormField& field : form.fields) part(field.name, "", field.value);
  part("file", "; filename=\"check.txt\"", file);
  return body.append("--").append(kBoundary).append("--\r\n");
}

}  // namespace

Finding presigned_get(S3Probe& probe) {
  const auto url = probe.presign("GET", "");
  if (!url) return failure(url.error().detail, "correct the S3_ settings");
  const auto answer = probe.plain({.method = "GET", .url = *url, .headers = {}});
  if (!succeeded(answer)) return refused(probe, "GET", answer);
  if (answer->body != S3Probe::body()) {
    return failure("a presigned URL gave other bytes", "see what answers at " + probe.store().browser().base());
  }
  return good("a presigned URL works for whoever has it, at " + probe.store().browser().base());
}

Finding response_overrides(S3Probe& probe) {
  const std::string name = "attachment; filename=\"b (1).txt\"; filename*=UTF-8''%C3%BC%20%281%29.txt";
  const auto url = probe.presign(
      "GET", "",
      "response-content-disposition=" + percent_encode(name) + "&response-content-type=application%2Foctet-stream");
  if (!url) return failure(url.error().detail, "correct the S3_ settings");
  const auto answer = probe.plain({.method = "GET", .url = *url, .headers = {}});
  if (!answer) return unreachable(answer.error(), probe.store().browser());
  const bool honoured = succeeded(answer) && answer->header("content-disposition") == name &&
                        answer->header("content-type") == "application/octet-stream";
  Finding found = compared(probe, {"another file name and type in a presigned URL", probe.profile().response_overrides,
                                   honoured, succeeded(answer) ? "" : told("GET", answer)});
  if (!honoured) found.text += "; with DELIVERY=redirect ?download=1 is not obeyed";
  return found;
}

Finding presigned_put(S3Probe& probe) {
  constexpr std::string_view kEnding = "-presigned";
  const StoreHeaders type{{"Content-Type", std::string(kType)}};
  const auto url = probe.presign("PUT", kEnding, "", type);
  if (!url) return failure(url.error().detail, "correct the S3_ settings");
  const auto other =
      probe.plain({.method = "PUT", .url = *url, .headers = {{"Content-Type", "text/html"}}, .text = S3Probe::body()});
  probe.remember(kEnding, other ? *other : HttpAnswer{});
  if (succeeded(other)) {
    return failure("a presigned PUT took another Content-Type than the signed one",
                   "do not let browsers upload directly: the store does not check signed headers");
  }
  const auto answer = probe.plain({.method = "PUT", .url = *url, .headers = type, .text = S3Probe::body()});
  probe.remember(kEnding, answer ? *answer : HttpAnswer{});
  if (!succeeded(answer)) return refused(probe, "PUT", answer);
  const std::string key = probe.key(kEnding);
  const auto stored = probe.store().call({.method = "HEAD", .key = key});
  if (!succeeded(stored) || stored->header("content-length") != std::to_string(S3Probe::body().size())) {
    return failure("a presigned PUT stored something else: " + told("HEAD", stored),
                   "see the store's own log for the cause");
  }
  return good("a presigned PUT stores an object, of the signed type only");
}

Finding post_policy(S3Probe& probe) {
  constexpr std::string_view kEnding = "-form";
  const std::string key = probe.key(kEnding);
  const std::size_t most = S3Probe::body().size();
  const auto form = probe.store().presign_post(
      {.key = key, .content_type = kType, .min_bytes = 1, .max_bytes = most, .expires = std::chrono::seconds(300)});
  if (!form) return failure(form.error().detail, "correct the S3_ settings");
  const auto send = [&](std::string_view file) {
    const std::string body = form_body(*form, file);
    auto answer = probe.plain({.method = "POST",
                               .url = form->url,
                               .headers = {{"Content-Type", "multipart/form-data; boundary=" + std::string(kBoundary)}},
                               .text = body});
    probe.remember(kEnding, answer ? *answer : HttpAnswer{});
    return answer;
  };
  const Fact expected = probe.profile().post_policy;
  const auto fits = send(S3Probe::body());
  if (!fits) return unreachable(fits.error(), probe.store().browser());
  if (!succeeded(fits)) {
    Finding found = compared(probe, {"form uploads (POST policy)", expected, false, told("POST", fits)});
    if (expected != Fact::kYes) found.text += "; browsers get a presigned PUT";
    return found;
  }
  // Some close the connection instead of an answer: what is stored then tells.
  const auto too_large = send(std::string(S3Probe::body()) + "!");
  const auto stored = probe.store().call({.method = "HEAD", .key = key});
  if (succeeded(too_large) || (succeeded(stored) && stored->header("content-length") != std::to_string(most))) {
    return failure("a form upload larger than its content-length-range was taken",
                   "set S3_PROVIDER=other, so that browsers get a presigned PUT of one length instead");
  }
  return compared(probe, {"form uploads (POST policy), and none that is too large", expected, true});
}

Finding cors(S3Probe& probe) {
  if (probe.wanted().origins.empty()) {
    return good("CORS_ORIGINS is not set: no page's script is meant to talk to the store itself");
  }
  auto problem = cors_problem(probe);
  if (!problem) return unreachable(problem.error(), probe.store().browser());
  if (problem->empty()) return good("scripts of pages of CORS_ORIGINS may GET, PUT and POST, and see the ETag");
  const bool can_fix = probe.wanted().fix && probe.profile().cors_api != Fact::kNo;
  if (!can_fix) return failure(*problem, cors_remedy(probe));
  if (const Status set = set_cors(probe); !set) {
    return failure(*problem + ", and the rule cannot be set: " + set.error().detail, cors_remedy(probe));
  }
  problem = cors_problem(probe);
  if (!problem || !problem->empty()) {
    return failure((problem ? *problem : problem.error().detail) + ", although the rule was set",
                   "wait a minute, then run the check again: some stores apply it late");
  }
  return good("the bucket's CORS rules now let in scripts of pages of CORS_ORIGINS");
}

}  // namespace cloakroom::s3_check
