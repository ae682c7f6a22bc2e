// csv.h — records of a CSV file, fed as bytes come. Pure.
//
// Source   RFC 4180; MySQL's SELECT … INTO OUTFILE (LOAD DATA in its manual) for kMysql.
// Shape    kRfc4180  fields in quotes may hold delimiters and line ends, a quote in them is doubled
//          kMysql    a backslash takes the meaning from the next character, or gives it one (\n \t \r \b \0 \Z); \N,
//          with
//                    nothing around it, is no value; quotes may be doubled, too
//          Lines end in LF or CRLF, the last one in nothing if it likes. A quote within an unquoted field is itself.
// Rule     null  an unquoted field that is this text is no value
// Bad      text behind a closing quote, a quote that is never closed. The record is still read to its end.
// Memory   `most_bytes` of one record; of a longer one nothing is kept but that it was.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cloakroom {

struct CsvRules {
  char delimiter = ',';
  bool has_escapes = false;  // kMysql
  std::optional<std::string> null = {};
  std::size_t most_bytes = 0;
};

class CsvRecord {
 public:
  explicit CsvRecord(CsvRules rules) : rules_(std::move(rules)) {}

  // How many bytes belong to this record, its line end included; all of them while it goes on.
  std::size_t feed(std::string_view bytes);
  // There is nothing more to come.
  void finish();
  bool is_complete() const { return is_complete_; }

  // REQUIRES: is_complete().
  const std::vector<std::optional<std::string>>& fields() const { return fields_; }
  bool is_blank() const { return fields_.size() == 1 && !is_quoted_ever_ && fields_[0] == ""; }
  bool is_too_long() const { return is_too_long_; }
  bool is_bad() const { return is_bad_; }

  void clear();  // for the next one

 private:
  enum class State { kStart, kPlain, kQuoted, kQuoteInQuoted };

  void take(char c);
  void take_escaped(char c);
  void keep(char c);
  void keep_plain(char c);
  void end_field();
  void end_record();

  CsvRules rules_;
  State state_ = State::kStart;
  bool is_escaped_ = false, is_null_ = false, is_quoted_ = false, has_return_ = false;
  bool is_complete_ = false, is_too_long_ = false, is_bad_ = false, is_quoted_ever_ = false;
  std::size_t kept_ = 0;
  std::string field_;
  std::vector<std::optional<std::string>> fields_;
};

}  // namespace cloakroom
