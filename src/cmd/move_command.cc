// move_command.cc — `cloakroom move`: all files from one store to another, while they are served.
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cmd/check_apart.h"
#include "cmd/commands.h"
#include "cmd/crew.h"
#include "cmd/move_board.h"
#include "cmd/move_view.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/command_lock.h"
#include "db/moves.h"

namespace cloakroom {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kLookEvery{100};
constexpr seconds kKeepLockEvery{2};
constexpr seconds kTicketLife{86400};

struct Wishes {
  MoveRequest request;
  std::string from, to, verify = "full";
  bool status = false;
};

// "finished", or why not, as a member tells its parent: first the word, then its lines.
MemberAnswer told(int code, std::string said = {}) {
  return {code, std::move(said)};
}

MemberAnswer move_share(const Config& config, const MoveRequest& request, MoveBoard& board, unsigned part) {
  const SystemClock clock;
  const auto stores = make_stores(config, clock);
  if (!stores) return told(kExitTryLater, stores.error().detail);
  Database database(database_options(config, "cloakroom-move"));
  PgMoves rows(database, is_hybrid(config));
  Pace pace(board.pace, request.rate);
  StoreMoveRules rules = store_move_rules(config, request.proof);
  rules.grace = request.grace;
  rules.ticket_life = std::max({config.orphan_grace, kTicketLife, request.grace});
  rules.bytes_per_second = request.rate;
  rules.part = part;
  rules.parts = request.parallel;
  rules.is_stop_asked = [&] { return board.stop.load(); };
  rules.pace = [&](std::size_t bytes) { return pace.take(bytes, rules.is_stop_asked); };
  rules.moved = [&](const MovableObject& object, Moved how) {
    if (how == Moved::kGone) {
      ++board.gone;
      return;
    }
    ++(object.variant ? board.variants : board.files);
    board.bytes += object.file.size_bytes;
    if (how == Moved::kWasThere) ++board.there;
  };
  StoreMove move(store_move_parts(config, *stores, {request.from, request.to}, rows, clock), rules);
  const auto end = move.run();
  if (!end) return told(kExitTryLater, end.error().detail);
  if (*end == StoreMove::End::kFinished) return told(kExitDone);
  if (*end == StoreMove::End::kStopped) return told(kExitTryLater);
  board.stop = true;
  const MoveDifference& found = move.difference();
  return told(kExitProblems, to_string(found.attachment_id) + "\n" + found.variant + "\n" + found.what);
}

// What became of the members: the worst of it.
void note(const MemberAnswer& answer, MoveOutcome& outcome, MoveBoard& board) {
  if (answer.code == kExitDone) return;
  board.stop = true;
  outcome.is_finished = false;
  if (answer.code == kExitProblems && std::count(answer.said.begin(), answer.said.end(), '\n') >= 2) {
    const auto first = answer.said.find('\n'), second = answer.said.find('\n', first + 1);
    outcome.differences.push_back({answer.said.substr(0, first), answer.said.substr(first + 1, second - first - 1),
                                   answer.said.substr(second + 1)});
  } else if (answer.code != kExitTryLater) {
    outcome.failure = fmt::format("one of the processes that moved ended with {}; run it again", answer.code);
  } else if (!answer.said.empty()) {
    outcome.failure = answer.said;
  }
}

Status work(const Config& config, const MoveRequest& request, CommandLock& lock, const StopSignals& stop,
            const MoveCounts& all, MoveOutcome& outcome) {
  const SharedMoveBoard board;
  std::cout.flush();
  TRY_ASSIGN(Crew crew,
             Crew::start(request.parallel, [&](unsigned part) { return move_share(config, request, *board, part); }));
  Progress bar("files", all.files + all.variants, !request.json);
  auto lock_kept = std::chrono::steady_clock::now();
  while (crew.is_working()) {
    for (const MemberAnswer& answer : crew.ended(kLookEvery)) note(answer, outcome, *board);
    if (stop.is_asked()) board->stop = true;
    outcome.copy_totals(*board);
    bar.show(outcome.files + outcome.variants + outcome.gone, outcome.rate_note());
    if (std::chrono::steady_clock::now() - lock_kept < kKeepLockEvery || board->stop) continue;
    lock_kept = std::chrono::steady_clock::now();
    if (const Status kept = lock.keep(); !kept) {
      board->stop = true;
      outcome.is_finished = false;
      outcome.failure = kept.error().detail;
    }
  }
  return Ok{};
}

// Root's files in a folder of the workers are files that no worker and no nginx can read.
Status check_owner(const Config& config) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(config.storage_path.c_str(), &info) != 0 || info.st_uid == 0) return Ok{};
  return Error{Errc::kInvalid,
               "run it as the user that UPLOAD_STORAGE_PATH belongs to: what root writes there, no worker "
               "can read"};
}

// What the settings do not allow is said before anything is begun.
Status check_request(const Config& config, const MoveRequest& request) {
  if (request.from == request.to) return Error{Errc::kInvalid, "--from and --to name the same store"};
  if (request.to == StoreKind::kLocal) TRY(check_owner(config));
  // also where DELIVERY is no longer redirect: addresses that were given before are good all the same
  const seconds least = request.from == StoreKind::kLocal ? kMoveLinger : std::max(kMoveLinger, config.presign_expires);
  if (request.grace < least) {
    return Error{Errc::kInvalid,
                 fmt::format("--grace is at least {} s here: {}", least.count(),
                             least == kMoveLinger ? "whoever just asked for a file must find it"
                                                  : "addresses that readers were given are good for PRESIGN_EXPIRES")};
  }
  return Ok{};
}

