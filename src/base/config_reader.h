// config_reader.h — reads settings one by one, by name or alias or from a file, and collects every problem.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"

namespace cloakroom {

inline constexpr std::uint64_t kMostBytes = 1ULL << 46;  // 64 TiB: nginx and we can still multiply it

struct Raw {
  std::string value;
  std::string source;  // the variable it came from; "default"
};

// The items of a list, without blanks around them and without empty ones.
std::vector<std::string_view> split(std::string_view text, char by);

// A sysadmin sees all problems at once, so each read gives something to go on with.
class Reader {
 public:
  explicit Reader(const EnvLookup& env) : env_(env) {}

  Raw raw(std::string_view name);
  std::string text(std::string_view name);
  std::string one_of(std::string_view name, std::string_view choices);
  std::uint64_t number(std::string_view name, std::uint64_t least, std::uint64_t most);
  std::uint64_t bytes(std::string_view name);

  void problem(std::string_view name, std::string_view what) { problems_ += fmt::format("{}: {}\n", name, what); }
  std::optional<std::string> home() const { return env_("HOME"); }  // of the user, not a setting of ours
  const std::string& problems() const { return problems_; }

 private:
  const EnvLookup& env_;
  std::string problems_;
};

// 1 to 63 letters, digits, - and _.
bool is_word(std::string_view text);
// The value without slashes at its end, after it was seen to be an absolute path that nginx's configuration can hold as
// it is.
std::string path_setting(Reader& in, std::string_view name, std::string value);
// Takes slashes off its end, and sees that it is scheme, host and port alone.
void check_url(Reader& in, std::string_view name, std::string& url);

}  // namespace cloakroom
