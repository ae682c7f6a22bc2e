// sigv4.cc — the stages of AWS Signature Version 4, one function each.
#include "storage/sigv4.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/encode.h"

namespace cloakroom {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::array<std::string_view, 4> kOwnHeaders{"authorization", "x-amz-date", "x-amz-content-sha256",
                                                      "x-amz-security-token"};

struct CanonicalHeaders {
  std::string lines;         // "host:x\nx-amz-date:y\n"
  std::string signed_names;  // "host;x-amz-date"
};

std::string scope_of(std::string_view date, const SigningContext& context) {
  std::string scope(date);
  scope.append("/").append(context.region).append("/").append(context.service).append("/aws4_request");
  return scope;
}

// Ends trimmed, every inner run of blanks one space: what a server does before it compares.
void append_trimmed(std::string& out, std::string_view value) {
  bool pending_space = false;
  bool started = false;
  for (const char c : value) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      pending_space = started;
      continue;
    }
    if (pending_space) out += ' ';
    pending_space = false;
    started = true;
    out += c;
  }
}

CanonicalHeaders canonical_headers(const StoreHeaders& headers) {
  std::vector<std::pair<std::string, std::string_view>> sorted;
  sorted.reserve(headers.size());
  for (const StoreHeader& header : headers) sorted.emplace_back(ascii_lower(header.name), header.value);
  // By name alone, and stable: values of one name are joined in the order in which they are sent.
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CanonicalHeaders out;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i > 0 && sorted[i].first == sorted[i - 1].first) {
      out.lines.back() = ',';
    } else {
      out.lines.append(sorted[i].first).append(":");
      out.signed_names.append(out.signed_names.empty() ? "" : ";").append(sorted[i].first);
    }
    append_trimmed(out.lines, sorted[i].second);
    out.lines += '\n';
  }
  return out;
}

// Name and value are compared apart: in the joined text '=' would stand in the way of names that begin alike.
std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string_view, std::string_view>> items;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    const std::size_t equals = item.find('=');
    if (item.empty()) continue;
    items.emplace_back(item.substr(0, equals),
                       equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1));
  }
  std::sort(items.begin(), items.end());
  std::string out;
  for (const auto& [name, value] : items) {
    out.append(out.empty() ? "" : "&").append(name).append("=").append(value);
  }
  return out;
}

Status check_headers(const StoreHeaders& headers) {
  bool has_host = false;
  for (const StoreHeader& header : headers) {
    const std::string name = ascii_lower(header.name);
    has_host = has_host || name == "host";
    if (std::find(kOwnHeaders.begin(), kOwnHeaders.end(), name) != kOwnHeaders.end()) {
      return Error{Errc::kInvalid, "cannot sign request: header '" + name + "' is already present"};
    }
  }
  if (!has_host) return Error{Errc::kInvalid, "cannot sign request: no host header"};
  return Ok{};
}

}  // namespace

const Sha256Digest& SigningKeyCache::get(const Scope& scope) {
  if (date_ == scope.date && secret_ == scope.secret && region_ == scope.region && service_ == scope.service) {
    return key_;
  }
  secret_ = scope.secret;
  date_ = scope.date;
  region_ = scope.region;
  service_ = scope.service;
  key_ = hmac_sha256(as_u8("AWS4" + secret_), date_);
  for (const std::string_view part : {scope.region, scope.service, std::string_view("aws4_request")}) {
    key_ = hmac_sha256(key_, part);
  }
  return key_;
}

