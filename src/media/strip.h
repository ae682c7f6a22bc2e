// strip.h — finds what pictures tell about their makers: JPEG, PNG, WebP, HEIC and AVIF, known by their first bytes.
//
// Limits   base/limits.h, "Metadata of pictures". A file is read where it must be: JPEG whole (where a picture ends is
//          written nowhere), the others from header to header.
#pragma once

#include "domain/strip_ports.h"

namespace cloakroom {

class PictureStripper final : public MetadataStripper {
 public:
  explicit PictureStripper(StripMode mode) : mode_(mode) {}

  bool takes(std::span<const std::byte> head) const override;
  Result<StripPlan> plan(const FileRange& bytes) override;

 private:
  StripMode mode_;
};

}  // namespace cloakroom
