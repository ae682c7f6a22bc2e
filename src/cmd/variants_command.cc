// variants_command.cc — `cloakroom variants --rebuild`: makes the smaller pictures of all files, as the settings have
// them.
#include <sys/signalfd.h>
#include <unistd.h>

#include <poll.h>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iostream>

#include "cmd/commands.h"
#include "cmd/wiring.h"

namespace cloakroom {
namespace {

constexpr std::size_t kBatch = 100;
constexpr unsigned kBarWidth = 30;

struct Wishes {
  bool rebuild = false, missing = false, dry_run = false, json = false;
  std::string after;
};

struct Totals {
  std::uint64_t files = 0, made = 0, failed = 0;
};

// One line that is written over itself; nothing where nobody looks.
class Bar {
 public:
  Bar(std::uint64_t all, bool is_shown) : all_(std::max<std::uint64_t>(all, 1)), is_shown_(is_shown) {}
  ~Bar() {
    if (is_shown_) std::cerr << "\n";
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void show(const Totals& totals) const {
    if (!is_shown_) return;
    const auto done = std::min(totals.files, all_);
    const auto full = static_cast<std::size_t>(done * kBarWidth / all_);
    std::cerr << fmt::format("\r[{:<{}}] {} of {} files, {} pictures made, {} failed", std::string(full, '#'),
                             kBarWidth, done, all_, totals.made, totals.failed)
              << std::flush;
  }

 private:
  std::uint64_t all_;
  bool is_shown_;
};

// Readable once SIGTERM or SIGINT came: a file in hand is finished.
class Stop {
 public:
  Stop() {
    sigset_t set;
    sigemptyset(&set);
    for (const int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_.reset(::signalfd(-1, &set, SFD_CLOEXEC));
  }
  bool is_asked() const {
    pollfd one{fd_.get(), POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }

 private:
  UniqueFd fd_;
};

void report(const Wishes& wishes, const Totals& totals, const Uuid& last, bool is_finished) {
  const std::string after = to_string(last);
  if (wishes.json) {
    std::cout << fmt::format(R"({{"files":{},"made":{},"failed":{},"finished":{},"after":"{}"}})", totals.files,
                             totals.made, totals.failed, is_finished, after)
              << "\n";
    return;
  }
  if (wishes.dry_run) {
    std::cout << fmt::format("{} files may have pictures\n", totals.files);
    return;
  }
  std::cout << fmt::format("{} files, {} pictures made, {} files failed\n", totals.files, totals.made, totals.failed);
  if (!is_finished) std::cout << "stopped; go on with: cloakroom variants --rebuild --after " << after << "\n";
}

// An Imager or a database that is away ends the walk: it would be the same with the next file.
bool is_end(const Error& error) {
  return error.code == Errc::kImagerAway || error.code == Errc::kDatabase || error.code == Errc::kStoreAway;
}

int run_rebuild(const Wishes& wishes) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Uuid last{};
  if (!wishes.after.empty()) {
    const auto id = parse_uuid(wishes.after);
    if (!id) {
      std::cerr << "--after takes the id of an attachment\n";
      return kExitUsage;
    }
    last = *id;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  auto imager = make_imager(*config);
  if (!imager || config->variants.empty()) {
    std::cerr << "there are no pictures here: set IMAGE_SOCKET, and VARIANTS to more than none\n";
    return kExitConfig;
  }
  Database database(database_options(*config, "cloakroom-variants"));
  PgRows rows(database);
  PgVariants variant_rows(database);
  Variants variants = make_variants(*config, *stores, rows, variant_rows, *imager, clock);

  const auto all = variant_rows.count_from(last);
  if (!all) return complain(all.error());
  Totals totals;
  if (wishes.dry_run) {
    totals.files = *all;
    report(wishes, totals, last, true);
    return kExitDone;
  }
  const VariantId whole{{}, "rebuild", VariantFormat::kPlain};  // no attachment has this id
  const auto is_alone = variant_rows.try_lock(whole);
  if (!is_alone) return complain(is_alone.error());
  if (!*is_alone) {
    std::cerr << "another one is at it already\n";
    return kExitTryLater;
  }
  const Stop stop;
  const Bar bar(*all, !wishes.json && ::isatty(STDERR_FILENO) == 1);
  while (true) {
    const auto batch = variant_rows.next(last, kBatch);
    if (!batch) return complain(batch.error());
    if (batch->empty()) break;
    for (const Attachment& a : *batch) {
      if (stop.is_asked()) {
        report(wishes, totals, last, false);
        return kExitTryLater;
      }
      const Status forgotten = wishes.missing ? Status(Ok{}) : variant_rows.forget(a.id);
      const auto made = forgotten ? variants.make_all(a.id) : Result<unsigned>(forgotten.error());
      if (!made && is_end(made.error())) {
        report(wishes, totals, last, false);
        complain(made.error());
        return kExitTryLater;
      }
      last = a.id;
      ++totals.files;
      totals.made += made ? *made : 0;
      totals.failed += made ? 0 : 1;
      bar.show(totals);
    }
  }
  report(wishes, totals, last, true);
  return totals.failed > 0 ? kExitProblems : kExitDone;
}

}  // namespace

void add_variants(CLI::App& cli, Command& chosen) {
  const auto wishes = std::make_shared<Wishes>();
  CLI::App* command = cli.add_subcommand("variants", "the smaller pictures of all files");
  command->add_flag("--rebuild", wishes->rebuild, "make all of them anew, in the sizes and formats of the settings")
      ->required();
  command->add_flag("--missing", wishes->missing, "only those that are not there yet");
  command->add_flag("--dry-run", wishes->dry_run, "only say how many files there are");
  command->add_flag("--json", wishes->json, "say at the end what was done, as JSON; no progress bar");
  command->add_option("--after", wishes->after, "go on after the attachment with this id, where another run stopped");
  command->callback([wishes, &chosen] { chosen = [wishes] { return run_rebuild(*wishes); }; });
}

}  // namespace cloakroom
