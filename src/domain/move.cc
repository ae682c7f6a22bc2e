// move.cc — the story of a move, in its order.
#include "domain/move.h"

#include "domain/abandon.h"

namespace cloakroom {

Status Mover::copy_and_switch(const Attachment& row, const FileRange& bytes, const ObjectKey& to,
                              DeletionTicket ticket) {
  TRY(copier_.put(row, bytes, to));
  return rows_.switch_object({.id = row.id,
                              .from = row.store,
                              .from_key = row.key,
                              .to = target_.kind(),
                              .to_key = to.str(),
                              .ticket = ticket,
                              .linger = rules_.linger});
}

Status Mover::move(const Uuid& id, const ObjectKey& from) {
  TRY_ASSIGN(const auto found, rows_.find(id, std::nullopt));
  if (!found) return Ok{};
  const Attachment& row = found->attachment;
  if (row.store != StoreKind::kLocal || row.key != from.str()) return Ok{};
  // Cheap questions first: a store that hangs would hold the runner for minutes with a put.
  TRY(target_.admits());
  TRY(target_.ready());
  auto file = open_local_(from);
  if (!file) {
    const bool lost = file.error().code == Errc::kNotFound;
    return lost ? Error{Errc::kInternal, "cannot move: the local file is lost"} : std::move(file).error();
  }
  const ObjectKey to = make_key(rules_.keys, make_uuid7(clock_.now()), row.filename);
  const std::span<const ObjectKey> keys(&to, 1);
  TRY_ASSIGN(const auto tickets, rows_.plan_deletions(target_.kind(), keys, rules_.orphan_grace));
  Status done = copy_and_switch(row, {file->get(), 0, row.size_bytes, {}}, to, tickets.front());
  if (done) return done;
  abandon(rows_, {target_.kind(), keys, tickets}, done.error());
  return done;
}

}  // namespace cloakroom
