// vips.h — libvips, its owners and its errors. The one file that includes it; the C API alone, for the other throws.
//
// Start    before any fork, once. Loaders that libvips itself calls unfit for strangers' files are blocked, but for
//          those in imaging/kinds.cc; one thread a picture (processes are what runs beside each other), no cache (a
//          process has one picture), and no code that is made at run time (orc), which would need memory that is
//          written and then executed.
// Errors   kInternal  libvips cannot be started
#pragma once

#include <vips/vips.h>

#include <memory>
#include <string>

#include "base/handle.h"
#include "base/result.h"

namespace cloakroom {

using VipsPicture = std::unique_ptr<VipsImage, CDelete<g_object_unref>>;
using VipsInput = std::unique_ptr<VipsSource, CDelete<g_object_unref>>;
using VipsOutput = std::unique_ptr<VipsTarget, CDelete<g_object_unref>>;

Status start_vips(const char* program);

// kUndecodable with what libvips has said, which is then forgotten. Its messages name sizes and formats, not contents.
Error vips_error_take(std::string_view what);

}  // namespace cloakroom
