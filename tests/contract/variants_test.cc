// variants_test.cc — the port VariantRows on a real PostgreSQL: the commit point, the lock, and deletion by whatever
// way.
#include "db/variants.h"

#include <algorithm>

#include "database.h"
#include "domain/pictures.h"

namespace {

using namespace db;
using std::chrono::seconds;

struct World : Emptied {
  PgVariants variants{database};
  World() { CHECK_OK(database.run_script("TRUNCATE cache_purges")); }

  Attachment picture() {
    Attachment a = upload();
    a.mime_type = "image/jpeg";
    return put(rows, a);
  }
  DeletionTicket ticket(const Variant& v) {
    const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(v.key))};
    return CHECK_OK(rows.plan_deletions(v.store, keys, seconds(600))).front();
  }
  Variant made(const Attachment& a, const std::string& name = "thumb", StoreKind store = StoreKind::kLocal) {
    Variant v;
    v.id = {a.id, name, VariantFormat::kWebp};
    v.mime_type = "image/webp";
    v.store = store;
    v.key = "cd/" + to_hex(new_id());
    v.width = 250;
    v.height = 188;
    v.size_bytes = 4711;
    v.sha256.fill(0xab);
    v.created_at = system_now();
    return v;
  }
  Variant put_variant(const Attachment& a, const std::string& name = "thumb", StoreKind store = StoreKind::kLocal) {
    const Variant v = made(a, name, store);
    CHECK_OK(variants.commit(v, ticket(v)));
    return v;
  }
  std::string deletions_of(const Variant& v) {
    return count("jobs WHERE kind = 'delete_object' AND payload->>'key' = '" + v.key + "' AND payload->>'store' = '" +
                 std::string(to_string(v.store)) + "'");
  }
};

void a_variant_comes_back_as_it_was_written() {
  World w;
  const Attachment a = w.picture();
  const Variant v = w.put_variant(a, "large", StoreKind::kS3);
  const auto found = CHECK_OK(w.variants.find(v.id));
  CHECK(found.has_value());
  CHECK(found->id.attachment_id == a.id && found->id.name == "large" && found->id.format == VariantFormat::kWebp);
  CHECK(found->mime_type == v.mime_type && found->store == v.store && found->key == v.key);
  CHECK(found->width == v.width && found->height == v.height && found->size_bytes == v.size_bytes);
  CHECK(found->sha256 == v.sha256 && found->created_at == v.created_at);
  CHECK(!CHECK_OK(w.variants.find({a.id, "large", VariantFormat::kPlain})));
  CHECK(!CHECK_OK(w.variants.find({a.id, "thumb", VariantFormat::kWebp})));
  CHECK_EQ(w.count("deletion_tickets"), "0");
}

void without_its_ticket_or_its_original_nothing_is_committed() {
  World w;
  const Attachment a = w.picture();
  const Variant v = w.made(a);
  const DeletionTicket ticket = w.ticket(v);
  CHECK_OK(w.database.run_script("DELETE FROM deletion_tickets"));
  CHECK_ERR(w.variants.commit(v, ticket), Errc::kConflict);
  const DeletionTicket second = w.ticket(v);
  CHECK(CHECK_OK(w.rows.remove_unlinked(a.id)));
  CHECK_ERR(w.variants.commit(v, second), Errc::kConflict);
  CHECK_EQ(w.count("variants"), "0");
  CHECK_EQ(w.count("deletion_tickets"), "1");
}

void of_two_only_the_first_is_committed() {
  World w;
  const Attachment a = w.picture();
  const Variant first = w.put_variant(a), second = w.made(a);
  CHECK_ERR(w.variants.commit(second, w.ticket(second)), Errc::kConflict);
  CHECK_EQ(CHECK_OK(w.variants.find(first.id))->key, first.key);
  CHECK_EQ(w.count("deletion_tickets"), "1");
}

