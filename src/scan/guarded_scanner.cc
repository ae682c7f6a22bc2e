// guarded_scanner.cc — each question as a guarded call.
#include "scan/guarded_scanner.h"

namespace cloakroom {
namespace {

class LiveSink final : public ByteSink {
 public:
  LiveSink(ByteSink& inner, CallGuard& guard) : inner_(inner), guard_(guard) {}
  Status write(std::span<const std::byte> bytes) override {
    Status taken = inner_.write(bytes);
    if (taken) guard_.moved();
    return taken;
  }

 private:
  ByteSink& inner_;
  CallGuard& guard_;
};

}  // namespace

Result<ScanVerdict> GuardedScanner::scan(const ByteSource& bytes) {
  return guard_.run([&] {
    return inner_.scan([&](ByteSink& sink) -> Status {
      guard_.silent(false);  // a scanner may ask for the bytes again
      LiveSink live(sink, guard_);
      TRY(bytes(live));
      guard_.silent(true);
      return Ok{};
    });
  });
}

}  // namespace cloakroom
