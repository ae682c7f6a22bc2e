// proxy_cache_test.cc — names in nginx's cache: as nginx 1.22 made them.
#include "domain/proxy_cache.h"

#include "check.h"

using namespace cloakroom;

static void a_key_is_the_object_s_and_never_holds_what_a_header_or_a_slice_could_mistake() {
  CHECK_EQ(cache_key({"chat", StoreKind::kS3, "3f/0198"}), "chat/3f/0198");
  CHECK_EQ(cache_key({"chat", StoreKind::kS3, "a b/\xC3\xA4=1"}), "chat/a%20b/%C3%A4%3D1");
}

// Two stores may hold objects of one key, and two instances may share a cache.
static void objects_of_two_stores_are_two_copies() {
  const std::string second = cache_key({"chat", StoreKind::kS3Secondary, "3f/0198"});
  CHECK_EQ(second, "chat@s3-secondary/3f/0198");
  CHECK(second != cache_key({"chat", StoreKind::kS3, "3f/0198"}));
  CHECK(CHECK_OK(cache_file({"chat", StoreKind::kS3Secondary, "3f/0198"}, 5, 0)) !=
        CHECK_OK(cache_file({"chat", StoreKind::kS3, "3f/0198"}, 5, 0)));
}

// printf %s chat/3f/0198 | md5sum, and the two folders from its end
static void a_file_lies_in_folders_named_by_the_end_of_its_md5() {
  CHECK_EQ(CHECK_OK(cache_file({"chat", StoreKind::kS3, "3f/0198"}, 5, 0)), "6/75/22e969f9c8c1f130d904e063920fd756");
  CHECK_EQ(CHECK_OK(cache_file({"chat", StoreKind::kS3, "3f/0198"}, 17ULL << 20, 1)),
           "c/3c/c343791c4bcba96b365fac0a3dd1d3cc");
}

static void there_is_a_file_for_the_whole_or_one_for_each_slice() {
  CHECK_EQ(cache_file_count(0), 1u);
  CHECK_EQ(cache_file_count(16ULL << 20), 1u);
  CHECK_EQ(cache_file_count((16ULL << 20) + 1), 5u);
  CHECK_EQ(cache_file_count(20ULL << 20), 5u);
  CHECK_EQ(cache_file_count((20ULL << 20) + 1), 6u);
  CHECK(!is_sliced(kSlicedFromBytes) && is_sliced(kSlicedFromBytes + 1));
}

int main() {
  const CMUnitTest tests[] = {
      CASE(a_key_is_the_object_s_and_never_holds_what_a_header_or_a_slice_could_mistake),
      CASE(objects_of_two_stores_are_two_copies),
      CASE(a_file_lies_in_folders_named_by_the_end_of_its_md5),
      CASE(there_is_a_file_for_the_whole_or_one_for_each_slice),
  };
  return RUN_TESTS("proxy_cache", tests);
}
