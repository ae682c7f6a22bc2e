// csv_fuzz.cc — any bytes: what is read does not depend on where blocks end, every byte is read once, memory is
// bounded.
#include <cstdint>
#include <string>

#include "base/csv.h"
#include "base/result.h"

using namespace cloakroom;

namespace {

constexpr std::size_t kMost = 64;

std::string read(std::string_view text, const CsvRules& rules, std::size_t block) {
  CsvRecord record(rules);
  std::string out;
  bool is_begun = false;
  while (true) {
    if (!text.empty()) {
      const std::string_view part = text.substr(0, block);
      const std::size_t fed = record.feed(part);
      if (fed == 0 || fed > part.size()) BUG("it does not go on");
      if (fed < part.size() && !record.is_complete()) BUG("it stopped in a record");
      text.remove_prefix(fed);
      is_begun = true;
    } else if (is_begun) {
      record.finish();
    } else {
      return out;
    }
    if (!record.is_complete()) continue;
    std::size_t kept = 0;
    for (const auto& field : record.fields()) {
      kept += 1 + (field ? field->size() : 0);
      out += field ? "=" + *field : "-";
    }
    if (kept > kMost) BUG("more was kept than may be");
    if (record.is_too_long() && kept > 0) BUG("something was kept of what is too long");
    out += record.is_bad() ? "!\n" : record.is_too_long() ? "^\n" : "\n";
    record.clear();
    is_begun = false;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  CsvRules rules{.delimiter = (data[0] & 1U) != 0 ? ';' : ',',
                 .has_escapes = (data[0] & 2U) != 0,
                 .null = (data[0] & 4U) != 0 ? std::optional<std::string>("NULL") : std::nullopt,
                 .most_bytes = kMost};
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (read(text, rules, 1 + data[1] % 16) != read(text, rules, size)) BUG("blocks change what is read");
  return 0;
}
