// audit_command.cc — `cloakroom audit`: whether the stores hold what the rows say, and nothing else.
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/audit.h"
#include "db/command_lock.h"
#include "domain/audit.h"
#include "domain/fallback.h"
#include "storage/local_listing.h"
#include "storage/s3_objects.h"

namespace cloakroom {
namespace {

constexpr std::chrono::hours kLeastGrace{1};  // no upload takes as long, nor longer than ORPHAN_GRACE

struct Wishes {
  bool fix = false, dry_run = false, json = false, hash = false;
  std::string store;
  std::uint64_t rate = 0, limit = 1000;
  std::optional<std::int64_t> older_than;
};

const char* word_of(Mending mending, AuditProblem problem) {
  const bool is_variant = problem == AuditProblem::kVariantWithoutBytes;
  const bool is_copy = problem == AuditProblem::kCopyWithoutBytes;
  switch (mending) {
    case Mending::kNone:
      return "";
    case Mending::kDone:
      if (is_copy) return "queued to be copied anew";
      return is_variant ? "row removed" : "queued for deletion";
    case Mending::kWould:
      if (is_copy) return "would be queued to be copied anew";
      return is_variant ? "row would be removed" : "would be queued for deletion";
    case Mending::kOverLimit:
      return "left alone: --limit is reached";
  }
  BUG("unknown mending");
}

// What findings are about: the columns of a line, the members of an object.
void tell(const Wishes& wishes, StoreKind store, const AuditFinding& f) {
  const std::string id = f.attachment_id == Uuid{} ? "" : to_string(f.attachment_id);
  const bool has_both = f.problem == AuditProblem::kWrongSize;
  const std::string done = word_of(f.mending, f.problem);
  if (wishes.json) {
    Summary line;
    line.text("problem", to_string(f.problem)).text("store", to_string(store)).text("key", f.key);
    if (!id.empty()) line.text("id", id);
    if (!f.variant.empty()) line.text("variant", f.variant);
    if (!id.empty()) line.count("expected_bytes", f.expected_bytes);
    if (has_both || id.empty()) line.count("found_bytes", f.found_bytes);
    if (!done.empty()) line.text("done", done);
    std::cout << line.text("remedy", remedy(f.problem)).json() << "\n";
    return;
  }
  std::string text = fmt::format("{}: {} {}", to_string(f.problem), to_string(store), f.key);
  if (!id.empty()) text += ", attachment " + id;
  if (!f.variant.empty()) text += ", " + f.variant;
  if (has_both) text += fmt::format(", {} bytes instead of {}", f.found_bytes, f.expected_bytes);
  if (id.empty()) text += fmt::format(", {} bytes", f.found_bytes);
  std::cout << text << "\n    " << (done.empty() ? std::string(remedy(f.problem)) : done) << "\n";
}

struct Run {
  const Config& config;
  const Wishes& wishes;
  const StoreSet& stores;
  PgAuditRows& rows;
  const StopSignals& stop;
  AuditTotals totals = {};
};

std::unique_ptr<ObjectListing> listing_of(const Run& run, StoreKind kind) {
  if (kind == StoreKind::kLocal) {
    return std::make_unique<LocalListing>(
        LocalListingOptions{.root = run.config.storage_path, .kept_prefix = kept_prefix_of(run.config)});
  }
  return std::make_unique<S3Objects>(run.stores.s3_of(kind)->store->client(), Retrier(RetryPolicy{}),
                                     run.config.key_prefix);
}

std::function<bool(std::string_view)> ours(const Config& config) {
  return [prefix = config.key_prefix, kept = kept_prefix_of(config) + config.key_prefix](std::string_view key) {
    return is_own_key(prefix, key) || is_own_key(kept, key) || quarantined_ticket(prefix, key).has_value();
  };
}

// False: asked to stop.
Result<bool> audit_store(Run& run, StoreKind kind) {
  const Wishes& w = run.wishes;
  const auto known = run.rows.begin(kind);
  if (!known) return known.error();
  const auto listing = listing_of(run, kind);
  Progress bar(std::string(to_string(kind)) + " rows", *known, !w.json);
  const std::uint64_t before = run.totals.rows;
  AuditRules rules{.fix = w.fix,
                   .dry_run = w.dry_run,
                   .hash = w.hash,
                   .grace = std::max<std::chrono::seconds>(run.config.orphan_grace, kLeastGrace),
                   .bytes_per_second = w.rate,
                   .most_mended = w.limit,
                   .is_ours = ours(run.config)};
  if (w.older_than) rules.grace = std::chrono::seconds(*w.older_than);
  rules.tell = [&](const AuditFinding& finding) {
    bar.clear();
    tell(w, kind, finding);
  };
  rules.is_stop_asked = [&] { return run.stop.is_asked(); };
  rules.progress = [&](const AuditTotals& totals) { bar.show(totals.rows - before); };
  return Audit({run.rows, *run.stores.all().by_kind(kind), *listing}, std::move(rules), run.totals).run();
}

void report(const Run& run, std::span<const StoreKind> kinds, bool is_finished, std::chrono::milliseconds took) {
  const AuditTotals& t = run.totals;
  const bool is_rehearsal = run.wishes.fix && run.wishes.dry_run;
  if (run.wishes.json) {
    Summary out;
    Json names(json_array());
    for (const StoreKind kind : kinds) json_array_append_new(names.get(), json_text(to_string(kind)).release());
    out.add("stores", std::move(names)).flag("finished", is_finished).count("rows", t.rows).count("objects", t.objects);
    out.count("young", t.young).count("foreign", t.foreign).count("hashed_bytes", t.hashed_bytes);
    out.count("problems", t.problems).count(is_rehearsal ? "would_mend" : "mended", t.mended);
    std::cout << out.count("ms", static_cast<std::uint64_t>(took.count())).json() << "\n";
    return;
  }
  std::string text = fmt::format("{} rows, {} objects", t.rows, t.objects);
  if (t.foreign > 0) text += fmt::format(", {} of others", t.foreign);
  if (t.young > 0) text += fmt::format(", {} too young to be judged", t.young);
  if (run.wishes.hash) text += fmt::format(", {} bytes hashed", t.hashed_bytes);
  text += fmt::format(": {}", t.problems == 0 ? "no problem" : fmt::format("{} problems", t.problems));
  if (t.mended > 0) text += fmt::format(", {} {}", t.mended, is_rehearsal ? "would be mended" : "mended");
  std::cout << text << fmt::format(", {:.1f} s", static_cast<double>(took.count()) / 1000) << "\n";
  if (!is_finished) std::cout << "stopped before the end: begin again\n";
}

// Those that hold files, or the one that was named.
Result<std::vector<StoreKind>> kinds_to_audit(const Wishes& wishes, const Config& config) {
  std::vector<StoreKind> kinds;
  const bool has_folder = !config.is_in_s3() || ::access(config.storage_path.c_str(), F_OK) == 0;
  const auto is_wanted = [&](StoreKind kind) { return wishes.store.empty() || wishes.store == to_string(kind); };
  if (is_wanted(StoreKind::kLocal) && (has_folder || !wishes.store.empty())) kinds.push_back(StoreKind::kLocal);
  for (const StoreKind kind : {StoreKind::kS3, StoreKind::kS3Secondary}) {
    if (is_wanted(kind) && s3_config(config, kind) != nullptr) kinds.push_back(kind);
  }
  if (kinds.empty()) return Error{Errc::kInvalid, "there is no such store in the settings"};
  return kinds;
}

int run_audit(const Wishes& wishes) {
  const StopSignals stop;
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const auto kinds = kinds_to_audit(wishes, *config);
  if (!kinds) {
    complain(kinds.error());
    return kExitConfig;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Database database(database_options(*config, "cloakroom-audit"));
  auto lock = CommandLock::take(database, "audit", config->node_name);
  if (!lock) return complain(lock.error());
  PgAuditRows rows(database, kept_prefix_of(*config));
  Run run{*config, wishes, *stores, rows, stop};
  const auto began = std::chrono::steady_clock::now();
  Result<bool> done = true;
  for (const StoreKind kind : *kinds) {
    done = audit_store(run, kind);
    if (!done || !*done) break;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began);
  report(run, *kinds, done && *done, took);
  if (!done) return complain(done.error());
  if (!*done) return kExitTryLater;
  const bool is_clean = run.totals.problems == (wishes.dry_run ? 0 : run.totals.mended);
  return is_clean ? kExitDone : kExitProblems;
}

}  // namespace

void add_audit(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command(
      "audit", "compare rows and stored objects; exit 0: all is well or was mended, 1: it is not, 75: try later",
      [wishes] { return run_audit(*wishes); });
  const Option fix = command.flag("--fix", wishes->fix,
                                  "queue objects without a row for deletion and copies without an object to be "
                                  "made anew, remove rows of previews without an object; all else is told of "
                                  "only");
  command.flag("--dry-run", wishes->dry_run, "with --fix: only say what it would do");
  command.flag("--json", wishes->json, "an object a line: each finding, then a summary; no progress bar");
  const Option hash = command.flag("--hash", wishes->hash, "read all objects and compare their SHA-256");
  command.value("--rate", wishes->rate, "with --hash: so many bytes a second, such as 50M").needs(hash).as_bytes();
  command.value("--store", wishes->store, "only this one").among({"local", "s3", "s3-secondary"});
  command.value("--limit", wishes->limit, "with --fix: mend no more than so many").needs(fix).shows_default();
  command
      .value("--older-than", wishes->older_than,
             "seconds: younger objects without a row may be of uploads under way (default: ORPHAN_GRACE, at "
             "least an hour)")
      .between(0, kLongestSeconds);
}

}  // namespace cloakroom
