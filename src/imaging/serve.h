// serve.h — one question answered: received with its descriptors, decoded, answered. What follows is the process's end.
//
// Rule     nothing is decoded for a client who has hung up meanwhile.
// Log      image.done: op, type, ms, and what was wrong, if anything; image.skipped: op, type
#pragma once

#include <cstdint>
#include <functional>

#include "base/result.h"
#include "imaging/film.h"

namespace cloakroom {

struct ServeOptions {
  std::uint64_t max_pixels = 0;
  FilmOptions films = {};
  std::function<Status()> settle = {};  // called when no program is to be started any more, before anything is decoded
  int nowhere = -1;  // a descriptor of /dev/null, borrowed: where libraries complain to while they have the file
};

// `connection`: accepted, borrowed. Errors, of which the client sees no more than of our death, for he is to ask again:
//   kInvalid   no question of a client of ours
//   kInternal  a program died over a film, the file is not what the question says, or a fault of ours: no verdict
Status serve_question(int connection, const ServeOptions& options);

}  // namespace cloakroom
