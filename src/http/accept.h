// accept.h — how much a client wants a media type, by its Accept header. Pure.
//
// Source   RFC 9110 sections 12.4.2 and 12.5.1.
// Shape    the most specific range that fits counts: image/webp before image/* before */*. Parameters other than q are
//          ignored. No header, and one without a single readable item: everything is welcome.
// Units    thousandths: q=0.8 is 800; 0 is a no.
// Errors   None: an item that cannot be read is as if absent.
#pragma once

#include <string_view>

namespace cloakroom {

struct Welcome {
  unsigned quality = 0;   // 0 … 1000
  bool is_named = false;  // by this very type: a client that can show it, not one that takes whatever comes
};

Welcome welcome(std::string_view accept, std::string_view media_type);

}  // namespace cloakroom
