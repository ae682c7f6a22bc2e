// purge_tombstone_test.cc — no way back first, then the objects, then the tombstone, whatever fails in between.
#include "jobs/purge_tombstone.h"

#include <algorithm>
#include <string>

#include "check.h"

using namespace cloakroom;

namespace {

const std::string kFirst = "0198c0de-0000-7000-8000-000000000001", kSecond = "0198c0de-0000-7000-8000-000000000002";

struct FakeTombstones : Tombstones {
  std::vector<BuriedObject> objects;
  std::vector<std::string> steps;
  bool is_away = false;

  Result<std::vector<Tombstone>> list(std::size_t) override { return std::vector<Tombstone>(); }
  Result<std::vector<BuriedObject>> objects_of(const Uuid&) override { return objects; }
  Result<Restored> restore(const Uuid&) override { return Restored::kAbsent; }
  Result<std::vector<BuriedObject>> begin_purge(std::span<const Uuid> ids) override {
    if (is_away) return Error{Errc::kDatabase, "away", {}, true};
    steps.push_back("begin " + std::to_string(ids.size()));
    std::vector<BuriedObject> found;
    for (const BuriedObject& o : objects) {
      if (std::find(ids.begin(), ids.end(), o.tombstone) != ids.end()) found.push_back(o);
    }
    return found;
  }
  Status forget(std::span<const Uuid> ids) override {
    for (const Uuid& id : ids) steps.push_back("forget " + to_string(id));
    return Ok{};
  }
};

// Knows what it was asked to remove, and what it refuses.
struct FakeStore : BlobStore {
  explicit FakeStore(FakeTombstones& told) : tombstones(told) {}
  FakeTombstones& tombstones;
  std::string failing;
  StoreKind kind() const override { return StoreKind::kLocal; }
  Status prepare() override { return Ok{}; }
  Status ready() override { return Ok{}; }
  Result<Sha256Digest> put(const ObjectKey&, const FileRange&, const ObjectMeta&) override { return Error{}; }
  Result<ObjectInfo> head(const ObjectKey&) override { return Error{}; }
  Status get(const ObjectKey&, const ByteRange&, ByteSink&) override { return Error{}; }
  Status copy(const ObjectKey&, const ObjectKey&, const ObjectMeta&) override { return Error{}; }
  Status remove(const ObjectKey& key) override {
    tombstones.steps.push_back("remove " + key.str());
    return key.str() == failing ? Status(Error{Errc::kStore, "failing", {}, true}) : Status(Ok{});
  }
};

Job job(const std::string& id) {
  return {.id = 1, .kind = "purge_tombstone", .payload = R"({"id": ")" + id + R"(", "key": "x"})", .attempts = 1};
}

struct World {
  FakeTombstones tombstones;
  FakeStore store{tombstones};
  World() {
    tombstones.objects = {{CHECK_OK(parse_uuid(kFirst)), StoreKind::kLocal, "a"},
                          {CHECK_OK(parse_uuid(kFirst)), StoreKind::kLocal, "a-thumb"},
                          {CHECK_OK(parse_uuid(kSecond)), StoreKind::kLocal, "b"}};
  }
  std::vector<Status> run(const std::vector<Job>& jobs) {
    return purge_tombstones_handler(tombstones,
                                    [&](StoreKind kind) { return kind == StoreKind::kLocal ? &store : nullptr; })(jobs);
  }
  using Steps = std::vector<std::string>;
};

void the_tombstone_goes_after_its_objects() {
  World w;
  const auto outcomes = w.run({job(kFirst), job(kSecond)});
  CHECK(outcomes[0] && outcomes[1]);
  CHECK((w.tombstones.steps ==
         World::Steps{"begin 2", "remove a", "remove a-thumb", "remove b", "forget " + kFirst, "forget " + kSecond}));
}

void a_tombstone_stays_while_one_of_its_objects_does() {
  World w;
  w.store.failing = "a-thumb";
  const auto outcomes = w.run({job(kFirst), job(kSecond)});
  CHECK(!outcomes[0] && outcomes[0].error().retryable && outcomes[1]);
  CHECK_EQ(w.tombstones.steps.back(), "forget " + kSecond);
  CHECK_EQ(std::count(w.tombstones.steps.begin(), w.tombstones.steps.end(), "forget " + kFirst), 0);
}

void one_that_was_restored_has_no_objects_and_is_done() {
  World w;
  w.tombstones.objects.clear();
  CHECK(w.run({job(kFirst)})[0]);
  CHECK((w.tombstones.steps == World::Steps{"begin 1", "forget " + kFirst}));
}

void without_the_database_nothing_is_removed() {
  World w;
  w.tombstones.is_away = true;
  const auto outcomes = w.run({job(kFirst), job(kSecond)});
  CHECK(!outcomes[0] && !outcomes[1] && outcomes[0].error().retryable);
  CHECK(w.tombstones.steps.empty());
}

void a_bad_payload_or_an_absent_store_is_an_error_without_the_key() {
  World w;
  w.tombstones.objects = {{CHECK_OK(parse_uuid(kFirst)), StoreKind::kS3, "secret"},
                          {CHECK_OK(parse_uuid(kSecond)), StoreKind::kLocal, "../secret"}};
  Job bad = job(kFirst);
  bad.payload = R"({"id": "secret"})";
  for (const Status& one : w.run({job(kFirst), job(kSecond), bad})) {
    CHECK(!one && one.error().code == Errc::kInternal && one.error().detail.find("secret") == std::string::npos);
  }
  CHECK((w.tombstones.steps == World::Steps{"begin 2"}));
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(the_tombstone_goes_after_its_objects),
      CASE(a_tombstone_stays_while_one_of_its_objects_does),
      CASE(one_that_was_restored_has_no_objects_and_is_done),
      CASE(without_the_database_nothing_is_removed),
      CASE(a_bad_payload_or_an_absent_store_is_an_error_without_the_key),
  };
  return RUN_TESTS("purge_tombstone", tests);
}
