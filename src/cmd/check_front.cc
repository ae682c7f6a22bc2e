// check_front.cc — the table of the checks through nginx, and those of nginx's configuration alone.
#include "cmd/check_front.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "base/encode.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "cmd/stores.h"

namespace cloakroom {
namespace {

struct Row {
  std::string_view name;
  Finding (*check)(FrontProbe&);
  bool needed_by_the_rest = false;
  bool needs_file = false;
};

constexpr std::array kChecks{
    Row{"nginx.reach", front_check::reach, true},
    Row{"nginx.request_size", front_check::request_size},
    Row{"nginx.internal", front_check::internal},
    Row{"nginx.static_rules", front_check::static_rules},
    Row{"nginx.upload", front_check::upload},
    Row{"nginx.upload_size", front_check::upload_size, false, true},
    Row{"nginx.download", front_check::download, false, true},
    Row{"nginx.range", front_check::range, false, true},
    Row{"nginx.not_modified", front_check::not_modified, false, true},
    Row{"nginx.headers", front_check::headers, false, true},
    Row{"nginx.delete", front_check::remove, false, true},
};

constexpr std::array kStolenEndings{"jpg", "png", "pdf", "mp4"};  // what sites have rules for

std::string write_anew(const Config& config) {
  return "write nginx's includes anew (cloakroom config --nginx DIR) and reload nginx; " + config.instance +
         "-server.conf must stand in the server of this address, unchanged";
}

// A file that nginx may read if a worker's it may, in the folder for temporary ones; its name is swept if we are
// killed.
class PlantedFile {
 public:
  static constexpr std::string_view kBytes = "not for anybody outside\n";

  explicit PlantedFile(const std::string& store) : name_(".tmp/" + random_hex(16)), path_(store + "/" + name_) {}
  PlantedFile(const PlantedFile&) = delete;
  PlantedFile& operator=(const PlantedFile&) = delete;
  ~PlantedFile() { ::unlink(path_.c_str()); }

  const std::string& name() const { return name_; }
  Status make(const struct stat& folder) const {
    TRY_ASSIGN(const UniqueFd fd, open_file(path_, O_WRONLY | O_CREAT | O_EXCL, 0600));
    TRY(write_all(fd.get(), std::as_bytes(std::span(kBytes))));
    // as root: the workers' user is nginx's
    if (::geteuid() == 0 && ::fchown(fd.get(), folder.st_uid, folder.st_gid) != 0) {
      return errno_error("give away", path_, errno);
    }
    return Ok{};
  }

