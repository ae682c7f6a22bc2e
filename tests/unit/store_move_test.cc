// store_move_test.cc — the move of a whole store: its order, resuming, who comes in between, where it stops.
#include "domain/store_move.h"

#include <fmt/core.h>
#include <sys/mman.h>

#include <algorithm>

#include "base/pace.h"
#include "check.h"
#include "fake/clock.h"
#include "fake/failures.h"
#include "fake/store.h"

using namespace cloakroom;

namespace {

UniqueFd memory_file(std::string_view bytes = "") {
  UniqueFd fd(::memfd_create("move", MFD_CLOEXEC));
  CHECK_OK(write_all(fd.get(), std::as_bytes(std::span(bytes))));
  return fd;
}

// The rules of sql/: one row an object, a ticket that must be there, a plan that calls deletions off.
struct FakeMoveRows final : MoveRows {
  explicit FakeMoveRows(fake::Journal* journal) : failures(journal) {}

  fake::Failures failures;
  std::vector<MovableObject> objects;
  std::map<std::int64_t, std::string> tickets;  // keys in the target
  std::map<std::string, std::string> left;      // source key -> row's key
  std::vector<std::string> begun;               // keys in the target that somebody may be deleting
  std::int64_t last_ticket = 0;
  std::chrono::seconds longest_life{};

  Result<std::vector<MovableObject>> next(const MoveShare& share, const std::string& after, std::size_t most) override {
    TRY(failures.enter("next"));
    std::vector<MovableObject> page;
    for (const MovableObject& one : objects) {
      if (one.variant.has_value() != (share.rows == MovableRows::kVariants)) continue;
      if (one.file.store == share.store && one.file.key > after) page.push_back(one);
    }
    std::sort(page.begin(), page.end(), [](const auto& a, const auto& b) { return a.file.key < b.file.key; });
    if (page.size() > most) page.erase(page.begin() + static_cast<std::ptrdiff_t>(most), page.end());
    return page;
  }
  Result<std::vector<PlannedMove>> plan(StoreKind, std::span<const MoveNames> names,
                                        std::chrono::seconds life) override {
    TRY(failures.enter("plan"));
    longest_life = std::max(longest_life, life);
    std::vector<PlannedMove> plans;
    for (const MoveNames& one : names) {
      const std::string& key = one.wanted.str();
      const bool was_planned =
          std::erase_if(tickets, [&](const auto& ticket) { return ticket.second == key; }) + left.erase(key) > 0;
      const bool is_begun = std::find(begun.begin(), begun.end(), key) != begun.end();
      const ObjectKey& to = is_begun ? one.other : one.wanted;
      tickets[++last_ticket] = to.str();
      plans.push_back({to, {last_ticket}, was_planned && !is_begun});
    }
    return plans;
  }
  Status switch_object(const MoveSwitch& change) override {
    TRY(failures.enter("switch"));
    const auto ticket = tickets.find(change.ticket.id);
    MovableObject* const row = find(change.object);
    if (ticket == tickets.end() || row == nullptr) return Error{Errc::kConflict, "changed"};
    tickets.erase(ticket);
    left[row->file.key] = change.to_key;
    row->file.store = change.to;
    row->file.key = change.to_key;
    return Ok{};
  }
  Result<bool> is_unchanged(const MovableObject& object) override {
    TRY(failures.enter("is_unchanged"));
    return find(object) != nullptr;
  }
  Status give_up(DeletionTicket ticket) override {
    TRY(failures.enter("give_up"));
    given_up.push_back(ticket.id);
    return Ok{};
  }
  Result<MoveCounts> count(StoreKind) override { return MoveCounts{}; }
  Result<std::vector<WaitingSources>> waiting() override { return std::vector<WaitingSources>{}; }

