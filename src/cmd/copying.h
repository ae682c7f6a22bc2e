// copying.h — builds what makes copies of local files and repairs them, from a Config.
//
// Lifetime as wiring.h
#pragma once

#include "cmd/wiring.h"
#include "domain/copier.h"
#include "domain/repairs.h"

namespace cloakroom {

// REQUIRES: stores.s3.
Copier make_copier(const Config& config, const StoreSet& stores, Rows& rows, CopyRows& copies, const Clock& clock);
Repairs make_repairs(const Config& config, const StoreSet& stores, CopyRows& copies);

}  // namespace cloakroom
