// fcgi.h — FastCGI by libfcgi: accepts on a listening descriptor and carries one request at a time.
#pragma once

#include <fcgiapp.h>

#include "base/handle.h"
#include "http/exchange.h"

namespace cloakroom {

// Prepares libfcgi. Installs its signal handlers, so call it before your own. kInternal when it refuses.
Status fcgi_start();

class FcgiExchange final : public HeldExchange {
 public:
  explicit FcgiExchange(int listen_fd);
  ~FcgiExchange() override;
  FcgiExchange(const FcgiExchange&) = delete;
  FcgiExchange& operator=(const FcgiExchange&) = delete;

  // Takes the next connection from the (non-blocking) descriptor. False when another child was quicker. A process with
  // no descriptor left takes it on one kept in reserve, so that the caller hears of it instead of waiting.
  bool accept();
  // On a Unix socket. On TCP a peer that has closed looks like one that only says no more.
  bool is_abandoned() const override;
  void finish() override;

  std::string_view variable(const char* name) const override;
  Result<std::size_t> read_body(std::span<std::byte> into) override;
  Status write(std::span<const std::byte> bytes) override;

 private:
  bool input_is_read();
  void keep_reserve();

  UniqueFd reserve_;
  bool short_of_descriptors_ = false;  // already logged
  bool input_ended_ = false;
  FCGX_Request request_{};
};

}  // namespace cloakroom