  MovableObject* find(const MovableObject& object) {
    for (MovableObject& one : objects) {
      if (one.file.id == object.file.id && one.variant == object.variant && one.file.key == object.file.key &&
          one.file.store == object.file.store) {
        return &one;
      }
    }
    return nullptr;
  }
  std::vector<std::int64_t> given_up;
};

// Something else happens before a put, and the store may keep other bytes than it was sent.
struct Target final : BlobStore {
  fake::FakeStore inner;
  std::function<void()> before_put = [] {};
  bool damages = false;
  explicit Target(fake::Journal* journal) : inner(StoreKind::kS3, journal) {}
  StoreKind kind() const override { return StoreKind::kS3; }
  Status prepare() override { return inner.prepare(); }
  Status ready() override { return inner.ready(); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override {
    before_put();
    auto digest = inner.put(key, bytes, meta);
    if (damages && digest) {
      std::string other(bytes.size, 'x');
      const UniqueFd file = memory_file(other);
      TRY(inner.memory.put(key, {file.get(), 0, bytes.size, {}}, meta));
    }
    return digest;
  }
  Result<ObjectInfo> head(const ObjectKey& key) override { return inner.head(key); }
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override {
    return inner.get(key, range, sink);
  }
  Status remove(const ObjectKey& key) override { return inner.remove(key); }
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override {
    return inner.copy(from, to, meta);
  }
};

// A key as make_key() makes them; their order is that of the numbers.
std::string own(unsigned number) {
  const std::string hex = fmt::format("{:032x}", number);
  return "pre/" + hex.substr(30) + "/" + hex;
}
const std::string kFirst = own(1), kSecond = own(2);

struct World {
  fake::Journal journal;
  FakeMoveRows rows{&journal};
  fake::FakeStore source{StoreKind::kLocal};
  Target target{&journal};
  fake::FixedClock clock;
  bool stop = false;
  std::uint64_t paced = 0;
  std::map<Moved, int> moved;
  StoreMoveRules rules{.keys = {"pre/", KeyNaming::kFanout},
                       .copy = {.object_cache_control = "public",
                                .stored_headers = [](const Attachment& a) -> StoredHeaders {
                                  return {a.mime_type, {}};
                                },
                                .proof = Proof::kHash},
                       .grace = std::chrono::seconds(60),
                       .ticket_life = std::chrono::seconds(3600),
                       .is_stop_asked = [this] { return stop; },
                       .pace = [this](std::size_t bytes) -> Status {
                         paced += bytes;
                         return Ok{};
                       },
                       .moved = [this](const MovableObject&, Moved how) { ++moved[how]; }};

