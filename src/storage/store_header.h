// store_header.h — the header fields of one request to a store, in the order in which they are sent.
#pragma once

#include <string>
#include <vector>

namespace cloakroom {

struct StoreHeader {
  std::string name;
  std::string value;
};

using StoreHeaders = std::vector<StoreHeader>;

}  // namespace cloakroom
