// backfill_command.cc — `cloakroom backfill`: takes over the files of an old application.
#include <fcntl.h>
#include <fmt/format.h>

#include <iostream>

#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"
#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/backfill_book.h"
#include "db/command_lock.h"
#include "db/legacy_query.h"
#include "domain/backfill.h"
#include "storage/legacy_export.h"
#include "storage/legacy_folder.h"

namespace cloakroom {
namespace {

struct Wishes {
  std::string mapping;
  bool dry_run = false, json = false, begin_again = false;
  std::size_t batch = 200;
  std::uint64_t limit = 0, rate = 0;
};

struct Described {
  BackfillMapping mapping;
  std::string text;
};

Result<Described> read_mapping(const std::string& path) {
  TRY_ASSIGN(const UniqueFd file, open_file(path, O_RDONLY));
  std::string text(limits::kMappingBytes + 1, '\0');
  TRY_ASSIGN(const std::size_t size, read_at(file.get(), std::as_writable_bytes(std::span(text)), 0));
  if (size > limits::kMappingBytes) return Error{Errc::kInvalid, "the mapping is too large to be one"};
  text.resize(size);
  TRY_ASSIGN(BackfillMapping mapping, parse_mapping(text));
  return Described{std::move(mapping), std::move(text)};
}

// Where rows and bytes come from, and where they go.
struct Plan {
  std::unique_ptr<Database> database;  // the old application's, where it has one
  std::unique_ptr<LegacyRows> rows;
  std::unique_ptr<LegacyStore> bytes;
  BlobStore* store = nullptr;
  std::string adopt_prefix, identity;
};

Status plan_rows(const BackfillMapping& mapping, const Config& config, Plan& plan) {
  if (const auto* query = std::get_if<BackfillMapping::Query>(&mapping.source)) {
    DatabaseOptions options = database_options(config, "cloakroom-backfill-source");
    options.schema = query->schema;
    if (!query->database_env.empty()) {
      auto url = process_environment()(query->database_env);
      if (!url)
        return Error{Errc::kInvalid,
                     "the variable " + query->database_env + " (source.postgresql.database_env) is not set"};
      options.url = *std::move(url);
    }
    plan.database = std::make_unique<Database>(std::move(options));
    plan.rows = std::make_unique<LegacyQuery>(*plan.database, *query);
    return Ok{};
  }
  const auto* csv = std::get_if<BackfillMapping::Csv>(&mapping.source);
  TRY_ASSIGN(auto made, csv != nullptr ? LegacyExport::open(*csv)
                                       : LegacyExport::open(std::get<BackfillMapping::JsonLines>(mapping.source)));
  plan.identity = made->identity();
  plan.rows = std::move(made);
  return Ok{};
}

// The book remembers paths as they are below bytes.root, and old addresses are looked up in it as they are below
// LEGACY_FALLBACK_ROOT: were these two folders, what was taken over would be handed out as if it were not.
Status check_addresses(const std::string& root, const Config& config) {
  if (config.legacy.root.empty()) return Ok{};
  TRY_ASSIGN(const std::string taken, real_path(root));
  TRY_ASSIGN(const std::string answered, real_path(config.legacy.root));
  if (taken == answered) return Ok{};
  return Error{Errc::kInvalid,
               fmt::format("mapping: bytes.root is '{}', LEGACY_FALLBACK_ROOT '{}': old addresses would go on with the "
                           "old files. Name the same folder in both (and let strip take the rest off the paths), or "
                           "set LEGACY_FALLBACK_ROOT empty",
                           taken, answered)};
}

Status plan_bytes(const BackfillMapping& mapping, const Config& config, const StoreSet& stores, Plan& plan) {
  if (const auto* folder = std::get_if<BackfillMapping::Folder>(&mapping.bytes)) {
    TRY(check_addresses(folder->root, config));
    TRY_ASSIGN(LegacyFolder made, LegacyFolder::make(folder->root));
    plan.bytes = std::make_unique<LegacyFolder>(std::move(made));
    plan.store = mapping.adopts ? static_cast<BlobStore*>(stores.local.get()) : &stores.for_new_files(config);
    if (mapping.adopts) {
      TRY_ASSIGN(auto prefix, prefix_in_store(folder->root, config.storage_path));
      if (!prefix) {
        return Error{Errc::kInvalid,
                     "mapping: with \"mode\": \"adopt\" bytes.root must lie within UPLOAD_STORAGE_PATH; "
                     "else the files must be copied"};
      }
      plan.adopt_prefix = *std::move(prefix);
    }
    return Ok{};
  }
  if (!config.s3) return Error{Errc::kInvalid, "mapping: bytes.s3_prefix needs a bucket: set S3_BUCKET"};
  plan.adopt_prefix = std::get<BackfillMapping::Objects>(mapping.bytes).prefix;
  plan.store = stores.s3->guarded.get();
  plan.bytes = std::make_unique<LegacyObjects>(*plan.store, plan.adopt_prefix);
  return Ok{};
}

// One line a file that failed, for people or as JSON, while the work goes on.
class Teller {
 public:
  Teller(const Wishes& wishes, const LegacyRows::Left& left)
      : wishes_(wishes), bar_(left.unit, left.count, !wishes.json) {}