  MovableObject& add(const std::string& key, const std::string& bytes, bool is_variant = false) {
    Attachment a;
    a.id = make_uuid7(clock.now());
    a.filename = "a.txt";
    a.mime_type = "text/plain";
    a.size_bytes = bytes.size();
    a.sha256 = sha256(bytes);
    a.key = key;
    put(key, bytes);
    MovableObject object{a};
    if (is_variant) object.variant = VariantId{a.id, "thumb", VariantFormat::kWebp};
    rows.objects.push_back(object);
    return rows.objects.back();
  }
  void put(const std::string& key, const std::string& bytes) {
    const UniqueFd file = memory_file(bytes);
    CHECK_OK(source.memory.put(CHECK_OK(ObjectKey::parse(key)), {file.get(), 0, bytes.size(), {}}, {}));
  }
  StoreMove make() {
    return StoreMove({rows, source, target, {}, []() -> Result<UniqueFd> { return memory_file(); }, clock}, rules);
  }
  Result<StoreMove::End> run() { return make().run(); }
  const MovableObject& row(std::size_t i = 0) const { return rows.objects.at(i); }
  bool is_moved(std::size_t i = 0) const {
    const Attachment& a = row(i).file;
    const auto& objects = target.inner.memory.objects();
    const auto found = objects.find(a.key);
    return a.store == StoreKind::kS3 && found != objects.end() &&
           sha256({reinterpret_cast<const char*>(found->second.bytes.data()), found->second.bytes.size()}) == a.sha256;
  }
};

}  // namespace

static void the_ticket_comes_first_and_the_row_last() {
  World w;
  w.add(kFirst, "bytes");
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  const fake::Journal wanted{"next", "plan", "put", "head", "get", "switch", "next", "next", "next", "next"};
  CHECK(w.journal == wanted);
  CHECK(w.is_moved() && w.row().file.key == kFirst);  // the key stays
  CHECK_EQ(w.paced, 10u);                             // read, and read back
  const auto& meta = w.target.inner.memory.objects().at(kFirst).meta;
  CHECK(meta.content_type == "text/plain" && meta.cache_control == "public");
  CHECK(w.rows.tickets.empty() && w.rows.left.at(kFirst) == kFirst);
  CHECK(w.source.memory.objects().contains(kFirst));  // for those who have just read the row
}

static void files_and_variants_of_any_number_and_size_move() {
  World w;
  for (unsigned i = 0; i < 100; ++i) w.add(own(i), std::string(i, 'b'));
  w.add(own(200), "variant", true);
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  for (std::size_t i = 0; i < w.rows.objects.size(); ++i) CHECK(w.is_moved(i));
  CHECK_EQ(w.moved[Moved::kCopied], 101);
}

static void what_comes_to_the_source_meanwhile_moves_too() {
  World w;
  w.add(kSecond, "bytes");
  bool once = true;
  w.target.before_put = [&] {
    if (std::exchange(once, false)) w.add(kFirst, "behind the walk");
  };
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved(0) && w.is_moved(1));
}

static void a_copy_that_is_there_is_proved_and_not_made_again() {
  World w;
  w.add(kFirst, "bytes");
  w.rows.failures.fail(3, {Errc::kDatabase, "away", {}, true});  // switch
  CHECK_ERR(w.run(), Errc::kDatabase);
  CHECK(!w.is_moved() && w.rows.tickets.size() == 1);
  w.journal.clear();
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved() && w.moved[Moved::kWasThere] == 1);
  CHECK(std::find(w.journal.begin(), w.journal.end(), "put") == w.journal.end());
}

static void a_damaged_copy_of_an_earlier_try_is_made_again() {
  World w;
  w.add(kFirst, "bytes");
  w.rows.failures.fail(3, {Errc::kDatabase, "away", {}, true});
  CHECK_ERR(w.run(), Errc::kDatabase);
  const UniqueFd other = memory_file("bytez");
  CHECK_OK(w.target.inner.memory.put(CHECK_OK(ObjectKey::parse(kFirst)), {other.get(), 0, 5, {}}, {}));
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved() && w.moved[Moved::kCopied] == 1);
}

static void a_key_that_somebody_may_be_deleting_is_not_used() {
  World w;
  w.add(kFirst, "bytes");
  w.rows.begun = {kFirst};
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved() && w.row().file.key.starts_with("pre/"));
  CHECK(!w.target.inner.memory.objects().contains(kFirst));
}

static void an_adopted_file_gets_a_key_that_no_stranger_has_in_the_target() {
  World w;
  for (const char* name : {"uploads/a.txt", "01/00000000000000000000000000000001", "pre/.x"}) {
    w.add(name, "adopted");
    const UniqueFd other = memory_file("of a stranger");
    CHECK_OK(w.target.inner.memory.put(CHECK_OK(ObjectKey::parse(name)), {other.get(), 0, 13, {}}, {}));
  }
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  for (std::size_t i = 0; i < w.rows.objects.size(); ++i) {
    CHECK(w.is_moved(i) && is_own_key("pre/", w.row(i).file.key));
  }
  for (const auto& [left, now] : w.rows.left) CHECK_EQ(w.target.inner.memory.objects().at(left).bytes.size(), 13u);
}

