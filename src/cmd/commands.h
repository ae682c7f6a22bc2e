// commands.h — one function a sub-command: it declares its options and, when chosen, does its work.
//
// Exit     0 done, 1 found problems, 2 usage, 75 try later (database or store away), 78 configuration
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/config.h"
#include "cmd/command_line.h"

namespace cloakroom {

void add_migrate(CommandLine& line);
void add_config(CommandLine& line);
void add_token(CommandLine& line);
void add_jobs(CommandLine& line);
void add_check(CommandLine& line);
void add_sign(CommandLine& line);
void add_variants(CommandLine& line);
void add_audit(CommandLine& line);
void add_usage(CommandLine& line);
void add_cleanup(CommandLine& line);
void add_restore(CommandLine& line);
void add_move(CommandLine& line);
void add_replicate(CommandLine& line);
void add_scrub(CommandLine& line);
void add_backfill(CommandLine& line);

// The most that an option in seconds takes.
inline constexpr std::int64_t kLongestSeconds = std::int64_t{366} * 86400;

// The settings, or nullopt after all problems were printed (then exit with kExitConfig). With --instance root becomes
// the user of the workers (cmd/run_as.h), unless the command is about files of root's own.
enum class RunAs { kWorkers, kCaller };
std::optional<Config> settings_or_complain(RunAs whom = RunAs::kWorkers);
int complain(const Error& error);  // prints it, returns its exit code
// {prefix}/share/cloakroom of this executable.
std::string share_folder();

}  // namespace cloakroom
