// legacy_export.cc — a file read in blocks, cut into rows by its format.
#include "storage/legacy_export.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/csv.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

LegacyRow unread(std::string why) {
  LegacyRow row;
  row.trouble = std::move(why);
  return row;
}

std::string too_long() {
  return fmt::format("the row is larger than {} bytes", limits::kLegacyRowBytes);
}

}  // namespace

class LegacyExport::Format {
 public:
  virtual ~Format() = default;
  virtual std::size_t feed(std::string_view bytes) = 0;  // as CsvRecord's
  virtual void finish() = 0;
  virtual bool is_complete() const = 0;
  // What was read; nothing: a blank line. Then it begins anew.
  virtual std::optional<LegacyRow> take() = 0;
  virtual bool wants_header() const { return false; }
  virtual Status take_header() { return Ok{}; }
};

namespace {

class CsvFormat final : public LegacyExport::Format {
 public:
  explicit CsvFormat(const BackfillMapping::Csv& csv)
      : columns_(csv.columns),
        record_({.delimiter = csv.delimiter,
                 .has_escapes = csv.dialect == CsvDialect::kMysql,
                 .null = csv.null,
                 .most_bytes = limits::kLegacyRowBytes}) {}

  std::size_t feed(std::string_view bytes) override { return record_.feed(bytes); }
  void finish() override { record_.finish(); }
  bool is_complete() const override { return record_.is_complete(); }
  bool wants_header() const override { return columns_.empty(); }

  Status take_header() override {
    for (const auto& field : record_.fields()) columns_.push_back(field.value_or(""));
    const bool is_usable = !record_.is_bad() && !record_.is_blank() && !columns_.empty();
    record_.clear();
    if (is_usable) return Ok{};
    return Error{Errc::kInvalid,
                 "the first line of the CSV file names no columns: write them into it, or into \"columns\""};
  }

  std::optional<LegacyRow> take() override {
    const bool is_blank = record_.is_blank();
    LegacyRow row = read();
    record_.clear();
    if (is_blank) return std::nullopt;
    return row;
  }

 private:
  LegacyRow read() const {
    if (record_.is_too_long()) return unread(too_long());
    if (record_.is_bad()) return unread("its quotes do not match");
    if (record_.fields().size() != columns_.size()) {
      return unread(fmt::format("it has {} columns, the first line {}", record_.fields().size(), columns_.size()));
    }
    LegacyRow row;
    row.fields.reset(json_object());
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const auto& field = record_.fields()[i];
      json_t* value = field ? json_stringn(field->data(), field->size()) : json_null();
      if (value == nullptr) return unread("it is not UTF-8");
      json_object_set_new(row.fields.get(), columns_[i].c_str(), value);
    }
    return row;
  }

  std::vector<std::string> columns_;
  CsvRecord record_;
};

class LineFormat final : public LegacyExport::Format {
 public:
  std::size_t feed(std::string_view bytes) override {
    const std::size_t end = bytes.find('\n');
    is_complete_ = end != std::string_view::npos;
    const std::string_view part = bytes.substr(0, end);
    length_ += part.size();
    if (length_ <= limits::kLegacyRowBytes) line_ += part;
    return is_complete_ ? end + 1 : bytes.size();
  }
  void finish() override { is_complete_ = true; }
  bool is_complete() const override { return is_complete_; }

  std::optional<LegacyRow> take() override {
    const bool is_too_long = length_ > limits::kLegacyRowBytes;
    const std::string line = std::move(line_);
    line_ = {};
    length_ = 0;
    is_complete_ = false;
    if (is_too_long) return unread(too_long());
    if (line.find_first_not_of(" \t\r") == std::string::npos) return std::nullopt;
    LegacyRow row;
    auto parsed = parse_json(line);
    if (!parsed) return unread("it is not valid JSON");
    if (!json_is_object(parsed->get())) return unread("it is no JSON object");
    row.fields = *std::move(parsed);
    return row;
  }

 private:
  std::string line_;
  std::uint64_t length_ = 0;
  bool is_complete_ = false;
};

}  // namespace

LegacyExport::LegacyExport(UniqueFd file, std::unique_ptr<Format> format)
    : file_(std::move(file)), format_(std::move(format)), buffer_(kBlockBytes) {}

LegacyExport::~LegacyExport() = default;

Result<std::unique_ptr<LegacyExport>> LegacyExport::open(const BackfillMapping::Csv& csv) {
  return make(csv.path, std::make_unique<CsvFormat>(csv));
}

Result<std::unique_ptr<LegacyExport>> LegacyExport::open(const BackfillMapping::JsonLines& lines) {
  return make(lines.path, std::make_unique<LineFormat>());
}

Result<std::unique_ptr<LegacyExport>> LegacyExport::make(const std::string& path, std::unique_ptr<Format> format) {
  TRY_ASSIGN(UniqueFd file, open_file(path, O_RDONLY));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return errno_error("look at", path, errno);
  if (!S_ISREG(info.st_mode)) return Error{Errc::kInvalid, "'" + path + "' is no file"};
  std::unique_ptr<LegacyExport> made(new LegacyExport(std::move(file), std::move(format)));
  made->size_ = static_cast<std::uint64_t>(info.st_size);
  made->identity_ = fmt::format("{} {} {}.{:09}", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
  TRY_ASSIGN(const std::string_view head, made->at(0));
  if (head.starts_with(kByteOrderMark)) made->first_ = kByteOrderMark.size();
  if (made->format_->wants_header()) {
    TRY_ASSIGN(const std::uint64_t length, made->read_row(made->first_));
    if (length == 0) made->format_->finish();
    TRY(made->format_->take_header());
    made->first_ += length;
  }
  return made;
}

Result<std::string_view> LegacyExport::at(std::uint64_t offset) {
  if (offset < buffer_offset_ || offset >= buffer_offset_ + buffered_) {
    TRY_ASSIGN(buffered_, read_at(file_.get(), std::as_writable_bytes(std::span(buffer_)), offset));
    buffer_offset_ = offset;
  }
  const auto skipped = static_cast<std::size_t>(offset - buffer_offset_);
  return std::string_view(buffer_.data(), buffered_).substr(skipped);
}

Result<std::uint64_t> LegacyExport::read_row(std::uint64_t offset) {
  std::uint64_t length = 0;
  while (true) {
    TRY_ASSIGN(const std::string_view bytes, at(offset + length));
    if (bytes.empty()) {
      if (length > 0) format_->finish();
      return length;
    }
    length += format_->feed(bytes);
    if (format_->is_complete()) return length;
  }
}

Result<std::uint64_t> LegacyExport::offset_of(const std::string& position) const {
  if (position.empty()) return first_;
  const auto offset = parse_u64(position);
  if (!offset || *offset > size_) return Error{Errc::kInvalid, "the position of the last run is not in this file"};
  return *offset;
}

Result<std::vector<LegacyRow>> LegacyExport::after(const std::string& position, std::size_t most) {
  TRY_ASSIGN(std::uint64_t offset, offset_of(position));
  std::vector<LegacyRow> rows;
  while (rows.size() < most) {
    TRY_ASSIGN(const std::uint64_t length, read_row(offset));
    if (length == 0) break;
    offset += length;
    auto row = format_->take();
    if (!row) continue;
    row->position = std::to_string(offset);
    row->length = length;
    rows.push_back(*std::move(row));
  }
  return rows;
}

Result<LegacyRows::Left> LegacyExport::left(const std::string& position) {
  TRY_ASSIGN(const std::uint64_t offset, offset_of(position));
  return Left{"bytes", size_ - offset};
}

}  // namespace cloakroom
