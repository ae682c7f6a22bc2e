// copies.cc — whether a file is as an upload left it.
#include "domain/copies.h"

namespace cloakroom {

bool is_as_stored(const FileState& state, const Attachment& row) {
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  if (state.size_bytes != row.size_bytes) return false;
  const auto wanted = row.created_at.time_since_epoch();
  const bool has_whole_seconds = state.written_at == std::chrono::floor<seconds>(state.written_at);
  if (has_whole_seconds) return std::chrono::floor<seconds>(wanted) == state.written_at;
  return std::chrono::floor<milliseconds>(wanted) == std::chrono::floor<milliseconds>(state.written_at);
}

}  // namespace cloakroom
