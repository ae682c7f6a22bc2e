// guarded_imager.cc — each question with the breaker's leave, and its outcome for the breaker.
#include "media/guarded_imager.h"

namespace cloakroom {
namespace {

template <class T>
Status outcome_of(const Result<T>& result) {
  if (result) return Ok{};
  return result.error();
}

}  // namespace

Status GuardedImager::admit() {
  switch (breaker_.admit()) {
    case Breaker::Admission::kPass:
      return Ok{};
    case Breaker::Admission::kRefuse:
      return Error{Errc::kImagerAway, "the picture maker is given up for a while", {}, true};
    case Breaker::Admission::kProbe:
      break;
  }
  Status answer = ask_();
  breaker_.probed(answer);
  // whatever it is, it is not about the picture that somebody asks about now
  if (!answer) return Error{Errc::kImagerAway, answer.error().detail, {}, true};
  return Ok{};
}

Result<ImageFacts> GuardedImager::probe(const FileRange& bytes, std::string_view mime_type) {
  const Bulkhead::Place place = places_ != nullptr ? places_->try_enter() : Bulkhead::Place();
  if (places_ != nullptr && !place) {
    return Error{Errc::kImagerAway, "all places to look at pictures are taken", {}, true};
  }
  TRY(admit());
  auto facts = inner_.probe(bytes, mime_type);
  breaker_.note(outcome_of(facts));
  return facts;
}

Result<Rendered> GuardedImager::render(const FileRange& bytes, std::string_view mime_type, const Rendering& wanted) {
  TRY(admit());
  auto made = inner_.render(bytes, mime_type, wanted);
  breaker_.note(outcome_of(made));
  return made;
}

}  // namespace cloakroom
