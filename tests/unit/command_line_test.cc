// command_line_test.cc — options of each type and rule, commands, and how a mistake ends.
#include "cmd/command_line.h"

#include "check.h"

using namespace cloakroom;

namespace {

struct Told {
  bool all = false, none = false;
  std::string name = "mine", word, from;
  std::uint32_t small = 0;
  std::uint64_t bytes = 0;
  std::int64_t seconds = 0;
  std::optional<std::string> maybe;
  std::optional<std::uint64_t> number;
};

struct World {
  CommandLine line{"a program for tests"};
  Told told;
  World() {
    line.options().value("-i,--instance", told.name, "which");
    const OptionSet command = line.command("go", "does it", [this] { return told.all ? kExitProblems : kExitDone; });
    const Option all = command.flag("--all", told.all, "all of them");
    command.flag("--none", told.none, "none").excludes(all);
    command.value("word", told.word, "by its place").required();
    command.value("--from", told.from, "where").needs(all).among({"here", "there"});
    command.value("--small", told.small, "how many").between(1, 10).shows_default();
    command.value("--bytes", told.bytes, "how large").as_bytes();
    command.value("--seconds", told.seconds, "how long").as_seconds().between(0, 86400);
    command.value("--maybe", told.maybe, "or not").checked([](const std::string& word) {
      return word == "bad" ? std::string("is bad") : std::string();
    });
    command.value("--number", told.number, "or none");
    line.command("stay", "does nothing", [] { return kExitTryLater; });
  }

  std::optional<int> parse(std::vector<std::string> words) {
    std::vector<char*> argv{const_cast<char*>("program")};
    for (std::string& word : words) argv.push_back(word.data());
    return line.parse(static_cast<int>(argv.size()), argv.data());
  }
};

void every_type_arrives() {
  World w;
  CHECK(!w.parse({"-i", "chat", "go", "x", "--all", "--from", "there", "--small", "10", "--bytes", "50M", "--seconds",
                  "12h", "--maybe", "", "--number", "18446744073709551615"}));
  CHECK_EQ(w.told.name, "chat");
  CHECK_EQ(w.told.word, "x");
  CHECK_EQ(w.told.from, "there");
  CHECK(w.told.all && !w.told.none);
  CHECK_EQ(w.told.small, 10U);
  CHECK_EQ(w.told.bytes, 50U << 20);
  CHECK_EQ(w.told.seconds, 43200);
  CHECK(w.told.maybe == "" && w.told.number == UINT64_MAX);
  CHECK_EQ(w.line.run(), kExitProblems);
}

void what_was_not_given_stays_as_it_was() {
  World w;
  CHECK(!w.parse({"go", "x"}));
  CHECK_EQ(w.told.name, "mine");
  CHECK(!w.told.maybe && !w.told.number);
  CHECK_EQ(w.line.run(), kExitDone);
}

void the_command_that_was_named_runs() {
  World w;
  CHECK(!w.parse({"stay"}));
  CHECK_EQ(w.line.run(), kExitTryLater);
}

void mistakes_end_with_2() {
  const std::vector<std::vector<std::string>> wrong{
      {},                                    // no command
      {"fly"},                               // none of ours
      {"go"},                                // `word` is missing
      {"go", "x", "y"},                      // too many
      {"go", "x", "--other"},                // no such option
      {"go", "x", "--all", "--none"},        // one excludes the other
      {"go", "x", "--from", "here"},         // needs --all
      {"go", "x", "--all", "--from", "up"},  // none of the words
      {"go", "x", "--small", "0"},           // below
      {"go", "x", "--small", "11"},          // above
      {"go", "x", "--small", "some"},        // no number
      {"go", "x", "--bytes", "5Q"},          // no such unit
      {"go", "x", "--bytes", "-1"},          // less than nothing
      {"go", "x", "--number", "-1"},         // here, too
      {"go", "x", "--small", "-1"},
      {"go", "x", "--seconds", "2d"},  // above, once it is seconds
      {"go", "x", "--seconds", "7w"},  // no such unit
      {"go", "x", "--maybe", "bad"},   // as its own check says
      {"go", "x", "--number"},         // without a value
  };
  for (const auto& words : wrong) {
    World w;
    CHECK(w.parse(words) == kExitUsage);
  }
}

void help_ends_with_0() {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"}, {"go", "--help"}}) {
    World w;
    CHECK(w.parse(words) == kExitDone);
  }
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(every_type_arrives),
      CASE(what_was_not_given_stays_as_it_was),
      CASE(the_command_that_was_named_runs),
      CASE(mistakes_end_with_2),
      CASE(help_ends_with_0),
  };
  return RUN_TESTS("command_line", tests);
}
