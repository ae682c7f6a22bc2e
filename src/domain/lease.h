// lease.h — what one process took from budgets in advance, so that not every download writes a row.
//
// Rule     after a request was accepted it is known how much is left; the next one takes 1/64 of that, at most 32, pays
//          for all, and those behind it are let through without asking anybody. Near its end a budget is taken from one
//          by one, and counts exactly. What was taken is paid: no process ever lets more through than the budget; what
//          it did not use within kLeaseLife is lost.
// Bounds   kMostLeases; when there are more, all are given up.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "domain/spending.h"

namespace cloakroom {

inline constexpr std::uint32_t kMostLeased = 32;
inline constexpr std::int64_t kLeaseShare = 64;
inline constexpr std::chrono::seconds kLeaseLife{5};
inline constexpr std::size_t kMostLeases = 4096;

class Leases {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One from what was taken in advance; false when there is none.
  bool use(const Spenders& spenders, Time now);
  // How many to take now, from 1 on.
  std::uint32_t wish(const Spenders& spenders, Time now) const;
  // `taken` were paid, of which the request in hand uses one; `left`: what may still be taken.
  void grant(const Spenders& spenders, std::uint32_t taken, std::int64_t left, Time now);
  // What was taken in advance is given up: the budget itself is asked next.
  void drop(const Spenders& spenders);

 private:
  struct Lease {
    std::uint32_t unused = 0, wish = 1;
    Time ends;
  };
  static std::string name_of(const Spenders& spenders);

  std::unordered_map<std::string, Lease> leases_;
};

}  // namespace cloakroom
