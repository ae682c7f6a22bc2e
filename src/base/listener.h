// listener.h — a Unix socket that is listened on, in the place of whatever lies at its path.
//
// Mode     0660: its owner and its group may connect, nobody else.
// Errors   kInvalid  the path is longer than the 107 bytes that a socket's may have
//          else those of file.h
#pragma once

#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

struct ListenerOptions {
  std::string path;
  int type = 0;     // SOCK_STREAM, SOCK_SEQPACKET
  int backlog = 0;  // connections that wait to be accepted
};

// Closed by exec(2), and blocking.
Result<UniqueFd> listen_on(const ListenerOptions& options);

}  // namespace cloakroom
