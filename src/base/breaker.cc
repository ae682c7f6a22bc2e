// breaker.cc — the three states in three atomics.
#include "base/breaker.h"

#include <algorithm>
#include <optional>
#include <random>

#include "base/log.h"

namespace cloakroom {
bool Breaker::is_outage(const Status& outcome) const {
  return !outcome && outcome.error().code == policy_.outage && outcome.error().retryable;
}

BreakerTools system_breaker_tools() {
  // Seeded at the first draw: forked children must not draw the same numbers.
  return {&monotonic_ms, [engine = std::optional<std::minstd_rand>()]() mutable {
            if (!engine) engine.emplace(std::random_device{}());
            return std::uniform_real_distribution<double>(0.0, 1.0)(*engine);
          }};
}

bool Breaker::is_open() const {
  return tools_.now() < board_.open_until.load();
}

Breaker::Admission Breaker::admit() {
  std::int64_t until = board_.open_until.load();
  if (until == 0) return Admission::kPass;
  const std::int64_t now = tools_.now();
  // Of all who see the pause over, the one who moves its end is the probe.
  const bool mine = now >= until && board_.open_until.compare_exchange_strong(until, now + policy_.probe_lease.count());
  return mine ? Admission::kProbe : Admission::kRefuse;
}

void Breaker::open() {
  const std::uint32_t doublings = std::min(board_.openings.fetch_add(1), 16U);
  const auto longest = std::min<std::chrono::milliseconds>(policy_.cap, policy_.base * (1U << doublings));
  const double pause = static_cast<double>(longest.count()) * (0.5 + tools_.random() / 2);
  board_.open_until.store(tools_.now() + static_cast<std::int64_t>(pause));
  log(Level::kWarning, std::string(policy_.name) + ".given_up", {{"pause_ms", static_cast<std::int64_t>(pause)}});
}

void Breaker::note(const Status& outcome) {
  if (outcome) {
    // Looked at first: a write would take the line from the caches of all other children, at every call.
    if (board_.failures.load() != 0) board_.failures.store(0);
    if (board_.open_until.load() != 0) board_.open_until.store(0);
    if (board_.openings.load() != 0 && board_.openings.exchange(0) != 0)
      log(Level::kInfo, std::string(policy_.name) + ".back", {});
  } else if (is_outage(outcome)) {
    const bool enough = board_.failures.fetch_add(1) + 1 >= policy_.failures;
    if (enough && board_.open_until.load() == 0) open();
  }
}

void Breaker::asked(const Status& outcome) {
  if (!is_outage(outcome)) return note(outcome);
  if (!is_open()) open();
}

void Breaker::probed(const Status& outcome) {
  if (is_outage(outcome)) {
    open();
    return;
  }
  board_.failures.store(policy_.failures - 1);
  board_.open_until.store(0);
}

}  // namespace cloakroom
