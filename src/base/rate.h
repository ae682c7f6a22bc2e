// rate.h — how often something may be done: "60/m burst 20".
//
// Shape    COUNT/UNIT with s, m, h or d, then " burst N"; or "off". Without burst: as many at once as COUNT.
// Meaning  `burst` at once after a pause; then one every period / count. In any stretch of time t at most
//          burst + t * count / period.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cloakroom {

struct Rate {
  std::uint32_t count = 0;  // 0: not limited
  std::chrono::seconds period{60};
  std::uint32_t burst = 0;  // from 1 on, when limited

  bool is_on() const { return count > 0; }
  // From one to the next, for whoever goes on evenly. REQUIRES: is_on().
  std::chrono::microseconds interval() const { return std::chrono::microseconds(period) / count; }
  bool operator==(const Rate&) const = default;
};

// Errors   kInvalid; `detail` says what a rate looks like. COUNT and N are 1 to 1,000,000.
Result<Rate> parse_rate(std::string_view text);
// As it would be written in the settings.
std::string to_string(const Rate& rate);

}  // namespace cloakroom