namespace sigv4_stage {

StoreHeaders auth_headers(const SignInput& input, const SigningContext& context) {
  StoreHeaders all = input.headers;
  if (input.send_payload_hash) all.push_back({"x-amz-content-sha256", std::string(input.payload_hash)});
  all.push_back({"x-amz-date", amz_date(input.now)});
  const std::string& token = context.credentials.session_token;
  if (!token.empty()) all.push_back({"x-amz-security-token", token});
  return all;
}

std::string auth_query(const SignInput& input, const SigningContext& context, std::chrono::seconds expires) {
  const std::string date = amz_date(input.now);
  const std::string credential =
      context.credentials.access_key_id + "/" + scope_of(std::string_view(date).substr(0, 8), context);
  std::string query(input.query);
  if (!query.empty()) query += '&';
  query.append("X-Amz-Algorithm=").append(kAlgorithm);
  query.append("&X-Amz-Credential=").append(percent_encode(credential));
  query.append("&X-Amz-Date=").append(date);
  query.append("&X-Amz-Expires=").append(std::to_string(expires.count()));
  const std::string& token = context.credentials.session_token;
  if (!token.empty()) query.append("&X-Amz-Security-Token=").append(percent_encode(token));
  query.append("&X-Amz-SignedHeaders=").append(percent_encode(canonical_headers(input.headers).signed_names));
  return canonical_query(query);
}

std::string canonical_request(const SignInput& input) {
  const CanonicalHeaders headers = canonical_headers(input.headers);
  std::string out;
  out.reserve(1024);
  out.append(input.method).append("\n").append(input.path).append("\n");
  out.append(canonical_query(input.query)).append("\n");
  out.append(headers.lines).append("\n").append(headers.signed_names).append("\n").append(input.payload_hash);
  return out;
}

std::string string_to_sign(std::string_view canonical, const SignInput& input, const SigningContext& context) {
  const std::string date = amz_date(input.now);
  std::string out(kAlgorithm);
  out.append("\n").append(date).append("\n");
  out.append(scope_of(std::string_view(date).substr(0, 8), context)).append("\n");
  out.append(hex_encode(sha256(canonical)));
  return out;
}

std::string signature(std::string_view string_to_sign, const SignInput& input, const SigningContext& context) {
  const std::string date = amz_date(input.now).substr(0, 8);
  const Sha256Digest& key =
      context.keys.get({context.credentials.secret_access_key, date, context.region, context.service});
  return hex_encode(hmac_sha256(key, string_to_sign));
}

}  // namespace sigv4_stage

Result<StoreHeaders> sign_headers(const SignInput& input, const SigningContext& context) {
  TRY(check_headers(input.headers));
  StoreHeaders all = sigv4_stage::auth_headers(input, context);
  const SignInput full{input.method,           input.path, input.query, all, input.payload_hash, input.now,
                       input.send_payload_hash};
  const std::string to_sign = sigv4_stage::string_to_sign(sigv4_stage::canonical_request(full), full, context);

  // The separator is comma and space: some servers split at exactly that.
  std::string authorization(kAlgorithm);
  authorization.append(" Credential=").append(context.credentials.access_key_id).append("/");
  authorization.append(scope_of(amz_date(input.now).substr(0, 8), context));
  authorization.append(", SignedHeaders=").append(canonical_headers(all).signed_names);
  authorization.append(", Signature=").append(sigv4_stage::signature(to_sign, full, context));

  StoreHeaders added(std::make_move_iterator(all.begin() + static_cast<std::ptrdiff_t>(input.headers.size())),
                     std::make_move_iterator(all.end()));
  added.push_back({"Authorization", std::move(authorization)});
  return added;
}

Result<std::string> presign_query(const SignInput& input, const SigningContext& context, std::chrono::seconds expires) {
  TRY(check_headers(input.headers));
  if (expires < std::chrono::seconds(1) || expires > kPresignMaximum) {
    return Error{Errc::kInvalid,
                 "cannot presign: lifetime of " + std::to_string(expires.count()) + " seconds is not within 1..604800"};
  }
  if (input.query.find("X-Amz-") != std::string_view::npos) {
    return Error{Errc::kInvalid, "cannot presign: the query is already signed"};
  }
  std::string query = sigv4_stage::auth_query(input, context, expires);
  const SignInput full{input.method,           input.path, query, input.headers, input.payload_hash, input.now,
                       input.send_payload_hash};
  const std::string to_sign = sigv4_stage::string_to_sign(sigv4_stage::canonical_request(full), full, context);
  query.append("&X-Amz-Signature=").append(sigv4_stage::signature(to_sign, full, context));
  return query;
}

}  // namespace cloakroom
