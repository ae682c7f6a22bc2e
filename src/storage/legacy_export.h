// legacy_export.h — rows of an old application's table from a file that was exported: CSV, or JSON a line.
//
// Shape    position: the offset of the next row in bytes. A CSV row becomes an object with the columns as texts.
// Rows     of more than limits::kLegacyRowBytes, not UTF-8, malformed, or with another number of columns than the first
//          line could not be read: they are told of, and the next row is read. Blank lines are none.
// Errors   kNotFound, kInternal of the file; kInvalid a CSV file whose first line names no columns
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "domain/backfill_mapping.h"
#include "domain/backfill_ports.h"

namespace cloakroom {

class LegacyExport final : public LegacyRows {
 public:
  ~LegacyExport() override;
  static Result<std::unique_ptr<LegacyExport>> open(const BackfillMapping::Csv& csv);
  static Result<std::unique_ptr<LegacyExport>> open(const BackfillMapping::JsonLines& lines);

  Result<std::vector<LegacyRow>> after(const std::string& position, std::size_t most) override;
  Result<Left> left(const std::string& position) override;
  // Changes when the file is replaced: positions mean nothing then.
  std::string identity() const { return identity_; }

  class Format;  // how a row is found and read

 private:
  LegacyExport(UniqueFd file, std::unique_ptr<Format> format);
  static Result<std::unique_ptr<LegacyExport>> make(const std::string& path, std::unique_ptr<Format> format);
  Result<std::string_view> at(std::uint64_t offset);
  // The length of the row that begins there; 0: there is none.
  Result<std::uint64_t> read_row(std::uint64_t offset);
  Result<std::uint64_t> offset_of(const std::string& position) const;

  UniqueFd file_;
  std::unique_ptr<Format> format_;
  std::uint64_t size_ = 0, first_ = 0;  // where rows begin
  std::string identity_;
  std::vector<char> buffer_;
  std::uint64_t buffer_offset_ = 0;
  std::size_t buffered_ = 0;
};

}  // namespace cloakroom
