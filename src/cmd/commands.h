// commands.h — one function a sub-command: it declares its options and, when chosen, does its work.
//
// Exit     0 done, 1 found problems, 2 usage, 75 try later (database or store away), 78 configuration
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "base/config.h"

namespace cloakroom {

inline constexpr int kExitDone = 0;
inline constexpr int kExitProblems = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitTryLater = 75;  // EX_TEMPFAIL
inline constexpr int kExitConfig = 78;    // EX_CONFIG

using Command = std::function<int()>;
// Adds itself to `cli`; `chosen` is set when the user asks for it.
void add_migrate(CLI::App& cli, Command& chosen);
void add_config(CLI::App& cli, Command& chosen);
void add_token(CLI::App& cli, Command& chosen);
void add_jobs(CLI::App& cli, Command& chosen);
void add_check(CLI::App& cli, Command& chosen);
void add_sign(CLI::App& cli, Command& chosen);
void add_variants(CLI::App& cli, Command& chosen);
void add_audit(CLI::App& cli, Command& chosen);
void add_usage(CLI::App& cli, Command& chosen);
void add_cleanup(CLI::App& cli, Command& chosen);
void add_restore(CLI::App& cli, Command& chosen);
void add_move(CLI::App& cli, Command& chosen);
void add_replicate(CLI::App& cli, Command& chosen);
void add_scrub(CLI::App& cli, Command& chosen);
void add_backfill(CLI::App& cli, Command& chosen);

// The settings, or nullopt after all problems were printed (then exit with kExitConfig). With --instance root becomes
// the user of the workers (cmd/run_as.h), unless the command is about files of root's own.
enum class RunAs { kWorkers, kCaller };
std::optional<Config> settings_or_complain(RunAs whom = RunAs::kWorkers);
int complain(const Error& error);  // prints it, returns its exit code
// {prefix}/share/cloakroom of this executable.
std::string share_folder();

}  // namespace cloakroom
