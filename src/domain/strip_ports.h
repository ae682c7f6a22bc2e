// strip_ports.h — what the domain needs of somebody who knows where pictures keep what they tell about their makers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/result.h"

namespace cloakroom {

// kGps: positions, serial numbers and owners of devices, and what nobody can look into (maker notes).
// kAll: all but what a viewer needs for the picture: orientation, colour profile, colour space.
enum class StripMode { kGps, kAll };

// Bytes to be written over others. Either `bytes`, or `fill_size` times `fill`.
struct Patch {
  std::uint64_t offset = 0;  // from the beginning of the file
  std::string bytes = {};
  std::uint64_t fill_size = 0;
  char fill = 0;

  std::uint64_t size() const { return bytes.empty() ? fill_size : bytes.size(); }
};

// With its patches a file has the length that it had. They lie within it, in no order; a later one counts.
struct StripPlan {
  std::vector<Patch> patches;
  std::string unread;  // why nobody can say that nothing was missed; empty: all of it was understood
};

// Errors   kInternal the file cannot be read. What it holds is never an error: see `unread`.
// Memory   limits::kStripPatchBytes for a plan, limits::kStripBlockBytes for what is looked at.
class MetadataStripper {
 public:
  virtual ~MetadataStripper() = default;
  // Whether a file that begins so is one that plan() looks into; 256 bytes tell.
  virtual bool takes(std::span<const std::byte> head) const = 0;
  // No patches for a file of another kind, or one that has nothing to hide.
  virtual Result<StripPlan> plan(const FileRange& bytes) = 0;
};

}  // namespace cloakroom
