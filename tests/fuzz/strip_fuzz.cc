// strip_fuzz.cc — any bytes as a picture: a plan comes in bounded time and memory, and its patches lie within the file.
//
// Input    one byte: the mode; the rest: the file
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/file.h"
#include "media/strip.h"
#include "media/strip_edits.h"

using namespace cloakroom;

namespace {

StripPlan plan_of(const std::string& bytes, StripMode mode) {
  static const UniqueFd file(::memfd_create("fuzz", MFD_CLOEXEC));
  if (::ftruncate(file.get(), 0) != 0) BUG("cannot truncate");
  if (!write_at(file.get(), std::as_bytes(std::span(bytes)), 0)) BUG("cannot write");
  PictureStripper stripper(mode);
  auto plan = stripper.plan({.fd = file.get(), .offset = 0, .size = bytes.size(), .path = {}});
  if (!plan) BUG("what a file holds is no error");
  return *std::move(plan);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const StripMode mode = data[0] % 2 == 0 ? StripMode::kGps : StripMode::kAll;
  std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const StripPlan plan = plan_of(bytes, mode);
  for (const Patch& patch : plan.patches) {
    if (patch.size() == 0) BUG("an empty patch");
    if (patch.offset > bytes.size() || patch.size() > bytes.size() - patch.offset) BUG("a patch outside of the file");
  }
  apply_patches(plan, bytes);
  if (bytes.size() != size - 1) BUG("the length changed");
  return 0;
}
