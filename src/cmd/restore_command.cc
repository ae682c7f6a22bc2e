// restore_command.cc — `cloakroom restore`: brings a file back that the clean-up removed, and lists those that can be.
#include <fmt/format.h>

#include <iostream>

#include "cmd/commands.h"
#include "cmd/progress.h"
#include "cmd/wiring.h"
#include "db/tombstones.h"
#include "domain/fallback.h"

namespace cloakroom {
namespace {

struct Wishes {
  std::string id;
  bool list = false, json = false;
  std::size_t limit = 1000;
};

Json as_json(const Tombstone& one) {
  Summary out;
  out.text("id", to_string(one.id)).text("filename", one.filename).count("bytes", one.size_bytes);
  const auto maybe = [&](const char* name, const std::optional<std::string>& value) {
    if (value) {
      out.text(name, *value);
    } else {
      out.add(name, nullptr);
    }
  };
  maybe("uploader_id", one.uploader_id);
  maybe("message_id", one.message_id);
  out.text("reason", one.reason).text("deleted_at", iso8601_ms(one.deleted_at));
  out.text("purge_after", iso8601_ms(one.purge_after)).flag("too_late", one.is_late);
  return std::move(out).take();
}

int list_tombstones(Tombstones& tombstones, const Wishes& wishes) {
  const auto found = tombstones.list(wishes.limit);
  if (!found) return complain(found.error());
  if (wishes.json) {
    const Json all(json_array());
    for (const Tombstone& one : *found) json_array_append_new(all.get(), as_json(one).release());
    std::cout << dump_json(all) << "\n";
    return kExitDone;
  }
  for (const Tombstone& one : *found) {
    std::cout << fmt::format("{} {} ({} bytes), removed {}, {} {}: {}\n", to_string(one.id), one.filename,
                             one.size_bytes, iso8601_ms(one.deleted_at), one.is_late ? "too late since" : "until",
                             iso8601_ms(one.purge_after), one.reason);
  }
  if (found->empty()) std::cout << "there is nothing to be restored\n";
  return kExitDone;
}

int complain_of(const std::string& id, const char* what) {
  std::cerr << "cannot restore " << id << ": " << what << "\n";
  return kExitProblems;
}

int restore(Tombstones& tombstones, const Config& config, const Wishes& wishes) {
  const auto id = parse_uuid(wishes.id);
  if (!id) {
    std::cerr << "restore takes the id of an attachment, as --list shows it\n";
    return kExitUsage;
  }
  constexpr const char* kAbsent = "there is no such file among those that were cleaned up, or its time is over";
  const auto objects = tombstones.objects_of(*id);
  if (!objects) return complain(objects.error());
  if (objects->empty()) return complain_of(wishes.id, kAbsent);
  const BuriedObject& original = objects->front();
  if (original.key.starts_with(kKeptRoot) && !original.key.starts_with(kept_prefix_of(config))) {
    return complain_of(wishes.id, "its bytes are on the disk of another node: run this there");
  }
  const SystemClock clock;
  const auto stores = make_stores(config, clock);
  if (!stores) return complain(stores.error());
  BlobStore* const store = stores->all().by_kind(original.store);
  if (store == nullptr) return complain_of(wishes.id, "its store is not configured here");
  const auto key = ObjectKey::parse(original.key);
  if (!key) return complain(key.error());
  const auto bytes = store->head(*key);
  if (!bytes && bytes.error().code == Errc::kNotFound)
    return complain_of(wishes.id, "its bytes are gone from the store");
  if (!bytes) return complain(bytes.error());

  const auto restored = tombstones.restore(*id);
  if (!restored && restored.error().code == Errc::kConflict) {
    return complain_of(wishes.id, "there is another file with its id or its key by now");
  }
  if (!restored) return complain(restored.error());
  switch (*restored) {
    case Restored::kDone:
      std::cout << "restored " << wishes.id << "\n";
      return kExitDone;
    case Restored::kLate:
      return complain_of(wishes.id, "it is too late, its bytes are being removed");
    case Restored::kAbsent:
      break;
  }
  return complain_of(wishes.id, kAbsent);
}

int run_restore(const Wishes& wishes) {
  if (wishes.list == !wishes.id.empty()) {
    std::cerr << "restore takes the id of an attachment, or --list\n";
    return kExitUsage;
  }
  const auto config = settings_or_complain();
  if (!config) return kExitConfig;
  Database database(database_options(*config, "cloakroom-restore"));
  PgTombstones tombstones(database);
  return wishes.list ? list_tombstones(tombstones, wishes) : restore(tombstones, *config, wishes);
}

}  // namespace

void add_restore(CommandLine& line) {
  const auto wishes = std::make_shared<Wishes>();
  const OptionSet command =
      line.command("restore", "bring a file back that cleanup removed less than UNDO_DAYS ago, as it was",
                   [wishes] { return run_restore(*wishes); });
  command.value("id", wishes->id, "of the attachment");
  command.flag("--list", wishes->list, "what can be restored, the latest first");
  command.flag("--json", wishes->json, "with --list: as JSON");
  command.value("--limit", wishes->limit, "with --list: how many at most").between(1, 1000000).shows_default();
}

}  // namespace cloakroom
