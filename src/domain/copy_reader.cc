// copy_reader.cc — a look at the local file, and where to go when it is not the one.
#include "domain/copy_reader.h"

#include "base/log.h"

namespace cloakroom {

Attachment CopyReader::as_served(Attachment row) {
  if (row.store != StoreKind::kLocal || row.external_url) return row;
  const auto key = ObjectKey::parse(row.key);
  if (!key) return row;
  const auto state = local_.look(*key);
  if (state && is_as_stored(*state, row)) return row;
  const auto place = copies_.ask_repair(row.id);
  log(Level::kWarning, "file.not_as_stored",
      {{"id", to_string(row.id)},
       {"detail", !place   ? place.error().detail
                  : *place ? "its copy is sent"
                           : "it has no copy yet"}});
  if (!place || !*place) return row;
  row.store = (*place)->store;
  row.key = (*place)->key;
  return row;
}

}  // namespace cloakroom