  void failed(const LegacyTrouble& one) {
    bar_.clear();
    if (wishes_.json) {
      Summary line;
      line.text("what", "failed").text("message_id", one.message_id).text("path", one.path).text("reason", one.reason);
      std::cout << line.text("detail", one.detail).json() << "\n";
      return;
    }
    std::cout << fmt::format("{}: message {}, {}: {}\n", one.reason, shown(one.message_id), shown(one.path),
                             one.detail);
  }
  void so_far(std::uint64_t walked, const BackfillTotals& t) {
    bar_.show(walked, fmt::format("{} taken, {} already, {} failed", t.taken, t.already, t.failed));
  }
  void finish() { bar_.clear(); }

 private:
  // Texts of others on a terminal.
  static std::string shown(std::string_view text) {
    if (text.empty()) return "?";
    return has_control(text) || !is_utf8(text) ? percent_encode_path(text) : std::string(text);
  }

  const Wishes& wishes_;
  Progress bar_;
};

void report(const Wishes& wishes, const std::string& name, const BackfillTotals& t, bool is_finished) {
  if (wishes.json) {
    Summary out;
    out.text("what", "summary").text("name", name).flag("dry_run", wishes.dry_run).flag("finished", is_finished);
    out.count("rows", t.rows).count(wishes.dry_run ? "would_take" : "taken", t.taken).count("bytes", t.bytes);
    std::cout << out.count("already", t.already).count("failed", t.failed).json() << "\n";
    return;
  }
  std::cout << fmt::format("{} rows: {} files, {} bytes {}; {} were there already, {} failed\n", t.rows, t.taken,
                           t.bytes, wishes.dry_run ? "would be taken" : "taken", t.already, t.failed);
  if (!is_finished) std::cout << "there is more: run it again to go on\n";
}

// What a run over another mapping or another export cannot go on with.
std::string fingerprint_of(const Described& described, const Plan& plan) {
  const Sha256Digest digest = sha256(described.text + "\n" + plan.identity);
  return hex_encode(std::span(digest).first(16));
}

int run_backfill(const Wishes& wishes) {
  const auto described = read_mapping(wishes.mapping);  // it may be in root's home
  if (!described) {
    complain(described.error());
    return kExitConfig;
  }
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  const BackfillMapping& mapping = described->mapping;
  const StopSignals stop;
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  Plan plan;
  Status planned = plan_rows(mapping, *config, plan);
  if (planned) planned = plan_bytes(mapping, *config, *stores, plan);
  if (!planned) {
    complain(planned.error());
    return kExitConfig;
  }
  Database database(database_options(*config, "cloakroom-backfill"));
  std::optional<CommandLock> lock;
  if (!wishes.dry_run) {
    auto taken = CommandLock::take(database, "backfill", config->node_name);
    if (!taken) return complain(taken.error());
    lock.emplace(*std::move(taken));
    if (const Status ready = plan.store->prepare(); !ready) return complain(ready.error());
  }
  auto sniffer = MagicSniffer::open();
  if (!sniffer) return complain(sniffer.error());

  PgRows rows(database);
  PgBackfillBook book(database, is_hybrid(*config));
  BackfillScan scan(*config);
  BackfillRules rules = backfill_rules(*config, scan);
  rules.adopt_prefix = plan.adopt_prefix;
  rules.fingerprint = fingerprint_of(*described, plan);
  rules.begins_again = wishes.begin_again || wishes.dry_run;
  rules.is_rehearsal = wishes.dry_run;
  rules.most_taken = wishes.limit;
  rules.page = wishes.batch;
  rules.bytes_per_second = wishes.rate;
  std::optional<Teller> teller;
  BackfillTellers tellers;
  tellers.failed = [&](const LegacyTrouble& one) { teller->failed(one); };
  tellers.progress = [&](std::uint64_t walked, const BackfillTotals& totals) { teller->so_far(walked, totals); };
  tellers.between = [&]() -> Status {
    if (stop.is_asked()) return Error{Errc::kNotYet, "stopped; run it again to go on"};
    return lock ? lock->keep() : Status(Ok{});
  };
  Backfill backfill({*plan.rows, *plan.bytes, *plan.store, rows, book, **sniffer, clock}, mapping, std::move(rules),
                    std::move(tellers));
  const auto from = backfill.resume();
  if (!from) return complain(from.error());
  const auto left = plan.rows->left(from->position);
  if (!left) return complain(left.error());
  teller.emplace(wishes, *left);
  const auto finished = backfill.run();
  teller->finish();
  report(wishes, mapping.name, backfill.totals(), finished && *finished);
  if (!finished) return complain(finished.error());
  if (!*finished) return kExitTryLater;
  return backfill.totals().failed > 0 ? kExitProblems : kExitDone;
}

}  // namespace

void add_backfill(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command("backfill",
                                         "take over the files of an old application; safe to repeat; exit 0: all are "
                                         "here, 1: some failed, 75: go on later",
                                         [wishes] { return run_backfill(*wishes); });
  command.value("mapping", wishes->mapping, "file that says where rows and bytes are: docs/backfill.md").required();
  command.flag("--dry-run", wishes->dry_run, "only look whether every file is there");
  command.flag("--json", wishes->json, "one JSON object a line: each failure, at the end a summary; no progress bar");
  command.flag("--begin-again", wishes->begin_again, "not where the last run stopped, but from the first row");
  command.value("--batch", wishes->batch, "rows read at once").between(1, 1000).shows_default();
  command.value("--limit", wishes->limit, "files taken in this run at most; 0: any number").shows_default();
  command.value("--rate", wishes->rate, "so many bytes a second at most, such as 50M").as_bytes();
}

}  // namespace cloakroom
