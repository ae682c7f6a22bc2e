// check.cc — `cloakroom check`: tries what the settings promise, and says what to do about what does not work.
#include <signal.h>

#include <iostream>

#include "base/json.h"
#include "cmd/check_apart.h"
#include "cmd/check_cdn.h"
#include "cmd/check_front.h"
#include "cmd/check_host.h"
#include "cmd/commands.h"
#include "cmd/wiring.h"
#include "scan/clamd_check.h"
#include "storage/s3_check.h"

namespace cloakroom {
namespace {

struct Options {
  std::string sql_folder = share_folder() + "/sql";
  std::string url;
  bool fix = false;
  bool json = false;
};

// A check that is told to end does so between two questions, so that it can clean up. The signals stay pending.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t held;
    sigemptyset(&held);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held, number);
    ::sigprocmask(SIG_BLOCK, &held, &before_);
  }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }

  static bool told_to_end() {
    sigset_t pending;
    ::sigpending(&pending);
    return sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1 ||
           sigismember(&pending, SIGHUP) == 1;
  }

 private:
  sigset_t before_{};
};

// Scheme, host and port, nothing else: what is asked is put behind it.
std::string url_problem(std::string_view url) {
  const std::size_t scheme = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  const bool is_origin = scheme > 0 && url.size() > scheme && url.find_first_of("/?#@ ", scheme) == url.npos;
  return is_origin ? "" : "is no address such as http://127.0.0.1:8080 (scheme, host and port, no slash at the end)";
}

void append(Findings& all, Findings more) {
  for (Finding& one : more) all.push_back(std::move(one));
}

std::size_t count(const Findings& findings, Verdict verdict) {
  return static_cast<std::size_t>(
      std::count_if(findings.begin(), findings.end(), [verdict](const Finding& f) { return f.verdict == verdict; }));
}

Finding check_imager(ImageClient& imager, const std::string& socket) {
  const std::string name = "images.answers";
  if (const Status ready = imager.ready(); !ready) {
    return {name, Verdict::kFailure, ready.error().detail,
            "start cloakroom-image (or its socket unit) on '" + socket + "', or leave IMAGE_SOCKET empty"};
  }
  return {name, Verdict::kOk, "cloakroom-image answers", ""};
}

std::string in_words_of(const S3Config& s3, std::string text) {
  constexpr std::string_view kFirst = "S3_";
  for (std::size_t at = text.find(kFirst); at != std::string::npos; at = text.find(kFirst, at + s3.prefix.size())) {
    text.replace(at, kFirst.size(), s3.prefix);
  }
  return text;
}

// The checks of a store are named s3.* and speak of S3_ settings; of the second one they are s3-secondary.* and name
// its.
Findings check_store(const Config& config, StoreKind kind, const S3CheckOptions& wanted, const Clock& clock) {
  const S3Config& s3 = *s3_config(config, kind);
  Findings found = check_s3(s3_options(s3), profile_of(s3), wanted, clock);
  if (kind == StoreKind::kS3) return found;
  for (Finding& one : found) {
    one.check = std::string(to_string(kind)) + one.check.substr(one.check.find('.'));
    one.text = in_words_of(s3, std::move(one.text));
    one.remedy = in_words_of(s3, std::move(one.remedy));
  }
  return found;
}

Findings check_all(const Config& config, const Options& options) {
  const SystemClock clock;
  Findings all{{"settings", Verdict::kOk, "the settings are valid", ""}};
  append(all, check_database(config, options.sql_folder));
  append(all, check_folders(config));
  if (auto scanner = make_scanner(config)) {
    append(all, check_clamd(*scanner, {.max_scan_bytes = config.clamd_max_bytes,
                                       .max_upload_bytes = config.max_upload_bytes,
                                       .fail_open = config.clamd_fail_open}));
  }
  if (auto imager = make_imager(config)) all.push_back(check_imager(*imager, config.images.socket));
  if (config.has_s3()) {
    const S3CheckOptions wanted{.key_prefix = config.key_prefix,
                                .origins = config.cors_origins,
                                .fix = options.fix,
                                .stopped = HeldSignals::told_to_end};
    for (const StoreKind kind : {StoreKind::kS3, StoreKind::kS3Secondary}) {
      if (s3_config(config, kind) != nullptr) append(all, check_store(config, kind, wanted, clock));
    }
    // with a store that does not work it would only repeat why
    const bool may_try = config.s3 && config.s3_secondary && !HeldSignals::told_to_end();
    if (may_try && count(all, Verdict::kFailure) == 0) all.push_back(check_apart(config, clock));
    if (!config.cdn_url.empty() && !HeldSignals::told_to_end()) all.push_back(check_cdn(config, clock));
  }
  append(all, check_front(config, {.url = options.url, .stopped = HeldSignals::told_to_end}, clock));
  return all;
}

void print_text(const Findings& findings) {
  for (const Finding& f : findings) {
    std::cout << word_of(f.verdict) << std::string(9 - word_of(f.verdict).size(), ' ') << f.check << ": " << f.text
              << "\n";
    if (!f.remedy.empty()) std::cout << std::string(9, ' ') << "-> " << f.remedy << "\n";
  }
  std::cout << count(findings, Verdict::kOk) << " ok, " << count(findings, Verdict::kWarning) << " warnings, "
            << count(findings, Verdict::kFailure) << " failures\n";
}

void print_json(const Findings& findings) {
  const Json list(json_array());
  for (const Finding& f : findings) {
    const Json one(json_object());
    json_object_set_new(one.get(), "check", json_text(f.check).release());
    json_object_set_new(one.get(), "verdict", json_text(word_of(f.verdict)).release());
    json_object_set_new(one.get(), "text", json_text(f.text).release());
    json_object_set_new(one.get(), "remedy", f.remedy.empty() ? json_null() : json_text(f.remedy).release());
    json_array_append(list.get(), one.get());
  }
  const Json all(json_object());
  json_object_set_new(all.get(), "ok", json_boolean(count(findings, Verdict::kFailure) == 0));
  json_object_set(all.get(), "checks", list.get());
  std::cout << dump_json(all) << "\n";
}

int run_check(const Options& options) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const HeldSignals held;
  const Findings findings = check_all(*config, options);
  options.json ? print_json(findings) : print_text(findings);
  std::cout.flush();  // a signal that waits ends us right after this
  return count(findings, Verdict::kFailure) == 0 ? kExitDone : kExitProblems;
}

}  // namespace

void add_check(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  const OptionSet command =
      line.command("check", "try database, folders, store, virus scanner and nginx, and say what to do about problems",
                   [options] { return run_check(*options); });
  command.flag("--fix", options->fix,
               "make the bucket, let CORS_ORIGINS in by a CORS rule, and have unfinished multipart uploads removed "
               "by a lifecycle rule");
  command
      .value("--url", options->url,
             "address of nginx, such as http://127.0.0.1:8080: also upload, fetch and delete there, as a client")
      .checked([](const std::string& url) { return url_problem(url); });
  command.flag("--json", options->json, "report as JSON");
  command.value("--sql", options->sql_folder, "folder of the migrations").shows_default();
}

}  // namespace cloakroom
