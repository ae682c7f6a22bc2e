// conditional.h — whether a GET or HEAD goes on, given what the client already knows. Pure.
//
// Source   RFC 9110 section 13.
// Shape    An empty header stands for an absent one. Order of section 13.2.2: If-Match, else If-Unmodified-Since; then
//          If-None-Match, else If-Modified-Since. Range and If-Range come after, and only when the answer is kProceed.
// Units    Dates are compared at whole seconds: HTTP has no finer ones.
// Errors   None: a date that cannot be read is as if absent; so is what follows the first unreadable tag of a list: an
//          unreadable If-Match fails, an unreadable If-None-Match proceeds.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"

namespace cloakroom {

struct Validators {
  std::string etag;  // with its quotes; strong, never W/
  TimePoint last_modified;
};

struct Conditions {
  std::string_view if_match = {};
  std::string_view if_none_match = {};
  std::string_view if_modified_since = {};
  std::string_view if_unmodified_since = {};
  std::string_view if_range = {};
};

enum class Precondition { kProceed, kNotModified, kFailed };  // go on, 304, 412

Precondition evaluate(const Conditions& conditions, const Validators& validators);

// Whether a Range header is to be obeyed. True without If-Range, for the same strong tag and for exactly the same date.
bool range_applies(std::string_view if_range, const Validators& validators);

}  // namespace cloakroom
