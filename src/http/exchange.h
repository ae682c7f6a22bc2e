// exchange.h — one request and its answer as raw bytes and CGI variables, whoever carries them: FastCGI, CGI, a test.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/result.h"
#include "domain/ports.h"

namespace cloakroom {

class Exchange : public ByteSink {
 public:
  // A CGI variable (RFC 3875), "" when absent. Valid until the exchange ends.
  virtual std::string_view variable(const char* name) const = 0;
  // Bytes of the body as they come; 0 at its end. kInvalid when the client went away before it.
  virtual Result<std::size_t> read_body(std::span<std::byte> into) = 0;
};

// One on a connection that may be kept while others are served.
class HeldExchange : public Exchange {
 public:
  // The front end has hung up, as nginx does when its client goes. False also where nobody can tell.
  virtual bool is_abandoned() const = 0;
  // Ends the answer and the connection.
  virtual void finish() = 0;
};

}  // namespace cloakroom
