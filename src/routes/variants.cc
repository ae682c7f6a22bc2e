// variants.cc — a smaller picture of a file, in the format that the client likes best.
#include "domain/variants.h"

#include <algorithm>

#include "http/accept.h"
#include "routes/attachment_json.h"
#include "routes/file_answer.h"

namespace cloakroom {
namespace {

constexpr std::string_view mime_of(VariantFormat format) {
  return format == VariantFormat::kAvif ? "image/avif" : "image/webp";
}

// A client gets WebP or AVIF when he names it, not when he takes everything: old ones say */* and mean JPEG. Of those
// he likes alike, the first of the settings.
VariantFormat chosen(std::string_view accept, const Variants& variants, const Attachment& original) {
  const bool is_transparent = original.picture == Picture::kAlpha;
  VariantFormat best = VariantFormat::kPlain;
  unsigned quality = welcome(accept, is_transparent ? "image/png" : "image/jpeg").quality;
  bool is_better = false;  // than plain
  for (const VariantFormat format : variants.formats()) {
    const Welcome wish = welcome(accept, mime_of(format));
    if (!wish.is_named || wish.quality == 0 || !suits(format, original)) continue;
    if (wish.quality < quality || (is_better && wish.quality == quality)) continue;
    best = format;
    quality = wish.quality;
    is_better = true;
  }
  return best;
}

// Not made for a HEAD: what it will be, without its length.
Response foretold(VariantFormat format, const Attachment& original) {
  Response r;
  r.has_length = false;
  const std::string_view plain = original.picture == Picture::kAlpha ? "image/png" : "image/jpeg";
  r.add("Content-Type", format == VariantFormat::kPlain ? plain : mime_of(format)).add("Cache-Control", "no-store");
  return r;
}

bool is_handed_over(const Response& answer) {
  return std::any_of(answer.headers.begin(), answer.headers.end(),
                     [](const auto& header) { return header.first == "X-Accel-Redirect"; });
}

}  // namespace

// Errors have no Vary, but for a 416: nobody may keep them, and a 404 is the same wherever it comes from.
Result<Response> get_variant(App& app, const Context& context) {
  const VariantSize* size = app.variants == nullptr ? nullptr : app.variants->size(context.params[1]);
  // asked for whatever the name is, or the time would tell; a name that is none may be no text for the database either
  TRY_ASSIGN(const FileAndVariants found, find_file_and_variants(app, context, named_id(context.params[0]),
                                                                 size != nullptr ? std::string_view(size->name) : "-"));
  TRY(check_read_file(app.options.visibility, context.caller, found.file));
  const Attachment& original = found.file->attachment;
  if (original.external_url) return redirect_to(*original.external_url);  // its thumb_url, too; whatever the name
  if (size == nullptr) return cloaked();
  const VariantFormat format = chosen(context.request.header("HTTP_ACCEPT"), *app.variants, original);
  const auto there = std::find_if(found.variants.begin(), found.variants.end(),
                                  [&](const Variant& v) { return v.id.format == format; });
  std::optional<Variant> variant;
  if (there != found.variants.end()) {
    variant = *there;
  } else if (context.request.method == "HEAD") {
    if (!app.variants->may_be_made(original)) return cloaked();
    TRY_ASSIGN(variant, app.variants->find(original, *size, format));
  } else {
    const Attachment source = app.copy_reader == nullptr ? original : app.copy_reader->as_served(original);
    TRY_ASSIGN(variant, app.variants->get(source, *size, format));
  }
  Response answer;
  if (variant) {
    TRY_ASSIGN(answer, file_answer(app, context, as_file(*variant, original)));
  } else {
    answer = foretold(format, original);
  }
  answer.add("Vary", "Accept");
  // nginx forgets it where it sends the bytes itself, and all other answers pass it as they are
  if (is_handed_over(answer)) answer.add("X-Cloakroom-Vary", "Accept");
  return answer;
}

}  // namespace cloakroom
