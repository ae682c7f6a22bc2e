// command_line.h — what a program and its commands may be told: names, help, and the rules of each option.
//
// Source   a thin front of CLI11, which one file includes for all: it costs a compiler ten seconds a file.
// Lifetime what an option sets must live until the command has run.
// Errors   parse() prints what is wrong, or the help, and says how the process is to end.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cloakroom {

inline constexpr int kExitDone = 0;
inline constexpr int kExitProblems = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitTryLater = 75;  // EX_TEMPFAIL
inline constexpr int kExitConfig = 78;    // EX_CONFIG

// A handle; the option itself belongs to its command.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option required() const;
  Option needs(Option other) const;
  Option excludes(Option other) const;
  Option shows_default() const;
  Option shown_as(const char* what) const;  // in the help, instead of TEXT
  Option among(const std::vector<std::string>& words) const;
  Option between(std::int64_t least, std::int64_t most) const;
  Option as_bytes() const;    // 1000, 50M, 2G: steps of 1024
  Option as_seconds() const;  // 3600, 90m, 12h, 7d
  // `problem` says what is wrong with a word, or nothing; `what` stands for good words in the help.
  Option checked(std::function<std::string(const std::string&)> problem, const char* what = "") const;

 private:
  CLI::Option* option_;
};

class OptionSet {
 public:
  explicit OptionSet(CLI::App* app) : app_(app) {}

  // "--name" or "-n,--name"
  Option flag(const char* names, bool& value, const char* help) const;
  // the same, or "name" for one that goes by its place
  Option value(const char* names, std::string& value, const char* help) const;
  Option value(const char* names, std::uint32_t& value, const char* help) const;
  Option value(const char* names, std::uint64_t& value, const char* help) const;
  Option value(const char* names, std::int64_t& value, const char* help) const;
  Option value(const char* names, std::optional<std::string>& value, const char* help) const;
  Option value(const char* names, std::optional<std::uint64_t>& value, const char* help) const;
  Option value(const char* names, std::optional<std::int64_t>& value, const char* help) const;

 private:
  CLI::App* app_;
};

class CommandLine {
 public:
  explicit CommandLine(const char* about);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  OptionSet options() const { return OptionSet(app_.get()); }  // of the program itself
  // A program that has commands must be told one of them; its `run` gives the exit code.
  OptionSet command(const char* name, const char* about, std::function<int()> run);

  // nullopt: go on. Else the exit code, with all said: kExitDone after --help, kExitUsage after a mistake.
  std::optional<int> parse(int argc, char** argv);
  int run() const { return chosen_(); }  // of a program with commands, once parse() said to go on

 private:
  std::unique_ptr<CLI::App> app_;
  std::function<int()> chosen_;
};

}  // namespace cloakroom
