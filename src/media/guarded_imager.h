// guarded_imager.h — an Imager that is not asked while it is known to be away: one that hangs costs a few requests its
// time-out, and not every upload of a picture.
//
// Rule     base/breaker.h; its probe is `ask`, a cheap question.
// Places   of `places` a look at a picture takes one, and does not wait for it: pictures that take long must leave some
//          children to others.
// Errors   as Imager; kImagerAway also at once.
// Lifetime imager, breaker and places are borrowed.
#pragma once

#include <functional>

#include "base/breaker.h"
#include "base/bulkhead.h"
#include "domain/image_ports.h"

namespace cloakroom {

class GuardedImager final : public Imager {
 public:
  GuardedImager(Imager& inner, Breaker& breaker, std::function<Status()> ask, Bulkhead* places = nullptr)
      : inner_(inner), breaker_(breaker), ask_(std::move(ask)), places_(places) {}

  Result<ImageFacts> probe(const FileRange& bytes, std::string_view mime_type) override;
  Result<Rendered> render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) override;

 private:
  Status admit();

  Imager& inner_;
  Breaker& breaker_;
  std::function<Status()> ask_;
  Bulkhead* places_;
};

}  // namespace cloakroom
