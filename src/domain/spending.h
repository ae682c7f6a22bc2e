// spending.h — what a request spends, and from whose budgets.
//
// Rule     a signed-in user spends from his own budget and from that of his address; whoever has none but an address (a
//          link, public files, AUTH=none) from that alone; the service from none. An IPv6 address counts by its /64: a
//          household has that many.
// Meter    GCRA: a budget is one point in time, "theoretical arrival". A request is accepted when it is at most
//          (burst - 1) intervals ahead of now, and moves it one interval on.
// Misses   a 404 for a file costs a miss, whatever its reason. Whoever has none left gets no file either, there or not:
//          the refusal says nothing about the file.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/rate.h"
#include "base/result.h"

namespace cloakroom {

enum class Budget { kUploads, kDownloads, kMisses };
std::string_view to_string(Budget budget);  // "uploads": part of answers and the name of a column

struct RateSet {
  Rate uploads, downloads, misses;
  const Rate& of(Budget budget) const;
  bool any() const { return uploads.is_on() || downloads.is_on() || misses.is_on(); }
};

struct RateRules {
  RateSet user, address;
};

struct Spender {
  std::string key;  // "u:alice", "a:192.0.2.7", "a:2001:db8::"
  const RateSet* rates = nullptr;
};
// At most two, the user first; empty: not limited.
using Spenders = std::vector<Spender>;

// `address` as REMOTE_ADDR has it; one that is none (a Unix socket) has no budget.
// Lifetime the rules outlive the result.
Spenders spenders_of(const RateRules& rules, const std::optional<std::string>& user_id, std::string_view address);

bool is_limited(const Spenders& spenders, Budget budget);

// kTooMany, with what the client is to be told. `wait`: until it would be accepted.
Error too_many(Budget budget, const Rate& rate, std::chrono::microseconds wait);

}  // namespace cloakroom
