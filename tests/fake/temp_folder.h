// temp_folder.h — a folder of its own for one test, gone afterwards with all that is in it.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

#include "base/file.h"
#include "check.h"

namespace cloakroom::fake {

class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "cloakroom-test-XXXXXX").string();
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

  // Makes a file and gives its path.
  std::string write(std::string_view name, std::string_view bytes) const {
    const std::string path = *this / name;
    const UniqueFd fd = CHECK_OK(open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
    return path;
  }

  // Everything below `name` by its path from there.
  std::set<std::string> list(std::string_view name = "") const {
    std::set<std::string> out;
    const std::string from = name.empty() ? path_ : *this / name;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(from))
      out.insert(entry.path().lexically_relative(from).string());
    return out;
  }

 private:
  std::string path_;
};

inline std::string read_file(const std::string& path) {
  const UniqueFd fd = CHECK_OK(open_file(path, O_RDONLY));
  std::string text(std::filesystem::file_size(path), '\0');
  text.resize(CHECK_OK(read_at(fd.get(), std::as_writable_bytes(std::span(text)), 0)));
  return text;
}

}  // namespace cloakroom::fake