void a_commit_waits_for_a_deletion_of_the_original_that_is_under_way() {
  World w;
  const Attachment a = w.picture();
  const Variant v = w.made(a);
  const DeletionTicket ticket = w.ticket(v);
  Database other(options());
  CHECK_OK(other.begin());
  Params id;
  id.uuid(a.id);
  CHECK_OK(other.run_once("DELETE FROM attachments WHERE id = $1::uuid", id));
  CHECK_OK(w.database.run_script("SET lock_timeout = 300"));
  CHECK_ERR(w.variants.commit(v, ticket), Errc::kDatabase);  // it waited
  CHECK_OK(other.commit());
  CHECK_ERR(w.variants.commit(v, ticket), Errc::kConflict);
}

void variants_go_with_the_original_by_whatever_way_and_their_objects_with_them() {
  World w;
  for (const std::string way :
       {"DELETE FROM attachments", "TRUNCATE attachments CASCADE", "DELETE FROM variants", "TRUNCATE variants"}) {
    clear(w.database);
    CHECK_OK(w.database.run_script("TRUNCATE cache_purges"));
    const Attachment a = w.picture();
    const Variant here = w.put_variant(a, "thumb"), there = w.put_variant(a, "large", StoreKind::kS3);
    const Variant second = w.put_variant(a, "small", StoreKind::kS3Secondary);
    CHECK_OK(w.database.run_script("DELETE FROM jobs; " + way));
    CHECK_EQ(w.count("variants"), "0");
    CHECK_EQ(w.deletions_of(here), "1");
    CHECK_EQ(w.deletions_of(there), "1");
    CHECK_EQ(w.count("cache_purges WHERE key = '" + there.key + "' AND size_bytes = 4711"), "1");
    CHECK_EQ(w.count("cache_purges WHERE key = '" + second.key + "' AND store = 's3-secondary'"), "1");
    CHECK_EQ(w.count("cache_purges"), "2");
  }
}

void a_quarantined_file_takes_its_variants_out_of_the_caches() {
  World w;
  Attachment a = upload();
  a.store = StoreKind::kS3;
  put(w.rows, a);
  const Variant v = w.put_variant(a, "thumb", StoreKind::kS3);
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK_EQ(value(w.database, "SELECT string_agg(key, ' ' ORDER BY key) FROM cache_purges"), a.key + " " + v.key);
  CHECK_EQ(w.count("variants"), "1");
}

void the_lock_is_one_of_all_connections_and_ends_with_its_own() {
  World w;
  const VariantId id{new_id(), "thumb", VariantFormat::kWebp},
      other_format{id.attachment_id, "thumb", VariantFormat::kAvif};
  {
    Database other(options());
    PgVariants theirs(other);
    CHECK(CHECK_OK(theirs.try_lock(id)));
    CHECK(!CHECK_OK(w.variants.try_lock(id)));
    CHECK(CHECK_OK(w.variants.try_lock(other_format)));
    theirs.unlock(id);
    CHECK(CHECK_OK(w.variants.try_lock(id)));
    w.variants.unlock(id);
    CHECK(CHECK_OK(theirs.try_lock(id)));
  }
  bool is_free = false;  // the server notices the end of a connection a moment later
  for (int i = 0; i < 100 && !is_free; ++i) {
    is_free = CHECK_OK(w.variants.try_lock(id));
    if (!is_free) CHECK_OK(w.database.run_once("SELECT pg_sleep(0.05)", Params{}));
  }
  CHECK(is_free);
  w.variants.unlock(id);
  w.variants.unlock(other_format);
}

void a_quarantined_file_that_lies_elsewhere_than_its_variants_takes_them_along() {
  World w;
  const Attachment a = w.picture();  // on the local disk, which no cache has
  const Variant v = w.put_variant(a, "thumb", StoreKind::kS3);
  w.put_variant(a, "large");
  CHECK_OK(w.database.run_script("TRUNCATE cache_purges"));
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));
  CHECK_EQ(value(w.database, "SELECT string_agg(key, ' ') FROM cache_purges"), v.key);
  CHECK(CHECK_OK(w.rows.quarantine(a.id)));  // again: nothing is left to purge
  CHECK_EQ(w.count("cache_purges"), "1");
}

