// store_suite.h — what every BlobStore must do, written once; each store runs it through a Place of its own.
//
// Use      struct DiskPlace { static BlobStore& store(); static constexpr bool kKeepsType = false; };
//          int main() { return run_store_suite<DiskPlace>("contract_disk"); }
// Rule     one group a program: two would print two TAP plans.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "base/encode.h"
#include "base/id.h"
#include "check.h"
#include "domain/ports.h"

namespace cloakroom::suite {

inline ObjectKey key_of(const std::string& text) {
  return CHECK_OK(ObjectKey::parse(text));
}
inline ObjectKey fresh_key() {
  return key_of("suite/" + random_hex(16));
}

// Bytes that differ at every place, so that a shifted or a mixed range shows.
inline std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string text(size, '\0');
  std::uint32_t x = seed * 2654435761U + 1;
  for (char& c : text) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    c = static_cast<char>(x & 0xFFU);
  }
  return text;
}

// A named file that goes with its owner.
class TempFile {
 public:
  explicit TempFile(std::string_view bytes) {
    const char* folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr ? folder : "/tmp") + "/cloakroom-suite-XXXXXX";
    fd_.reset(::mkstemp(path_.data()));
    CHECK(fd_);
    CHECK_OK(write_all(fd_.get(), std::as_bytes(std::span(bytes))));
    size_ = bytes.size();
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() { ::unlink(path_.c_str()); }

  FileRange whole() const { return {fd_.get(), 0, size_}; }
  FileRange part(std::uint64_t offset, std::uint64_t size) const { return {fd_.get(), offset, size}; }
  FileRange named() const { return {fd_.get(), 0, size_, path_}; }  // may be taken by link(2)
  std::string bytes() const {
    std::string text(size_, '\0');
    CHECK_EQ(CHECK_OK(read_at(fd_.get(), std::as_writable_bytes(std::span(text)), 0)), size_);
    return text;
  }

 private:
  std::string path_;
  UniqueFd fd_;
  std::uint64_t size_ = 0;
};

class StringSink final : public ByteSink {
 public:
  Status write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Ok{};
  }
  std::string text;
};

class FailingSink final : public ByteSink {
 public:
  Status write(std::span<const std::byte>) override { return Error{Errc::kConflict, "the sink is full"}; }
};

inline ObjectMeta text_meta() {
  return {"text/plain; charset=utf-8", "attachment; filename=\"a.txt\"", "private, max-age=60", "0198c0de"};
}

inline std::string get_range(BlobStore& store, const ObjectKey& key, const ByteRange& range) {
  StringSink sink;
  CHECK_OK(store.get(key, range, sink));
  return sink.text;
}

// Compares without printing megabytes.
inline void check_bytes(const std::string& got, const std::string& wanted) {
  CHECK_EQ(got.size(), wanted.size());
  CHECK(got == wanted);
}

inline void check_round_trip(BlobStore& store, const ObjectKey& key, const FileRange& range,
                             const std::string& wanted) {
  CHECK_EQ(hex_encode(CHECK_OK(store.put(key, range, text_meta()))), hex_encode(sha256(wanted)));
  CHECK_EQ(CHECK_OK(store.head(key)).size_bytes, wanted.size());
  check_bytes(get_range(store, key, {0, wanted.size()}), wanted);
  CHECK_OK(store.remove(key));
}

template <class Place>
void an_empty_object_is_kept() {
  const TempFile file("");
  check_round_trip(Place::store(), fresh_key(), file.whole(), "");
}

template <class Place>
void one_byte_is_kept() {
  const TempFile file("x");
  check_round_trip(Place::store(), fresh_key(), file.whole(), "x");
}

template <class Place>
void five_mebibytes_and_three_are_kept() {
  const std::string bytes = pattern((5U << 20) + 3);
  const TempFile file(bytes);
  check_round_trip(Place::store(), fresh_key(), file.whole(), bytes);
}

template <class Place>
void a_part_of_a_file_is_stored_without_its_surroundings() {
  const std::string bytes = pattern(900000);
  const TempFile file(bytes);
  check_round_trip(Place::store(), fresh_key(), file.part(4097, 600001), bytes.substr(4097, 600001));
  check_round_trip(Place::store(), fresh_key(), file.part(900000, 0), "");
}

template <class Place>
void a_whole_named_file_is_stored_and_left_in_place() {
  const std::string bytes = pattern(70000);
  const TempFile file(bytes);
  const ObjectKey key = fresh_key();
  CHECK_EQ(hex_encode(CHECK_OK(Place::store().put(key, file.named(), text_meta()))), hex_encode(sha256(bytes)));
  check_bytes(get_range(Place::store(), key, {0, bytes.size()}), bytes);
  check_bytes(file.bytes(), bytes);
  CHECK_OK(Place::store().remove(key));
  check_bytes(file.bytes(), bytes);
}

