// variant.h — a smaller picture made of an original: its name, its forms, and the row it has.
//
// Name     VARIANTS gives each size a name; the same name may be there in several formats, one row each.
// Bytes    immutable under their key, as those of an original. Each try to make one has a key of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/attachment.h"
#include "domain/image_ports.h"

namespace cloakroom {

// What a client asks for. kPlain is for whoever does not say that he knows more: JPEG, or PNG where there is
// transparency.
enum class VariantFormat { kPlain, kWebp, kAvif };

std::string_view to_string(VariantFormat format);  // "plain", "webp", "avif": the words of the database and of settings
std::optional<VariantFormat> parse_variant_format(std::string_view word);
std::string_view mime_type_of(ImageFormat format);
// What moves stays so as WebP alone: an AVIF would be its first frame. Of documents the first page is all there is.
bool suits(VariantFormat format, const Attachment& original);

// A box that the picture fits in.
struct VariantSize {
  std::string name;
  std::uint32_t max_width = 0, max_height = 0;  // pixels; 0: free
};

struct VariantId {
  Uuid attachment_id;
  std::string name;
  VariantFormat format = VariantFormat::kPlain;

  friend bool operator==(const VariantId&, const VariantId&) = default;
};

struct Variant {
  VariantId id;
  std::string mime_type;
  StoreKind store = StoreKind::kLocal;
  std::string key;  // never shown to a client
  std::uint32_t width = 0, height = 0;
  std::uint64_t size_bytes = 0;
  Sha256Digest sha256{};
  TimePoint created_at;
};

// The variant as a file of its own, for whatever delivers files: its bytes and its type, under the original's id, and
// named "beach-thumb.webp".
Attachment as_file(const Variant& variant, const Attachment& original);

}  // namespace cloakroom
