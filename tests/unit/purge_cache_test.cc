// purge_cache_test.cc — which files leave nginx's cache, when, and what happens when they cannot.
#include "jobs/purge_cache.h"

#include <string>
#include <vector>

#include "check.h"
#include "domain/proxy_cache.h"
#include "fake/temp_folder.h"

using namespace cloakroom;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t kLarge = (17ULL << 20) + 1;

struct FakeDeletions : Deletions {
  struct One {
    DeletionMark at;
    std::string key;
    std::uint64_t size_bytes;
    StoreKind store = StoreKind::kS3;
  };
  std::vector<One> list;
  std::vector<DeletionMark> asked;
  DeletionMark now = 100;
  std::function<void()> reading = [] {};
  bool away = false;
  int forgets = 0;

  Result<DeletionMark> mark() override {
    if (away) return Error{Errc::kDatabase, "away"};
    return now;
  }
  Status since(DeletionMark mark, const std::function<void(const DeletedObject&)>& take) override {
    asked.push_back(mark);
    reading();
    for (const One& one : list) {
      if (one.at >= mark) take({one.store, one.key, one.size_bytes});
    }
    return Ok{};
  }
  Status forget(std::chrono::hours) override {
    ++forgets;
    return Ok{};
  }
};

struct World {
  fake::TempFolder folder;
  FakeDeletions deletions;
  std::chrono::steady_clock::time_point now{1h};
  CachePurger purger{deletions, {folder.path(), "chat", [this] { return now; }}};

  // A copy as nginx would lay it down.
  std::string copy(std::string_view key, std::uint64_t size_bytes = 5, std::uint64_t number = 0,
                   StoreKind store = StoreKind::kS3) {
    const std::string name = CHECK_OK(cache_file({"chat", store, key}, size_bytes, number));
    std::filesystem::create_directories(folder / name.substr(0, 4));
    return folder.write(name, "bytes");
  }
  void gone(std::string key, std::uint64_t size_bytes = 5) {
    deletions.list.push_back({deletions.now++, std::move(key), size_bytes});
  }
};

bool exists(const std::string& path) {
  return std::filesystem::exists(path);
}

}  // namespace

static void the_first_call_purges_all_that_was_ever_deleted_and_nothing_else() {
  World w;
  const std::string small = w.copy("a"), kept = w.copy("b");
  const std::string first = w.copy("c", kLarge, 0), last = w.copy("c", kLarge, 4);
  w.gone("a");
  w.gone("c", kLarge);
  w.gone("never cached");
  w.purger.purge();
  CHECK(!exists(small) && !exists(first) && !exists(last));
  CHECK(exists(kept));
  CHECK_EQ(w.deletions.asked.front(), 0u);
}

static void an_object_leaves_with_the_copies_of_its_own_store_alone() {
  World w;
  const std::string first = w.copy("a"), second = w.copy("a", 5, 0, StoreKind::kS3Secondary);
  w.deletions.list.push_back({w.deletions.now++, "a", 5, StoreKind::kS3Secondary});
  w.purger.purge();
  CHECK(exists(first) && !exists(second));
}

static void later_calls_look_at_what_is_new() {
  World w;
  w.gone("old");
  w.purger.purge();
  const std::string copy = w.copy("new");
  w.gone("new");
  w.purger.purge();
  CHECK(!exists(copy));
  CHECK(w.deletions.asked == (std::vector<DeletionMark>{0, 101}));
  CHECK_EQ(w.deletions.forgets, 1);
}

static void what_was_being_fetched_during_the_deletion_goes_some_minutes_later() {
  World w;
  w.purger.purge();
  w.gone("a");
  w.purger.purge();
  const std::string late = w.copy("a");  // nginx finished its fetch
  w.now += 4min;
  w.purger.purge();
  CHECK(exists(late));
  w.now += 1min;
  w.purger.purge();
  CHECK(!exists(late));
  // also one that was deleted just before such a second look
  w.gone("b");
  w.purger.purge();
  w.now += 5min;
  w.purger.purge();
  const std::string later = w.copy("b");
  w.now += 5min;
  w.purger.purge();
  CHECK(!exists(later));
  // and then it is over: not every deletion of all times
  w.now += 5min;
  w.purger.purge();
  CHECK(w.deletions.asked.back() > 101);
}

static void while_the_database_is_away_nothing_is_lost() {
  World w;
  w.purger.purge();
  const std::string copy = w.copy("a");
  w.gone("a");
  w.deletions.away = true;
  w.purger.purge();
  CHECK(exists(copy));
  w.deletions.away = false;
  w.purger.purge();
  CHECK(!exists(copy));
}

static void a_copy_that_cannot_be_removed_does_not_stop_the_others() {
  World w;
  std::filesystem::create_directories(
      w.folder / CHECK_OK(cache_file({"chat", StoreKind::kS3, "stuck"}, 5, 0)));  // a folder: unlink refuses it
  const std::string copy = w.copy("a");
  w.gone("stuck");
  w.gone("a");
  w.purger.purge();
  CHECK(!exists(copy));
}

static void a_host_without_nginx_is_left_alone() {
  World w;
  CachePurger elsewhere(w.deletions, {w.folder / "missing", "chat", [] { return std::chrono::steady_clock::now(); }});
  w.gone("a");
  elsewhere.purge();
  CHECK(w.deletions.asked.empty());
  CHECK_EQ(w.deletions.forgets, 1);
}

static void after_a_mass_deletion_the_jobs_come_first() {
  World w;
  for (int i = 0; i < 10001; ++i) w.gone("k" + std::to_string(i));
  w.deletions.reading = [&] { w.now += 2s; };
  w.purger.purge();
  w.now += 19s;
  w.purger.purge();
  CHECK_EQ(w.deletions.asked.size(), 1u);
  w.now += 1s;
  for (int i = 0; i < 3; ++i) w.purger.purge();  // short looks need no rest, even where the database is slow
  CHECK_EQ(w.deletions.asked.size(), 4u);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_first_call_purges_all_that_was_ever_deleted_and_nothing_else),
      CASE(an_object_leaves_with_the_copies_of_its_own_store_alone),
      CASE(later_calls_look_at_what_is_new),
      CASE(what_was_being_fetched_during_the_deletion_goes_some_minutes_later),
      CASE(while_the_database_is_away_nothing_is_lost),
      CASE(a_copy_that_cannot_be_removed_does_not_stop_the_others),
      CASE(a_host_without_nginx_is_left_alone),
      CASE(after_a_mass_deletion_the_jobs_come_first),
  };
  return RUN_TESTS("purge_cache", tests);
}