 private:
  std::string name_, path_;
};

}  // namespace

Findings check_front(const Config& config, const FrontCheckOptions& wanted, const Clock& clock) {
  if (wanted.url.empty()) {
    return {{"nginx.url", Verdict::kWarning, "nothing was asked through nginx: its address was not given",
             "once nginx and the workers run: cloakroom check --url http://127.0.0.1"}};
  }
  Findings found;
  FrontProbe probe(config, wanted.url, clock);
  bool has_file = false;
  for (const Row& row : kChecks) {
    if (wanted.stopped()) {
      found.push_back(
          {"nginx.stopped", Verdict::kFailure, "stopped before " + std::string(row.name), "start it again"});
      break;
    }
    if (row.needs_file && !has_file) continue;
    Finding one = row.check(probe);
    one.check = row.name;
    found.push_back(std::move(one));
    has_file = !probe.files().empty();
    if (row.needed_by_the_rest && found.back().verdict == Verdict::kFailure) break;
  }
  if (const std::size_t left = probe.clean(); left > 0) {
    found.push_back({"nginx.clean_up", Verdict::kFailure,
                     std::to_string(left) + " uploads of user 'cloakroom-check' could not be deleted",
                     "delete the attachments of that user"});
  }
  return found;
}

namespace front_check {

std::string told(const Result<HttpAnswer>& answer) {
  if (!answer) {
    const std::string& detail = answer.error().detail;  // begins with "cannot reach the store: "
    const std::size_t colon = detail.find(": ");
    return "no answer: " + (colon == std::string::npos ? detail : detail.substr(colon + 2));
  }
  const std::string_view request = answer->header("x-request-id");
  return "answered " + std::to_string(answer->status) +
         (request.empty() ? std::string() : " (request " + std::string(request) + ")");
}

bool is_ours(const HttpAnswer& answer) {
  const std::string type = ascii_lower(answer.header("content-type"));
  return !answer.header("x-request-id").empty() &&
         (type.starts_with("application/json") || type.starts_with("application/problem+json"));
}

bool is_too_large(const HttpAnswer& answer) {
  if (answer.status != 413 || !is_ours(answer)) return false;
  const auto body = parse_json(answer.body);
  const json_t* type = body ? json_object_get(body->get(), "type") : nullptr;
  return json_is_string(type) && std::string_view(json_string_value(type)) == "urn:cloakroom:error:too_large";
}

Finding reach(FrontProbe& probe) {
  const std::string path = probe.config().route_prefix + "/limits";
  const auto answer = probe.get(path);
  const std::string where = probe.url() + path;
  if (!answer) return failure(where + ": " + told(answer), "see whether nginx runs, and correct --url");
  if (answer->status >= 300 && answer->status < 400) {
    return failure(where + " leads to " + std::string(answer->header("location")),
                   "name in --url the address at which nginx serves this instance itself");
  }
  if (!is_ours(*answer)) {
    return failure(where + " is answered by something else: " + told(answer), write_anew(probe.config()));
  }
  if (answer->status >= 500) {
    return failure(where + " " + told(answer), "start the workers: systemctl start cloakroom@" +
                                                   probe.config().instance + "; their log says what is wrong");
  }
  return good(probe.url() + " answers for this instance");
}

// Only announced: the limit may be of many gigabytes.
Finding request_size(FrontProbe& probe) {
  const std::uint64_t most = probe.config().max_request_bytes;
  const std::string size = std::to_string(most);
  const auto fits = probe.announce(most);
  if (!fits) return failure("an upload of " + size + " bytes: " + told(fits), "see nginx's error log");
  if (fits->status == 413) {
    return failure("nginx refuses an upload of " + size + " bytes, which MAX_REQUEST_SIZE allows",
                   write_anew(probe.config()) + "; if something stands before nginx, raise its limit too");
  }
  const auto too_large = probe.announce(most + 1);
  if (too_large && is_too_large(*too_large)) {
    return good("MAX_REQUEST_SIZE (" + size + " bytes) is the limit in nginx, too");
  }
  if (too_large && too_large->status == 413) {
    return warning("what is larger than MAX_REQUEST_SIZE is refused, but not in our words",
                   write_anew(probe.config()) + "; if something stands before nginx, it has the smaller limit");
  }
  return failure("nginx takes more than MAX_REQUEST_SIZE (" + size + " bytes): one byte more was " + told(too_large),
                 write_anew(probe.config()));
}

// Nobody may have the store's files but by a worker's word. The file here has a name that no request can guess.
Finding internal(FrontProbe& probe) {
  const std::string base = "/_cloakroom/" + probe.config().instance;
  const std::string remedy = "put `internal;` back into that location: " + write_anew(probe.config());
  for (const StoreKind kind : {StoreKind::kS3, StoreKind::kS3Secondary}) {
    if (s3_config(probe.config(), kind) == nullptr) continue;
    const std::string location = base + "/" + std::string(to_string(kind));
    const auto answer = probe.get(location);
    if (answer && answer->status != 404) {
      return failure("the location " + location + " can be asked from outside: it " + told(answer), remedy);
    }
  }
  struct stat folder {};
  if (::stat((probe.config().storage_path + "/.tmp").c_str(), &folder) != 0) {
    return good("nothing was ever stored on this disk that could be asked for");
  }
  const PlantedFile planted(probe.config().storage_path);
  if (const Status made = planted.make(folder); !made) {
    return warning("no file could be made to ask for: " + made.error().detail, "run this as the workers' user");
  }
  const auto answer = probe.get(base + "/file/" + planted.name());
  if (!answer) return failure(base + "/file/: " + told(answer), "see nginx's error log");
  if (answer->status < 400 || answer->body.find(PlantedFile::kBytes) != std::string::npos) {
    return failure("whoever knows a key gets the file: the location " + base + "/file/ can be asked from outside",
                   remedy);
  }
  return good("the locations of X-Accel-Redirect cannot be asked from outside");
}

Finding static_rules(FrontProbe& probe) {
  std::string stolen;
  for (const char* ending : kStolenEndings) {
    const auto answer =
        probe.get(probe.config().route_prefix + "/files/00000000-0000-7000-8000-000000000000/check." + ending);
    if (!answer) return failure(std::string("a .") + ending + ": " + told(answer), "see nginx's error log");
    if (is_ours(*answer)) continue;
    if (!stolen.empty()) stolen += ", ";
    stolen += std::string("*.") + ending + " (" + told(answer) + ")";
  }
  if (stolen.empty()) return good("no rule of the site catches addresses of files");
  return failure(
      "a rule of the site answers for our files: " + stolen,
      "keep `location ^~` of our include, which goes before the site's regular expressions for such names: " +
          write_anew(probe.config()));
}

}  // namespace front_check
}  // namespace cloakroom
