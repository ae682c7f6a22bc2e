// lease_test.cc — what is taken from a budget in advance: how much, for how long, and given up when.
#include "domain/lease.h"

#include "check.h"

using namespace cloakroom;

namespace {

const RateSet kNone;
const Spenders kAlice{{"u:alice", &kNone}, {"a:1", &kNone}}, kElsewhere{{"u:alice", &kNone}, {"a:2", &kNone}};
const Leases::Time kNow{};

}  // namespace

static void nothing_is_there_before_it_was_taken() {
  Leases leases;
  CHECK(!leases.use(kAlice, kNow));
  CHECK_EQ(leases.wish(kAlice, kNow), 1u);
  leases.grant(kAlice, 1, 6400, kNow);
  CHECK(!leases.use(kAlice, kNow));  // the one taken was for the request in hand
}

static void the_share_is_a_64th_of_what_is_left_from_1_to_32() {
  Leases leases;
  for (const auto& [left, share] : {std::pair(0, 1u), std::pair(127, 1u), std::pair(128, 2u), std::pair(2047, 31u),
                                    std::pair(2048, 32u), std::pair(1000000, 32u)}) {
    leases.grant(kAlice, 1, left, kNow);
    CHECK_EQ(leases.wish(kAlice, kNow), share);
  }
}

static void what_was_taken_is_used_once_and_by_its_owner() {
  Leases leases;
  leases.grant(kAlice, 3, 6400, kNow);
  CHECK(!leases.use(kElsewhere, kNow));
  CHECK(leases.use(kAlice, kNow));
  CHECK(leases.use(kAlice, kNow));
  CHECK(!leases.use(kAlice, kNow));
}

static void it_ends_with_time_and_when_it_is_dropped() {
  Leases leases;
  leases.grant(kAlice, 3, 6400, kNow);
  CHECK(leases.use(kAlice, kNow + kLeaseLife - std::chrono::milliseconds(1)));
  CHECK(!leases.use(kAlice, kNow + kLeaseLife));
  CHECK_EQ(leases.wish(kAlice, kNow + kLeaseLife), 1u);  // what was left then says nothing about now
  leases.grant(kAlice, 3, 6400, kNow);
  leases.drop(kAlice);
  CHECK(!leases.use(kAlice, kNow));
  CHECK_EQ(leases.wish(kAlice, kNow), 1u);
}

static void their_number_is_bounded() {
  Leases leases;
  for (std::size_t i = 0; i < kMostLeases; ++i) leases.grant({{"u:" + std::to_string(i), &kNone}}, 2, 6400, kNow);
  leases.grant(kAlice, 2, 6400, kNow);
  CHECK(!leases.use({{"u:0", &kNone}}, kNow));
  CHECK(leases.use(kAlice, kNow));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(nothing_is_there_before_it_was_taken),
      CASE(the_share_is_a_64th_of_what_is_left_from_1_to_32),
      CASE(what_was_taken_is_used_once_and_by_its_owner),
      CASE(it_ends_with_time_and_when_it_is_dropped),
      CASE(their_number_is_bounded),
  };
  return RUN_TESTS("lease", tests);
}
