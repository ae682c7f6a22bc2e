// csv.cc — one state a character.
#include "base/csv.h"

#include <utility>

#include "base/result.h"

namespace cloakroom {
namespace {

char escaped_by(char c) {
  switch (c) {
    case '0':
      return '\0';
    case 'b':
      return '\b';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'Z':
      return '\x1a';
    default:
      return c;
  }
}

}  // namespace

std::size_t CsvRecord::feed(std::string_view bytes) {
  if (is_complete_) BUG("a record that is complete was fed");
  std::size_t fed = 0;
  while (fed < bytes.size() && !is_complete_) take(bytes[fed++]);
  return fed;
}

void CsvRecord::finish() {
  if (is_complete_) return;
  if (state_ == State::kQuoted || is_escaped_) is_bad_ = true;
  end_record();
}

// A field costs something even when it is empty: many of them are memory, too.
void CsvRecord::keep(char c) {
  if (++kept_ > rules_.most_bytes) {
    is_too_long_ = true;
    field_.clear();
    fields_.clear();
    return;
  }
  field_ += c;
}

void CsvRecord::take_escaped(char c) {
  is_escaped_ = false;
  if (c == 'N' && field_.empty() && state_ == State::kPlain && !is_quoted_) {
    is_null_ = true;
    return;
  }
  keep(escaped_by(c));
}

void CsvRecord::take(char c) {
  if (is_escaped_) return take_escaped(c);
  if (state_ == State::kStart) {
    if (c == '"') {
      is_quoted_ = is_quoted_ever_ = true;
      state_ = State::kQuoted;
      return;
    }
    state_ = State::kPlain;
  }
  if (state_ == State::kQuoted) {
    if (c == '"') {
      state_ = State::kQuoteInQuoted;
    } else if (c == '\\' && rules_.has_escapes) {
      is_escaped_ = true;
    } else {
      keep(c);
    }
    return;
  }
  if (state_ == State::kQuoteInQuoted) {
    if (c == '"') {
      state_ = State::kQuoted;
      return keep(c);
    }
    state_ = State::kPlain;
  }
  if (std::exchange(has_return_, false) && c != '\n') keep_plain('\r');
  if (c == rules_.delimiter) return end_field();
  if (c == '\n') return end_record();
  if (c == '\r') {
    has_return_ = true;  // a line end's first half, perhaps
  } else if (c == '\\' && rules_.has_escapes) {
    is_escaped_ = true;
  } else {
    keep_plain(c);
  }
}

// Behind a closing quote, or behind \N, nothing may come.
void CsvRecord::keep_plain(char c) {
  if (is_null_ || is_quoted_) is_bad_ = true;
  keep(c);
}

void CsvRecord::end_field() {
  if (++kept_ > rules_.most_bytes) is_too_long_ = true;
  if (is_null_ || (!is_quoted_ && rules_.null && field_ == *rules_.null)) {
    if (!is_too_long_) fields_.emplace_back(std::nullopt);
  } else if (!is_too_long_) {
    fields_.emplace_back(std::move(field_));
  }
  field_.clear();
  is_null_ = is_quoted_ = false;
  state_ = State::kStart;
}

void CsvRecord::end_record() {
  has_return_ = false;
  end_field();
  if (is_too_long_) fields_.clear();
  is_complete_ = true;
}

void CsvRecord::clear() {
  *this = CsvRecord(std::move(rules_));
}

}  // namespace cloakroom
