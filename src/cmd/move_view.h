// move_view.h — what `cloakroom move` says: its plan, its report, how much is where.
//
// Shape    text for people, or one JSON object with --json, on standard output.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cmd/move_board.h"
#include "domain/move_ports.h"
#include "domain/object_copy.h"

namespace cloakroom {

inline constexpr unsigned kMostMovers = 64;

struct MoveRequest {
  StoreKind from = StoreKind::kLocal, to = StoreKind::kS3;
  bool dry_run = false, json = false;
  std::uint64_t rate = 0;  // bytes a second; 0: as fast as it goes
  unsigned parallel = 4;
  Proof proof = Proof::kHash;
  std::int64_t grace_seconds = 86400;
  std::chrono::seconds grace{};
};

struct MoveOutcome {
  struct Difference {
    std::string id, variant, what;
  };
  std::uint64_t files = 0, variants = 0, bytes = 0, there = 0, gone = 0;
  bool is_finished = true;
  std::vector<Difference> differences;  // one of each process at most
  std::string failure;                  // why it is not finished; empty: it was told to stop
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  void copy_totals(const MoveBoard& board);
  std::uint64_t milliseconds() const;
  std::uint64_t bytes_per_second() const;
  std::string rate_note() const;
};

struct StoreCounts {
  StoreKind store;
  MoveCounts counts;
};

std::string readable_bytes(std::uint64_t bytes);  // "12.3 MB"
void show_plan(const MoveRequest& request, const MoveCounts& all);
// `left`: what is in the source now; `comes_again`: new files still go there.
void report(const MoveRequest& request, const MoveOutcome& outcome, const MoveCounts& left, bool comes_again);
void show_status(std::span<const StoreCounts> stores, std::span<const WaitingSources> waiting, bool json);

}  // namespace cloakroom
