// copying.cc — from settings to the copier and to repairs.
#include "cmd/copying.h"

namespace cloakroom {

Copier make_copier(const Config& config, const StoreSet& stores, Rows& rows, CopyRows& copies, const Clock& clock) {
  return {{.rows = rows, .copies = copies, .local = *stores.local, .target = *stores.s3->guarded, .clock = clock},
          {.keys = key_rule(config),
           .copy = {.object_cache_control = config.object_cache_control, .stored_headers = stored_headers},
           .orphan_grace = config.orphan_grace}};
}

Repairs make_repairs(const Config& config, const StoreSet& stores, CopyRows& copies) {
  return Repairs({.copies = copies,
                  .local = *stores.local,
                  .store_of = [all = stores.all()](StoreKind kind) { return all.by_kind(kind); },
                  .nameless = nameless_file(config)});
}

}  // namespace cloakroom