template <class Place>
void a_range_is_answered_exactly() {
  const std::string bytes = pattern(300000);
  const TempFile file(bytes);
  const ObjectKey key = fresh_key();
  CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  const std::array<ByteRange, 6> ranges{{{0, 1}, {150000, 1}, {299999, 1}, {1, 299999}, {65535, 131074}, {0, 300000}}};
  for (const ByteRange& range : ranges) {
    check_bytes(get_range(Place::store(), key, range), bytes.substr(range.offset, range.length));
  }
  CHECK_EQ(get_range(Place::store(), key, {17, 0}), "");
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void an_absent_object_is_not_found() {
  StringSink sink;
  const ObjectKey key = fresh_key();
  CHECK_ERR(Place::store().head(key), Errc::kNotFound);
  CHECK_ERR(Place::store().get(key, {0, 1}, sink), Errc::kNotFound);
  CHECK_ERR(Place::store().get(key, {0, 0}, sink), Errc::kNotFound);
  CHECK_EQ(sink.text, "");
}

template <class Place>
void an_object_can_be_removed_twice_and_is_gone() {
  const TempFile file("gone");
  const ObjectKey key = fresh_key();
  CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  CHECK_OK(Place::store().remove(key));
  CHECK_ERR(Place::store().head(key), Errc::kNotFound);
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void odd_characters_in_keys_name_different_objects() {
  const std::array<std::string, 14> names{"a b",        "a+b", "a%20b", "a%2Bb", "a=b&c=d",
                                          "(a)[b]{c}",  "~a~", "it's",  "a*b!",  "\xC3\xBC\xE1\x88\xB4\xF0\x9F\x93\x8E",
                                          "a;b,c@d:e$", "#?",  "a\"b",  "...a.."};
  const std::string folder = "suite/odd " + random_hex(8) + "/";
  for (const std::string& name : names) {
    const TempFile file("bytes of " + name);
    CHECK_OK(Place::store().put(key_of(folder + name), file.whole(), text_meta()));
  }
  for (const std::string& name : names) {
    const std::string wanted = "bytes of " + name;
    CHECK_EQ(get_range(Place::store(), key_of(folder + name), {0, wanted.size()}), wanted);
    CHECK_OK(Place::store().remove(key_of(folder + name)));
    CHECK_ERR(Place::store().head(key_of(folder + name)), Errc::kNotFound);
  }
}

template <class Place>
void a_repeated_put_ends_in_the_same_state() {
  const std::string bytes = pattern(30000, 7);
  const TempFile file(bytes);
  const ObjectKey key = fresh_key();
  const auto first = CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  const auto second = CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  CHECK(first == second);
  CHECK_EQ(CHECK_OK(Place::store().head(key)).size_bytes, bytes.size());
  check_bytes(get_range(Place::store(), key, {0, bytes.size()}), bytes);
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void the_content_type_comes_back_where_it_is_kept() {
  const TempFile file("typed");
  const ObjectKey key = fresh_key();
  CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  CHECK_EQ(CHECK_OK(Place::store().head(key)).content_type, Place::kKeepsType ? text_meta().content_type : "");
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void a_range_longer_than_its_file_is_refused() {
  const TempFile file("short");
  const ObjectKey key = fresh_key();
  CHECK_ERR(Place::store().put(key, file.part(2, 10), text_meta()), Errc::kInternal);
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void an_error_of_the_sink_ends_the_read_and_is_returned() {
  const TempFile file(pattern(1000000));
  const ObjectKey key = fresh_key();
  CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  FailingSink full;
  CHECK_ERR(Place::store().get(key, {0, 1000000}, full), Errc::kConflict);
  check_bytes(get_range(Place::store(), key, {999990, 10}), pattern(1000000).substr(999990));  // the store still works
  CHECK_OK(Place::store().remove(key));
}

template <class Place>
void a_copy_has_the_bytes_and_its_own_type_and_stays_when_the_source_goes() {
  const std::string bytes = pattern(300000, 9);
  const TempFile file(bytes);
  const ObjectKey from = fresh_key();
  const ObjectKey to = fresh_key();
  CHECK_OK(Place::store().put(from, file.whole(), text_meta()));
  ObjectMeta meta = text_meta();
  meta.content_type = "image/png";
  CHECK_OK(Place::store().copy(from, to, meta));
  CHECK_OK(Place::store().copy(from, to, meta));  // may be repeated
  CHECK_EQ(CHECK_OK(Place::store().head(to)).size_bytes, bytes.size());
  CHECK_EQ(CHECK_OK(Place::store().head(to)).content_type, Place::kKeepsType ? "image/png" : "");
  CHECK_EQ(CHECK_OK(Place::store().head(from)).content_type, Place::kKeepsType ? text_meta().content_type : "");
  CHECK_OK(Place::store().remove(from));
  check_bytes(get_range(Place::store(), to, {0, bytes.size()}), bytes);
  CHECK_OK(Place::store().remove(to));
}

template <class Place>
void a_copy_replaces_what_was_there_and_no_later_put_to_its_source_changes_it() {
  const TempFile one("first");
  const TempFile two("second one");
  const TempFile three("third");
  const ObjectKey from = fresh_key();
  const ObjectKey to = fresh_key();
  CHECK_OK(Place::store().put(from, one.whole(), text_meta()));
  CHECK_OK(Place::store().put(to, two.whole(), text_meta()));
  CHECK_OK(Place::store().copy(from, to, text_meta()));
  CHECK_OK(Place::store().put(from, three.whole(), text_meta()));
  CHECK_EQ(CHECK_OK(Place::store().head(to)).size_bytes, 5u);
  CHECK_EQ(get_range(Place::store(), to, {0, 5}), "first");
  CHECK_OK(Place::store().remove(from));
  CHECK_OK(Place::store().remove(to));
}

template <class Place>
void copies_go_between_keys_with_odd_characters_and_of_empty_objects() {
  const TempFile file("");
  const std::string folder = "suite/odd " + random_hex(8) + "/";
  for (const char* name : {"a+b", "a b", "a%2Bb", "Ã¼&=?#", "(1)'~*!"}) {
    const ObjectKey from = key_of(folder + name);
    const ObjectKey to = key_of(folder + name + " copy+");
    CHECK_OK(Place::store().put(from, file.whole(), text_meta()));
    CHECK_OK(Place::store().copy(from, to, text_meta()));
    CHECK_EQ(CHECK_OK(Place::store().head(to)).size_bytes, 0u);
    CHECK_OK(Place::store().remove(from));
    CHECK_OK(Place::store().remove(to));
  }
}

template <class Place>
void a_copy_of_nothing_is_not_found_and_makes_nothing() {
  const ObjectKey to = fresh_key();
  CHECK_ERR(Place::store().copy(fresh_key(), to, text_meta()), Errc::kNotFound);
  CHECK_ERR(Place::store().head(to), Errc::kNotFound);
}

template <class Place>
void a_store_that_works_says_ready_and_can_be_prepared_again() {
  CHECK_OK(Place::store().ready());
  CHECK_OK(Place::store().prepare());
}

template <class Place>
void many_objects_are_removed_at_once_and_others_stay() {
  const TempFile file("x");
  std::vector<ObjectKey> keys{fresh_key(), fresh_key(), fresh_key(), fresh_key()};
  for (const ObjectKey& key : keys) CHECK_OK(Place::store().put(key, file.whole(), text_meta()));
  const ObjectKey kept = keys.back();
  keys.back() = fresh_key();  // never stored
  const std::vector<Status> outcomes = Place::store().remove_many(keys);
  CHECK_EQ(outcomes.size(), keys.size());
  for (const Status& outcome : outcomes) CHECK_OK(outcome);
  for (const ObjectKey& key : keys) CHECK_ERR(Place::store().head(key), Errc::kNotFound);
  CHECK_EQ(CHECK_OK(Place::store().head(kept)).size_bytes, 1U);
  CHECK_OK(Place::store().remove(kept));
  CHECK(Place::store().remove_many({}).empty());
}

#define CLOAKROOM_SUITE_CASE(fn) \
  { #fn, t::entry < fn < Place>>, nullptr, nullptr, nullptr }

template <class Place>
int run_store_suite(const char* group, std::span<const CMUnitTest> more = {}) {
  std::vector<CMUnitTest> tests = {
      CLOAKROOM_SUITE_CASE(an_empty_object_is_kept),
      CLOAKROOM_SUITE_CASE(one_byte_is_kept),
      CLOAKROOM_SUITE_CASE(five_mebibytes_and_three_are_kept),
      CLOAKROOM_SUITE_CASE(a_part_of_a_file_is_stored_without_its_surroundings),
      CLOAKROOM_SUITE_CASE(a_whole_named_file_is_stored_and_left_in_place),
      CLOAKROOM_SUITE_CASE(a_range_is_answered_exactly),
      CLOAKROOM_SUITE_CASE(an_absent_object_is_not_found),
      CLOAKROOM_SUITE_CASE(an_object_can_be_removed_twice_and_is_gone),
      CLOAKROOM_SUITE_CASE(odd_characters_in_keys_name_different_objects),
      CLOAKROOM_SUITE_CASE(a_repeated_put_ends_in_the_same_state),
      CLOAKROOM_SUITE_CASE(the_content_type_comes_back_where_it_is_kept),
      CLOAKROOM_SUITE_CASE(a_range_longer_than_its_file_is_refused),
      CLOAKROOM_SUITE_CASE(an_error_of_the_sink_ends_the_read_and_is_returned),
      CLOAKROOM_SUITE_CASE(a_copy_has_the_bytes_and_its_own_type_and_stays_when_the_source_goes),
      CLOAKROOM_SUITE_CASE(a_copy_replaces_what_was_there_and_no_later_put_to_its_source_changes_it),
      CLOAKROOM_SUITE_CASE(copies_go_between_keys_with_odd_characters_and_of_empty_objects),
      CLOAKROOM_SUITE_CASE(a_copy_of_nothing_is_not_found_and_makes_nothing),
      CLOAKROOM_SUITE_CASE(a_store_that_works_says_ready_and_can_be_prepared_again),
      CLOAKROOM_SUITE_CASE(many_objects_are_removed_at_once_and_others_stay),
  };
  tests.insert(tests.end(), more.begin(), more.end());
  return _cmocka_run_group_tests(group, tests.data(), tests.size(), nullptr, nullptr);
}

}  // namespace cloakroom::suite
