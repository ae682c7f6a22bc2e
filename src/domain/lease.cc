// lease.cc — a table of what was taken in advance.
#include "domain/lease.h"

#include <algorithm>

namespace cloakroom {

// No id of a user holds a control character.
std::string Leases::name_of(const Spenders& spenders) {
  std::string name;
  for (const Spender& spender : spenders) name.append(spender.key).append("\n");
  return name;
}

bool Leases::use(const Spenders& spenders, Time now) {
  const auto found = leases_.find(name_of(spenders));
  if (found == leases_.end() || found->second.unused == 0 || now >= found->second.ends) return false;
  --found->second.unused;
  return true;
}

std::uint32_t Leases::wish(const Spenders& spenders, Time now) const {
  const auto found = leases_.find(name_of(spenders));
  return found == leases_.end() || now >= found->second.ends ? 1 : found->second.wish;
}

void Leases::grant(const Spenders& spenders, std::uint32_t taken, std::int64_t left, Time now) {
  if (leases_.size() >= kMostLeases) leases_.clear();
  const auto share = std::clamp<std::int64_t>(left / kLeaseShare, 1, kMostLeased);
  leases_[name_of(spenders)] = {taken - 1, static_cast<std::uint32_t>(share), now + kLeaseLife};
}

void Leases::drop(const Spenders& spenders) {
  leases_.erase(name_of(spenders));
}

}  // namespace cloakroom
