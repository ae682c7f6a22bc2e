// copier.cc — the story of a copy, in its order.
#include "domain/copier.h"

#include "domain/abandon.h"

namespace cloakroom {

Status Copier::copy(const Uuid& id) {
  TRY_ASSIGN(const auto found, p_.copies.find(id));
  if (!found || !found->is_wanted || found->place || found->file.store != StoreKind::kLocal) return Ok{};
  const Attachment& row = found->file;
  TRY_ASSIGN(const ObjectKey from, ObjectKey::parse(row.key));
  // Cheap questions first: a store that hangs would hold the runner for minutes with a put.
  TRY(p_.target.admits());
  TRY(p_.target.ready());
  const auto state = p_.local.look(from);
  auto file = state ? p_.local.open(from) : Result<UniqueFd>(state.error());
  if (!file) {
    const bool is_lost = file.error().code == Errc::kNotFound;
    return is_lost ? Error{Errc::kInternal, "cannot copy: the local file is lost"} : std::move(file).error();
  }
  if (state->size_bytes != row.size_bytes) {
    return Error{Errc::kInternal, "cannot copy: the local file has another size than its row says"};
  }
  const ObjectKey to = make_key(rules_.keys, make_uuid7(p_.clock.now()), row.filename);
  const std::span<const ObjectKey> keys(&to, 1);
  TRY_ASSIGN(const auto tickets, p_.rows.plan_deletions(p_.target.kind(), keys, rules_.orphan_grace));
  Status done = ObjectCopier(p_.target, rules_.copy).put(row, {file->get(), 0, row.size_bytes, {}}, to);
  if (done) done = p_.copies.commit_copy(row.id, {p_.target.kind(), to.str()}, tickets.front());
  if (done) return done;
  abandon(p_.rows, {p_.target.kind(), keys, tickets}, done.error());
  return done;
}

}  // namespace cloakroom
