// usage_command.cc — `cloakroom usage`: a table of how many files and bytes there are, by user, dialog, type, store or
// month.
#include <fmt/format.h>

#include <iostream>

#include "base/encode.h"
#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/usage_report.h"

namespace cloakroom {
namespace {

struct Wishes {
  std::string by = "store";
  bool json = false;
  std::uint64_t top = 0;
};

constexpr std::size_t kNameWidth = 40;

void add_up(UsageGroup& total, const UsageGroup& one) {
  total.files += one.files;
  total.bytes += one.bytes;
  total.previews += one.previews;
  total.preview_bytes += one.preview_bytes;
  total.copies += one.copies;
  total.copy_bytes += one.copy_bytes;
}

// "1.5 GiB"; exact numbers are for --json.
std::string human(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  constexpr std::string_view units = "KMGTPE";
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024; value /= 1024) ++unit;
  return fmt::format("{:.1f} {}iB", value, units[unit]);
}

// Ids are the application's: what would move the terminal's cursor is shown as '?'.
std::string shown(const std::optional<std::string>& name) {
  std::string text = name.value_or("(none)");
  for (char& c : text) {
    if (has_control(std::string_view(&c, 1))) c = '?';
  }
  return text;
}

// Copies have columns where there can be some.
void print_line(std::string_view name, const UsageGroup& g, bool has_copies) {
  std::cout << fmt::format("{:<{}} {:>12} {:>11} {:>12} {:>11}", name, kNameWidth, g.files, human(g.bytes), g.previews,
                           human(g.preview_bytes));
  if (has_copies) std::cout << fmt::format(" {:>12} {:>11}", g.copies, human(g.copy_bytes));
  std::cout << "\n";
}

std::string as_json(const UsageGroup& g, bool has_name) {
  Summary line;
  if (has_name) line.add("name", g.name ? json_text(*g.name) : Json(json_null()));
  line.count("files", g.files).count("bytes", g.bytes).count("previews", g.previews);
  line.count("preview_bytes", g.preview_bytes).count("copies", g.copies);
  return line.count("copy_bytes", g.copy_bytes).json();
}

int run_usage(const Wishes& wishes) {
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-usage"));
  PgUsageReport groups(database);
  const auto by = parse_usage_by(wishes.by);
  if (!by) return kExitUsage;
  if (const Status begun = groups.begin(*by); !begun) return complain(begun.error());
  const bool has_copies = is_hybrid(*config);
  UsageGroup total, rest;
  std::uint64_t count = 0;
  if (wishes.json) {
    std::cout << "{\"by\":\"" << wishes.by << "\",\"groups\":[";
  } else {
    std::cout << fmt::format("{:<{}} {:>12} {:>11} {:>12} {:>11}", wishes.by, kNameWidth, "files", "bytes", "previews",
                             "bytes");
    std::cout << (has_copies ? fmt::format(" {:>12} {:>11}\n", "copies", "bytes") : std::string("\n"));
  }
  while (true) {
    const auto group = groups.next();
    if (!group) return complain(group.error());
    if (!*group) break;
    add_up(total, **group);
    ++count;
    if (wishes.top > 0 && count > wishes.top) {
      add_up(rest, **group);
    } else if (wishes.json) {
      std::cout << (count > 1 ? ",\n" : "\n") << as_json(**group, true);
    } else {
      print_line(shown((*group)->name), **group, has_copies);
    }
  }
  const bool has_rest = wishes.top > 0 && count > wishes.top;
  if (wishes.json) {
    std::cout << "\n]";
    if (has_rest) std::cout << ",\"rest\":" << as_json(rest, false);
    std::cout << ",\"total\":" << as_json(total, false) << "}\n";
    return kExitDone;
  }
  if (has_rest) print_line(fmt::format("({} more)", count - wishes.top), rest, has_copies);
  print_line("total", total, has_copies);
  return kExitDone;
}

}  // namespace

void add_usage(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command = line.command("usage", "how many files and bytes there are, by whom or what",
                                         [wishes] { return run_usage(*wishes); });
  command.value("--by", wishes->by, "user, dialog, type, store or month (UTC, of the upload)")
      .among({"user", "dialog", "type", "store", "month"})
      .shows_default();
  command.value("--top", wishes->top, "only the first so many, and the rest as one; 0: all").shows_default();
  command.flag("--json", wishes->json, "as JSON, with exact numbers");
}

}  // namespace cloakroom
