// command_line.cc — CLI11 behind cmd/command_line.h.
#include "cmd/command_line.h"

#include <CLI/CLI.hpp>
#include <map>
#include <utility>

namespace cloakroom {
namespace {

// CLI11 reads "-1" as the largest number there is.
CLI::Option* counting(CLI::Option* option) {
  return option->check(CLI::Validator(
      [](const std::string& word) { return word.starts_with('-') ? "must not be negative: " + word : std::string(); },
      ""));
}

}  // namespace

Option Option::required() const {
  return Option(option_->required());
}

Option Option::needs(Option other) const {
  return Option(option_->needs(other.option_));
}

Option Option::excludes(Option other) const {
  return Option(option_->excludes(other.option_));
}

Option Option::shows_default() const {
  return Option(option_->capture_default_str());
}

Option Option::shown_as(const char* what) const {
  return Option(option_->type_name(what));
}

Option Option::among(const std::vector<std::string>& words) const {
  return Option(option_->check(CLI::IsMember(words)));
}

Option Option::between(std::int64_t least, std::int64_t most) const {
  return Option(option_->check(CLI::Range(least, most)));
}

Option Option::as_bytes() const {
  return Option(option_->transform(CLI::AsSizeValue(false)));
}

Option Option::as_seconds() const {
  const std::map<std::string, std::int64_t> units{{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
  return Option(option_->transform(CLI::AsNumberWithUnit(units)));
}

Option Option::checked(std::function<std::string(const std::string&)> problem, const char* what) const {
  return Option(option_->check(CLI::Validator(std::move(problem), what)));
}

Option OptionSet::flag(const char* names, bool& value, const char* help) const {
  return Option(app_->add_flag(names, value, help));
}

Option OptionSet::value(const char* names, std::string& value, const char* help) const {
  return Option(app_->add_option(names, value, help));
}

Option OptionSet::value(const char* names, std::uint32_t& value, const char* help) const {
  return Option(counting(app_->add_option(names, value, help)));
}

Option OptionSet::value(const char* names, std::uint64_t& value, const char* help) const {
  return Option(counting(app_->add_option(names, value, help)));
}

Option OptionSet::value(const char* names, std::int64_t& value, const char* help) const {
  return Option(app_->add_option(names, value, help));
}

Option OptionSet::value(const char* names, std::optional<std::string>& value, const char* help) const {
  return Option(app_->add_option(names, value, help));
}

Option OptionSet::value(const char* names, std::optional<std::uint64_t>& value, const char* help) const {
  return Option(counting(app_->add_option(names, value, help)));
}

Option OptionSet::value(const char* names, std::optional<std::int64_t>& value, const char* help) const {
  return Option(app_->add_option(names, value, help));
}

CommandLine::CommandLine(const char* about) : app_(std::make_unique<CLI::App>(about)) {}

CommandLine::~CommandLine() = default;

OptionSet CommandLine::command(const char* name, const char* about, std::function<int()> run) {
  app_->require_subcommand(1);
  CLI::App* const added = app_->add_subcommand(name, about);
  added->callback([this, run = std::move(run)] { chosen_ = run; });
  return OptionSet(added);
}

std::optional<int> CommandLine::parse(int argc, char** argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app_->exit(e) == 0 ? kExitDone : kExitUsage;
  }
  return std::nullopt;
}

}  // namespace cloakroom
