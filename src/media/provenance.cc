// provenance.cc — a search that also finds what lies over the border of two pieces.
#include "media/provenance.h"

#include <algorithm>
#include <array>

#include "base/limits.h"

namespace cloakroom {
namespace {

constexpr std::array<std::string_view, 4> kNames{"GPSL", "GPSDest", "erialNumber", "CameraOwnerName"};
constexpr std::size_t kOverlap = 16;  // the longest of them fits

}  // namespace

void ProvenanceSearch::show(std::string_view bytes) {
  const std::string border = last_ + std::string(bytes.substr(0, kOverlap));
  has_found_ = has_found_ || std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) {
                 return border.find(name) != std::string::npos || bytes.find(name) != std::string_view::npos;
               });
  last_ += bytes.substr(bytes.size() - std::min(bytes.size(), kOverlap));
  last_.erase(0, last_.size() - std::min(last_.size(), kOverlap));
}

Result<bool> has_secret_provenance(Pieces& in, std::uint64_t offset, std::uint64_t size) {
  ProvenanceSearch search;
  for (std::uint64_t done = 0; done < size && !search.has_found();) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(size - done, limits::kStripWindowBytes));
    TRY_ASSIGN(const std::string_view block, in.view(offset + done, most));
    if (block.empty()) break;
    search.show(block);
    done += block.size();
  }
  return search.has_found();
}

}  // namespace cloakroom