// In one bucket under two names the removal of a source is that of its copy. Also of what could not be seen: nothing
// is moved on a guess.
Status check_two_buckets(const Config& config, const MoveRequest& request, const Clock& clock) {
  if (request.from == StoreKind::kLocal || request.to == StoreKind::kLocal) return Ok{};
  const Finding found = check_apart(config, clock);
  if (found.verdict == Verdict::kOk) return Ok{};
  return Error{Errc::kInvalid, fmt::format("nothing was moved: {}\n-> {}", found.text, found.remedy)};
}

int run_move(const MoveRequest& request) {
  const StopSignals stop;
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  if (const Status checked = check_request(*config, request); !checked) {
    complain(checked.error());
    return kExitConfig;
  }
  const SystemClock clock;
  const auto stores = make_stores(*config, clock);
  if (!stores) return complain(stores.error());
  for (const StoreKind kind : {request.from, request.to}) {
    if (stores->all().by_kind(kind) != nullptr) continue;
    complain(Error{Errc::kInvalid, fmt::format("the store '{}' is not in the settings", to_string(kind))});
    return kExitConfig;
  }
  if (const Status checked = check_two_buckets(*config, request, clock); !checked) {
    complain(checked.error());
    return kExitConfig;
  }
  Database database(database_options(*config, "cloakroom-move"));
  auto lock = CommandLock::take(database, "move", config->node_name);
  if (!lock) return complain(lock.error());
  PgMoves rows(database);
  const auto all = rows.count(request.from);
  if (!all) return complain(all.error());
  if (request.dry_run) {
    show_plan(request, *all);
    return kExitDone;
  }
  if (const Status ready = stores->all().by_kind(request.to)->prepare(); !ready) return complain(ready.error());
  MoveOutcome outcome;
  if (const Status done = work(*config, request, *lock, stop, *all, outcome); !done) return complain(done.error());
  const auto left = rows.count(request.from);
  if (!left) return complain(left.error());
  report(request, outcome, *left, kind_of_new_files(*config) == request.from);
  if (!outcome.differences.empty()) return kExitProblems;
  return outcome.is_finished ? kExitDone : kExitTryLater;
}

int run_status(bool json) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-move"));
  PgMoves rows(database);
  std::vector<StoreCounts> stores;
  for (const StoreKind kind : kStoreKinds) {
    const auto counts = rows.count(kind);
    if (!counts) return complain(counts.error());
    stores.push_back({kind, *counts});
  }
  const auto waiting = rows.waiting();
  if (!waiting) return complain(waiting.error());
  show_status(stores, *waiting, json);
  return kExitDone;
}

std::string store_problem(const std::string& word) {
  if (parse_store_kind(word)) return {};
  std::string known;
  for (const StoreKind kind : kStoreKinds) known.append(known.empty() ? "" : ", ").append(to_string(kind));
  return "'" + word + "' is not a store: " + known;
}

int run_chosen(Wishes& wishes) {
  MoveRequest& wanted = wishes.request;
  if (wishes.status) return run_status(wanted.json);
  const auto from = parse_store_kind(wishes.from), to = parse_store_kind(wishes.to);
  if (!from || !to) {
    std::cerr << "cloakroom: move needs --from and --to; see cloakroom move --help\n";
    return kExitUsage;
  }
  wanted.from = *from;
  wanted.to = *to;
  wanted.proof = wishes.verify == "full" ? Proof::kHash : Proof::kSize;
  wanted.grace = seconds(wanted.grace_seconds);
  return run_move(wanted);
}

}  // namespace

void add_move(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  MoveRequest& request = wishes->request;
  const OptionSet command = line.command(
      "move",
      "move all files from one store to another while they are served; safe to stop and to repeat. Exit 0: done, 1: it "
      "stopped at a file that is not what its row says, 75: try later",
      [wishes] { return run_chosen(*wishes); });
  const Option status =
      command.flag("--status", wishes->status, "how much is in each store, and what waits for its removal, then exit");
  command.value("--from", wishes->from, "the store that they are in: local or s3")
      .checked(store_problem, "STORE")
      .excludes(status);
  command.value("--to", wishes->to, "the store that they shall be in").checked(store_problem, "STORE").excludes(status);
  command.flag("--dry-run", request.dry_run, "only say how much it would move").excludes(status);
  command.flag("--json", request.json, "the report as one JSON object; no progress bar");
  command
      .value("--rate", request.rate,
             "read no more than so many bytes a second, such as 50M, in all: of the source, and back from the target")
      .as_bytes();
  command.value("--parallel", request.parallel, "processes that share the work")
      .between(1, kMostMovers)
      .shows_default();
  command
      .value("--verify", wishes->verify,
             "full: each copy is read back and hashed; size: its size is asked, and the put is believed, which the "
             "hash was part of")
      .among({"full", "size"})
      .shows_default();
  command
      .value("--grace", request.grace_seconds,
             "how long the old object stays for those who are reading it, and for a way back: 3600, 90m, 12h, 7d "
             "(default: 1d)")
      .as_seconds()
      .between(0, kLongestSeconds);
}

}  // namespace cloakroom
