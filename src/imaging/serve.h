// serve.h — one question answered: received with its descriptors, decoded, answered. What follows is the process's end.
//
// Rule     nothing is decoded for a client who has hung up meanwhile.
// Again    a process may serve another question after one about a JPEG (IMAGE_REUSE). What is left of the first one's
//          pixels then lies in its memory until it is overwritten.
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
// True: it was a JPEG, and nothing was wrong with it; this process may make another one.
Result<bool> serve_question(int connection, const ServeOptions& options);

// Whether the question that waits there is about a JPEG; it is not read. Closed unread, the client asks again.
bool is_about_jpeg(int connection);

}  // namespace cloakroom
