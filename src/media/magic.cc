// magic.cc — one libmagic cookie, limited to what a head of a few kilobytes can tell.
#include "media/magic.h"

namespace cloakroom {
namespace {

// No look inside archives, no tar checksums, no encodings, no process or device files: those read more, or run more
// code on untrusted bytes, than the answer is worth.
constexpr int kFlags = MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_TAR | MAGIC_NO_CHECK_ELF |
                       MAGIC_NO_CHECK_APPTYPE | MAGIC_NO_CHECK_CDF | MAGIC_NO_CHECK_TOKENS;

}  // namespace

Result<std::unique_ptr<MagicSniffer>> MagicSniffer::open() {
  Cookie cookie(magic_open(kFlags));
  if (!cookie) return Error{Errc::kInternal, "libmagic could not be started"};
  if (magic_load(cookie.get(), nullptr) != 0) {
    return Error{Errc::kInternal, std::string("libmagic cannot load its database: ") + magic_error(cookie.get())};
  }
  return std::unique_ptr<MagicSniffer>(new MagicSniffer(std::move(cookie)));
}

Result<std::string> MagicSniffer::mime_type(std::span<const std::byte> head) {
  if (head.empty()) return std::string("application/octet-stream");
  const char* type = magic_buffer(cookie_.get(), head.data(), head.size());
  if (type == nullptr) return Error{Errc::kInternal, std::string("libmagic failed: ") + magic_error(cookie_.get())};
  const std::string_view text = type;
  if (text.find('/') == std::string_view::npos || text.size() > 127) return std::string("application/octet-stream");
  return std::string(text);
}

}  // namespace cloakroom
