// config_command.cc — `cloakroom config`: shows the settings, writes nginx's includes from them, checks them, makes the
// docs.
#include <fcntl.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "base/file.h"
#include "cmd/commands.h"
#include "cmd/nginx_include.h"

namespace cloakroom {
namespace {

struct Options {
  std::string nginx_folder, check_folder;
  std::string templates = share_folder() + "/nginx";
  bool docs = false;
};

struct Target {
  std::string path;
  const std::string& text;
};

Status write_file(const Target& target) {
  const std::string temporary = target.path + ".new";
  TRY_ASSIGN(const UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644));
  TRY(write_all(fd.get(), std::as_bytes(std::span(target.text))));
  if (std::rename(temporary.c_str(), target.path.c_str()) != 0) return errno_error("write", target.path, errno);
  return Ok{};
}

bool is_current(const Target& target) {
  std::ifstream in(target.path);
  std::ostringstream text;
  text << in.rdbuf();
  return in && text.str() == target.text;
}

int nginx(const Options& options) {
  const auto config = settings_or_complain(RunAs::kCaller);  // nginx's folder is root's
  if (!config) return kExitConfig;
  const auto rendered = render_nginx(*config, options.templates);
  if (!rendered) return complain(rendered.error());
  const bool check = !options.check_folder.empty();
  const std::string base = (check ? options.check_folder : options.nginx_folder) + "/" + config->instance;
  int code = kExitDone;
  for (const Target& target :
       {Target{base + "-http.conf", rendered->http}, Target{base + "-server.conf", rendered->server}}) {
    if (!check) {
      if (const Status written = write_file(target); !written) return complain(written.error());
      std::cout << "wrote " << target.path << "\n";
    } else if (!is_current(target)) {
      std::cout << target.path << " does not fit the settings; write it again: cloakroom config --nginx "
                << options.check_folder << "\n";
      code = kExitProblems;
    }
  }
  return code;
}

int run_config(const Options& options) {
  if (options.docs) {
    std::cout << settings_markdown();
    return kExitDone;
  }
  if (!options.nginx_folder.empty() || !options.check_folder.empty()) return nginx(options);
  if (!settings_or_complain(RunAs::kCaller)) return kExitConfig;
  std::cout << describe_settings(process_environment());
  return kExitDone;
}

}  // namespace

void add_config(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  const OptionSet command =
      line.command("config", "show the settings in force (secrets masked), or write nginx's includes from them",
                   [options] { return run_config(*options); });
  const Option write = command.value("--nginx", options->nginx_folder,
                                     "write INSTANCE-http.conf and INSTANCE-server.conf into this folder");
  const Option check =
      command.value("--nginx-check", options->check_folder, "compare those files with the settings: exit 0 or 1");
  command.value("--templates", options->templates, "folder of the templates").shows_default();
  const Option docs = command.flag("--docs", options->docs, "print docs/configuration.md");
  write.excludes(check).excludes(docs);
  check.excludes(docs);
}

}  // namespace cloakroom
