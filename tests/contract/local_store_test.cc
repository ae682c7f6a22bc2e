// local_store_test.cc — the suite of every BlobStore against the local disk.
#include "storage/local.h"

#include <filesystem>
#include <string>

#include "store_suite.h"

namespace {

struct DiskPlace {
  static constexpr bool kKeepsType = false;
  struct Root {
    std::string path =
        (std::filesystem::temp_directory_path() / ("cloakroom-contract-" + cloakroom::random_hex(8))).string();
    cloakroom::LocalStore local{cloakroom::LocalOptions{.root = path}};
    Root() { CHECK_OK(local.prepare()); }
    ~Root() { std::filesystem::remove_all(path); }
  };
  static cloakroom::BlobStore& store() {
    static Root root;
    return root.local;
  }
};

}  // namespace

int main() {
  return cloakroom::suite::run_store_suite<DiskPlace>("contract_disk");
}
