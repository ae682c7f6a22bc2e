// strip_edits.h — collects the patches of one picture: what differs from what lies there, and nothing else.
//
// Limits   limits::kStripPatchBytes and kStripPatches; what would exceed them makes the picture one that was not read
// to
//          its end.
#pragma once

#include <string>
#include <string_view>

#include "domain/strip_ports.h"
#include "media/pieces.h"

namespace cloakroom {

class StripEdits {
 public:
  explicit StripEdits(Pieces& in) : in_(in) {}  // borrowed

  // `after` shall be where `before` lies now. REQUIRES: they are of one length
  void replace(std::uint64_t offset, std::string_view before, std::string_view after);
  // The same, asking the file what lies there. At its end `after` is cut.
  Status write(std::uint64_t offset, std::string_view after);
  // No patch where the bytes are all `with` already.
  Status fill(std::uint64_t offset, std::uint64_t size, char with);

  // A part was not understood, the rest can be. The first reason stays.
  void note(std::string_view why);
  // The same, and there is no going on: the rest cannot be found, or a limit is reached.
  void give_up(std::string_view why);
  bool gave_up() const { return gave_up_; }
  // Counts bytes that the file itself points to. False: more than it has, so they are shared, without end perhaps.
  bool may_follow(std::uint64_t bytes);

  StripPlan take() { return std::move(plan_); }

 private:
  void add(Patch patch);

  Pieces& in_;
  StripPlan plan_ = {};
  std::size_t held_bytes_ = 0;
  std::uint64_t followed_bytes_ = 0;
  bool gave_up_ = false;
};

// What a function for one format gets.
struct StripJob {
  Pieces& in;
  StripEdits& out;
  StripMode mode = StripMode::kGps;
  unsigned depth = 0;  // of pictures within pictures
};

// The patches, laid over a copy in memory.
void apply_patches(const StripPlan& plan, std::string& bytes);

// An Exif block (from its TIFF header on) and an XMP packet that lie in one piece. One above limits::kStripBlockBytes
// is not searched: all of it goes but, for Exif, an orientation near its beginning.
Status strip_exif_block(const StripJob& job, std::uint64_t offset, std::uint64_t size);
Status strip_xmp_block(const StripJob& job, std::uint64_t offset, std::uint64_t size);

}  // namespace cloakroom
