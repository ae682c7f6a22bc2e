// imager.h — an Imager that says what it was told, and keeps what it was asked. Its pictures are short texts.
#pragma once

#include <sys/mman.h>

#include <functional>
#include <string>
#include <vector>

#include "check.h"
#include "domain/image_ports.h"
#include "fake/failures.h"

namespace cloakroom::fake {

class FakeImager final : public Imager {
 public:
  explicit FakeImager(Journal* journal = nullptr) : failures(journal) {}

  struct Asked {
    std::string bytes, mime_type;
    Rendering wanted;
  };
  Failures failures;
  ImageFacts facts{.width = 40, .height = 30, .placeholder = "data:image/webp;base64,AAAA"};
  std::vector<Asked> probed, rendered;
  std::function<void()> before_probe = [] {}, before_render = [] {};

  Result<ImageFacts> probe(const FileRange& bytes, std::string_view mime_type) override {
    before_probe();
    probed.push_back({text_of(bytes), std::string(mime_type), {}});
    TRY(failures.enter("probe"));
    return facts;
  }

  Result<Rendered> render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) override {
    before_render();
    rendered.push_back({text_of(bytes), std::string(mime_type), wanted});
    TRY(failures.enter("render"));
    const std::string picture = "picture " + std::to_string(wanted.max_width) + "x" +
                                std::to_string(wanted.max_height) + " of " + rendered.back().bytes;
    Rendered out{.width = 20, .height = 15, .size_bytes = picture.size(), .format = wanted.format};
    out.file.reset(::memfd_create("picture", MFD_CLOEXEC));
    CHECK_OK(write_all(out.file.get(), std::as_bytes(std::span(picture))));
    return out;
  }

 private:
  static std::string text_of(const FileRange& bytes) {
    std::string text(bytes.size, '\0');
    text.resize(CHECK_OK(read_at(bytes.fd, std::as_writable_bytes(std::span(text)), bytes.offset)));
    return text;
  }
};

}  // namespace cloakroom::fake