void a_lock_that_cannot_be_given_back_goes_with_its_connection() {
  World w;
  const VariantId id{new_id(), "thumb", VariantFormat::kWebp};
  Database other(options());
  PgVariants theirs(other);
  CHECK(CHECK_OK(theirs.try_lock(id)));
  CHECK(!other.run_script("BEGIN; SELECT 1 / 0"));  // every statement of this session fails now
  theirs.unlock(id);
  bool is_free = false;
  for (int i = 0; i < 100 && !is_free; ++i) {
    is_free = CHECK_OK(w.variants.try_lock(id));
    if (!is_free) CHECK_OK(w.database.run_once("SELECT pg_sleep(0.05)", Params{}));
  }
  CHECK(is_free);
  w.variants.unlock(id);
  CHECK(CHECK_OK(theirs.try_lock(id)));  // by a new connection
  theirs.unlock(id);
}

void what_a_look_told_is_in_the_row_and_a_job_follows_where_one_is_wanted() {
  World w;
  Attachment a = upload();
  a.width = 40;
  a.height = 30;
  a.frames = 2;
  a.duration_ms = 80;
  a.picture = Picture::kAlpha;
  a.placeholder = "data:image/webp;base64,AAAA";
  a.wants_variants = true;
  put(w.rows, a);
  const auto b = CHECK_OK(w.rows.find(a.id, std::nullopt))->attachment;
  CHECK(b.width == a.width && b.height == a.height && b.frames == a.frames && b.duration_ms == a.duration_ms);
  CHECK(b.picture == a.picture && b.placeholder == a.placeholder);
  CHECK_EQ(value(w.database, "SELECT payload->>'id' FROM jobs WHERE kind = 'make_variants'"), to_string(a.id));
  put(w.rows, upload());
  CHECK_EQ(w.count("jobs"), "1");
}

void a_file_that_is_kept_aside_gets_both_its_jobs() {
  World w;
  Attachment a = upload();
  a.wants_variants = true;
  const std::vector<ObjectKey> keys{CHECK_OK(ObjectKey::parse(a.key))};
  const auto tickets = CHECK_OK(w.rows.plan_deletions(a.store, keys, seconds(600)));
  CHECK_OK(w.rows.commit_kept(std::vector<Attachment>{a}, tickets));
  CHECK_EQ(value(w.database, "SELECT string_agg(kind, ' ' ORDER BY kind) FROM jobs"), "make_variants move_object");
}

void a_commit_that_is_refused_leaves_no_job() {
  World w;
  Attachment a = upload();
  a.wants_variants = true;
  CHECK_ERR(w.rows.commit_upload(std::vector<Attachment>{a}, std::vector<DeletionTicket>{{12345}}), Errc::kConflict);
  CHECK_EQ(w.count("jobs"), "0");
}

void what_is_learned_later_replaces_what_was_not_known_and_forgetting_gives_a_second_chance() {
  World w;
  Attachment a = w.picture();
  a.picture = Picture::kNone;
  CHECK_OK(w.variants.learn(a));
  w.put_variant(a);
  CHECK(CHECK_OK(w.rows.find(a.id, std::nullopt))->attachment.picture == Picture::kNone);
  CHECK_OK(w.variants.forget(a.id));
  CHECK(CHECK_OK(w.rows.find(a.id, std::nullopt))->attachment.picture == Picture::kUnknown);
  CHECK_EQ(w.count("variants"), "0");
  a.id = new_id();
  CHECK_OK(w.variants.learn(a));
}

