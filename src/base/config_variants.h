// config_variants.h — the settings of smaller pictures.
#pragma once

#include "base/config.h"
#include "base/config_reader.h"

namespace cloakroom {

// Shape    VARIANTS: items "name:250", "name:400x300", "name:x300", separated by blanks or commas; a side that is not
//          given is free; none: no sizes. A name is of a-z, 0-9, - and _, 1 to 32 long, and there once.
//          VARIANT_FORMATS: avif, webp, separated by commas; none: JPEG and PNG alone.
void read_variants(Reader& in, Config& config);

}  // namespace cloakroom
