// finding.h — what one check of `cloakroom check` found: its name, the verdict, one sentence, and what to do about it.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cloakroom {

enum class Verdict { kOk, kWarning, kFailure };

struct Finding {
  std::string check;  // "s3.put": does not change between versions, so a machine may look for it
  Verdict verdict = Verdict::kOk;
  std::string text;         // lower case, no full stop, no secret
  std::string remedy = {};  // what the sysadmin can do; empty when nothing needs to be done
};

using Findings = std::vector<Finding>;

// Without the check's name, which the table it stands in fills in.
inline Finding good(std::string text) {
  return {"", Verdict::kOk, std::move(text)};
}
inline Finding warning(std::string text, std::string remedy) {
  return {"", Verdict::kWarning, std::move(text), std::move(remedy)};
}
inline Finding failure(std::string text, std::string remedy) {
  return {"", Verdict::kFailure, std::move(text), std::move(remedy)};
}

inline std::string_view word_of(Verdict verdict) {
  if (verdict == Verdict::kOk) return "ok";
  return verdict == Verdict::kWarning ? "warning" : "failure";
}

}  // namespace cloakroom