static void source_bytes_that_are_not_what_the_row_says_stop_it() {
  for (const char* found : {"bytez", "byte", "bytes and more"}) {
    World w;
    w.add(kFirst, "bytes");
    w.add(kSecond, "others");
    w.put(kFirst, found);
    StoreMove move = w.make();
    CHECK(CHECK_OK(move.run()) == StoreMove::End::kDifference);
    CHECK(move.difference().attachment_id == w.row().file.id && !move.difference().what.empty());
    CHECK(w.target.inner.memory.objects().empty());  // nothing wrong was ever sent
    CHECK(!w.is_moved(0) && !w.is_moved(1));
  }
}

static void a_source_on_a_disk_is_compared_too() {
  for (const char* found : {"bytez", "byte", "bytes and more"}) {
    World w;
    w.add(kFirst, "bytes");
    StoreMove::Parts parts{w.rows, w.source, w.target, {}, [] { return Result<UniqueFd>(memory_file()); }, w.clock};
    parts.open_source = [&](const ObjectKey&) { return Result<UniqueFd>(memory_file(found)); };
    CHECK(CHECK_OK(StoreMove(parts, w.rules).run()) == StoreMove::End::kDifference);
    parts.open_source = [&](const ObjectKey&) { return Result<UniqueFd>(memory_file("bytes")); };
    CHECK(CHECK_OK(StoreMove(parts, w.rules).run()) == StoreMove::End::kFinished);
    CHECK(w.is_moved());
  }
}

static void lost_source_bytes_stop_it_and_name_the_variant() {
  World w;
  w.add(kFirst, "variant", true);
  CHECK_OK(w.source.memory.remove(CHECK_OK(ObjectKey::parse(kFirst))));
  StoreMove move = w.make();
  CHECK(CHECK_OK(move.run()) == StoreMove::End::kDifference);
  CHECK_EQ(move.difference().variant, "thumb/webp");
}

static void a_target_that_gives_back_other_bytes_stops_it() {
  World w;
  w.add(kFirst, "bytes");
  w.target.damages = true;
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kDifference);
  CHECK(!w.is_moved() && w.row().file.store == StoreKind::kLocal);
  CHECK_EQ(w.rows.tickets.size(), 1u);  // the copy goes
  World believing;                      // --verify=size does not see it: that is what it means
  believing.add(kFirst, "bytes");
  believing.target.damages = true;
  believing.rules.copy.proof = Proof::kSize;
  CHECK(CHECK_OK(believing.run()) == StoreMove::End::kFinished);
}

static void a_row_that_went_meanwhile_is_explained() {
  World w;
  w.add(kFirst, "bytes");
  w.add(kSecond, "others");
  bool once = true;
  w.target.before_put = [&] {
    if (std::exchange(once, false)) w.rows.objects.erase(w.rows.objects.begin());
  };
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved(0) && w.moved[Moved::kGone] == 1 && w.moved[Moved::kCopied] == 1);
  CHECK_EQ(w.rows.given_up.size(), 1u);
  World lost;  // its bytes went before its row was looked at again
  lost.add(kFirst, "bytes");
  CHECK_OK(lost.source.memory.remove(CHECK_OK(ObjectKey::parse(kFirst))));
  lost.rows.failures.fail(99, {});
  StoreMove::Parts parts{lost.rows, lost.source, lost.target, {}, [] { return Result<UniqueFd>(memory_file()); },
                         lost.clock};
  parts.open_source = [&](const ObjectKey&) -> Result<UniqueFd> {
    lost.rows.objects.clear();
    return Error{Errc::kNotFound, "no such file"};
  };
  CHECK(CHECK_OK(StoreMove(parts, lost.rules).run()) == StoreMove::End::kFinished);
  CHECK_EQ(lost.moved[Moved::kGone], 1);
}

static void a_ticket_that_another_run_took_ends_this_one() {
  World w;
  w.add(kFirst, "bytes");
  w.target.before_put = [&] { w.rows.tickets.clear(); };
  CHECK_ERR(w.run(), Errc::kNotYet);
  CHECK(!w.is_moved() && w.rows.given_up.empty());
}

