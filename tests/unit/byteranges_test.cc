// byteranges_test.cc — the multipart body of several ranges, byte by byte.
#include "http/byteranges.h"

#include <vector>

#include "check.h"

using namespace cloakroom;

namespace {

struct TextSink final : ByteSink {
  std::string text;
  std::size_t most = 1000;
  Status write(std::span<const std::byte> bytes) override {
    if (text.size() + bytes.size() > most) return Error{Errc::kInvalid, "the client went away"};
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
};

const std::string kObject = "0123456789";

Status read_object(const ByteRange& range, ByteSink& sink) {
  const std::string part = kObject.substr(range.offset, range.length);
  return sink.write(std::as_bytes(std::span(part)));
}

const std::vector<ByteRange> kTwo{{0, 2}, {7, 3}};

}  // namespace

static void each_range_has_a_head_and_the_length_is_known_before() {
  const ByteRanges ranges(kTwo, kObject.size(), "text/plain; charset=utf-8", "xyz");
  TextSink sink;
  CHECK_OK(ranges.send(sink, read_object));
  CHECK_EQ(sink.text,
           "\r\n--xyz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01"
           "\r\n--xyz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 7-9/10\r\n\r\n789"
           "\r\n--xyz--\r\n");
  CHECK_EQ(ranges.length_bytes(), sink.text.size());
  CHECK_EQ(ranges.content_type(), "multipart/byteranges; boundary=xyz");
}

static void what_fails_on_the_way_ends_it() {
  const ByteRanges ranges(kTwo, kObject.size(), "text/plain", "xyz");
  TextSink sink;
  CHECK_ERR(ranges.send(sink,
                        [](const ByteRange&, ByteSink&) {
                          return Status(Error{Errc::kStore, "away"});
                        }),
            Errc::kStore);
  TextSink narrow;
  narrow.most = 60;
  CHECK_ERR(ranges.send(narrow, read_object), Errc::kInvalid);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(each_range_has_a_head_and_the_length_is_known_before),
      CASE(what_fails_on_the_way_ends_it),
  };
  return RUN_TESTS("byteranges", tests);
}
