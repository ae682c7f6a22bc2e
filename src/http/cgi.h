// cgi.h — one request as a plain CGI program (RFC 3875): variables from the environment, standard input and output.
#pragma once

#include "http/exchange.h"

namespace cloakroom {

class CgiExchange final : public Exchange {
 public:
  // `environment` is the process's own; variables with the names of settings are the server's word, not the client's.
  explicit CgiExchange(char** environment) : environment_(environment) {}

  std::string_view variable(const char* name) const override;
  Result<std::size_t> read_body(std::span<std::byte> into) override;
  Status write(std::span<const std::byte> bytes) override;

 private:
  char** environment_;
};

}  // namespace cloakroom