static void outages_are_told_and_change_nothing() {
  for (std::size_t nth = 1; nth <= 3; ++nth) {  // next, plan, switch
    World w;
    w.add(kFirst, "bytes");
    w.rows.failures.fail(nth, {Errc::kDatabase, "away", {}, true});
    CHECK_ERR(w.run(), Errc::kDatabase);
    CHECK(!w.is_moved());
    CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
    CHECK(w.is_moved());
  }
  for (std::size_t nth = 1; nth <= 3; ++nth) {  // put, head, get
    World w;
    w.add(kFirst, "bytes");
    w.target.inner.failures.fail(nth, {Errc::kStore, "away", {}, true});
    CHECK_ERR(w.run(), Errc::kStore);
    CHECK(!w.is_moved() && w.rows.tickets.size() == 1);
    CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
    CHECK(w.is_moved());
  }
}

static void a_ticket_lives_as_long_as_the_rate_needs() {
  World w;
  w.add(kFirst, std::string(1000, 'b'));
  w.rules.bytes_per_second = 10;
  w.rules.parts = 4;
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.rows.longest_life == w.rules.ticket_life + std::chrono::seconds(3 * 1000 / 10 * 4));
}

static void a_stop_finishes_the_file_in_hand() {
  World w;
  w.add(kFirst, "bytes");
  w.add(kSecond, "others");
  w.target.before_put = [&] { w.stop = true; };
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kStopped);
  CHECK(w.is_moved(0) && !w.is_moved(1));
  w.stop = false;
  w.target.before_put = [] {};
  CHECK(CHECK_OK(w.run()) == StoreMove::End::kFinished);
  CHECK(w.is_moved(1));
}

static void processes_at_one_pace_share_the_rate() {
  PaceBoard board;
  std::int64_t now = 5'000'000, slept = 0;
  const PaceTools tools{[&] { return now; },
                        [&](std::chrono::milliseconds time) {
                          slept += time.count();
                          now += time.count() * 1000;
                        }};
  Pace one(board, 1000, tools), two(board, 1000, tools), free(board, 0, tools);
  CHECK_OK(one.take(500, {}));
  CHECK_OK(two.take(500, {}));
  CHECK(slept >= 970 && slept <= 1010);
  CHECK_OK(free.take(1 << 30, {}));
  now += 10'000'000;  // idle time is not made good
  slept = 0;
  CHECK_OK(one.take(1000, {}));
  CHECK_OK(two.take(1000, {}));
  CHECK(slept >= 1970 && slept <= 2010);
  CHECK_ERR(one.take(1000, [] { return true; }), Errc::kUnavailable);
}

int main() {
  const CMUnitTest tests[] = {
      CASE(the_ticket_comes_first_and_the_row_last),
      CASE(files_and_variants_of_any_number_and_size_move),
      CASE(what_comes_to_the_source_meanwhile_moves_too),
      CASE(a_copy_that_is_there_is_proved_and_not_made_again),
      CASE(a_damaged_copy_of_an_earlier_try_is_made_again),
      CASE(a_key_that_somebody_may_be_deleting_is_not_used),
      CASE(an_adopted_file_gets_a_key_that_no_stranger_has_in_the_target),
      CASE(source_bytes_that_are_not_what_the_row_says_stop_it),
      CASE(a_source_on_a_disk_is_compared_too),
      CASE(lost_source_bytes_stop_it_and_name_the_variant),
      CASE(a_target_that_gives_back_other_bytes_stops_it),
      CASE(a_row_that_went_meanwhile_is_explained),
      CASE(a_ticket_that_another_run_took_ends_this_one),
      CASE(outages_are_told_and_change_nothing),
      CASE(a_ticket_lives_as_long_as_the_rate_needs),
      CASE(a_stop_finishes_the_file_in_hand),
      CASE(processes_at_one_pace_share_the_rate),
  };
  return cmocka_run_group_tests_name("store_move", tests, nullptr, nullptr);
}