void one_question_tells_of_a_file_and_its_variants_whoever_pays() {
  World w;
  CHECK_OK(w.database.run_script("TRUNCATE rate_limits"));
  const Attachment a = w.picture(), bare = w.picture();
  const Variant webp = w.put_variant(a, "thumb");
  Variant plain = w.made(a, "thumb");
  plain.id.format = VariantFormat::kPlain;
  CHECK_OK(w.variants.commit(plain, w.ticket(plain)));
  w.put_variant(a, "large");
  const Rate daily = CHECK_OK(parse_rate("50/d"));
  const RateRules rules{{daily, daily, daily}, {daily, daily, daily}};
  const Spenders both = spenders_of(rules, "u1", "192.0.2.7"), address = spenders_of(rules, std::nullopt, "192.0.2.8");
  for (const Spenders& spenders : {Spenders{}, address, both}) {
    const auto found = CHECK_OK(w.rows.find_with_variants(a.id, "u1", spenders, "thumb"));
    CHECK(found.file.has_value() && found.file->attachment.id == a.id);
    CHECK_EQ(found.variants.size(), 2u);
    for (const Variant& v : found.variants) {
      const Variant& wanted = v.id.format == VariantFormat::kWebp ? webp : plain;
      CHECK(v.id.attachment_id == a.id && v.id.name == "thumb" && v.id.format == wanted.id.format);
      CHECK(v.key == wanted.key && v.mime_type == wanted.mime_type && v.created_at == wanted.created_at);
    }
    const auto none = CHECK_OK(w.rows.find_with_variants(bare.id, "u1", spenders, "thumb"));
    CHECK(none.file.has_value() && none.variants.empty());
    const auto missing = CHECK_OK(w.rows.find_with_variants(new_id(), "u1", spenders, "thumb"));
    CHECK(!missing.file.has_value() && missing.variants.empty());
  }
  CHECK_EQ(w.count("rate_limits WHERE downloads > 'epoch'"), "3");
}

void a_walk_goes_over_what_may_have_a_picture_in_the_order_of_ids() {
  World w;
  std::vector<Uuid> ids;
  for (const char* type : {"image/png", "text/plain", "application/pdf", "image/x-nobody-knows", "image/gif",
                           "application/zip", "image/webp"}) {
    Attachment a = upload();
    a.mime_type = type;
    put(w.rows, a);
    if (may_have_picture(type)) ids.push_back(a.id);
  }
  CHECK_EQ(ids.size(), 4u);
  std::sort(ids.begin(), ids.end(), [](const Uuid& a, const Uuid& b) {
    return a.bytes < b.bytes;
  });  // those of one millisecond come in any order
  CHECK(CHECK_OK(w.rows.quarantine(ids[3])));
  CHECK_EQ(CHECK_OK(w.variants.count_from({})), 3u);
  const auto first = CHECK_OK(w.variants.next({}, 2));
  CHECK(first.size() == 2 && first[0].id == ids[0] && first[1].id == ids[1]);
  const auto rest = CHECK_OK(w.variants.next(ids[1], 10));
  CHECK(rest.size() == 1 && rest[0].id == ids[2]);
}

}  // namespace

int main() {
  const CMUnitTest tests[] = {
      CASE(a_variant_comes_back_as_it_was_written),
      CASE(without_its_ticket_or_its_original_nothing_is_committed),
      CASE(of_two_only_the_first_is_committed),
      CASE(a_commit_waits_for_a_deletion_of_the_original_that_is_under_way),
      CASE(variants_go_with_the_original_by_whatever_way_and_their_objects_with_them),
      CASE(a_quarantined_file_takes_its_variants_out_of_the_caches),
      CASE(a_quarantined_file_that_lies_elsewhere_than_its_variants_takes_them_along),
      CASE(a_lock_that_cannot_be_given_back_goes_with_its_connection),
      CASE(the_lock_is_one_of_all_connections_and_ends_with_its_own),
      CASE(what_a_look_told_is_in_the_row_and_a_job_follows_where_one_is_wanted),
      CASE(a_file_that_is_kept_aside_gets_both_its_jobs),
      CASE(a_commit_that_is_refused_leaves_no_job),
      CASE(what_is_learned_later_replaces_what_was_not_known_and_forgetting_gives_a_second_chance),
      CASE(one_question_tells_of_a_file_and_its_variants_whoever_pays),
      CASE(a_walk_goes_over_what_may_have_a_picture_in_the_order_of_ids),
  };
  return db::run("variants", tests);
}
