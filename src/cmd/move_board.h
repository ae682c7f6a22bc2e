// move_board.h — what the processes of one move know together: totals, the rate, and whether to stop.
//
// Shape    atomics alone in memory mapped before fork(2), as base/scoreboard has it for workers.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <new>

#include "base/pace.h"
#include "base/result.h"

namespace cloakroom {

struct MoveBoard {
  std::atomic<bool> stop{false};
  PaceBoard pace;
  std::atomic<std::uint64_t> files{0}, variants{0};  // switched
  std::atomic<std::uint64_t> bytes{0};               // of both
  std::atomic<std::uint64_t> there{0};               // of them: nothing had to be copied
  std::atomic<std::uint64_t> gone{0};                // deleted or changed meanwhile
};

class SharedMoveBoard {
 public:
  SharedMoveBoard() : board_(nullptr) {
    void* memory = ::mmap(nullptr, sizeof(MoveBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) BUG("no memory for the board of a move");
    board_ = ::new (memory) MoveBoard();
  }
  ~SharedMoveBoard() { ::munmap(board_, sizeof(MoveBoard)); }
  SharedMoveBoard(const SharedMoveBoard&) = delete;
  SharedMoveBoard& operator=(const SharedMoveBoard&) = delete;

  MoveBoard& operator*() const { return *board_; }
  MoveBoard* operator->() const { return board_; }

 private:
  MoveBoard* board_;
};

}  // namespace cloakroom
