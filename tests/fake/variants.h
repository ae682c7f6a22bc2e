// variants.h — the port VariantRows in memory, beside FakeRows; and what Variants needs, over fakes.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "domain/variants.h"
#include "fake/clock.h"
#include "fake/imager.h"
#include "fake/rows.h"
#include "fake/store.h"

namespace cloakroom::fake {

class FakeVariantRows final : public VariantRows {
 public:
  explicit FakeVariantRows(FakeRows& rows, Journal* journal = nullptr) : failures(journal), rows_(rows) {}

  using Name = std::tuple<std::string, std::string, VariantFormat>;
  Failures failures;
  std::map<Name, Variant> variants;
  std::set<Name> locks;

  static Name name(const VariantId& id) { return {to_string(id.attachment_id), id.name, id.format}; }

  Result<std::optional<Variant>> find(const VariantId& id) override {
    TRY(failures.enter("find_variant"));
    const auto found = variants.find(name(id));
    return found == variants.end() ? std::optional<Variant>() : std::optional(found->second);
  }
  Result<std::vector<Variant>> find_all(std::span<const Uuid> ids, std::string_view wanted,
                                        VariantFormat format) override {
    TRY(failures.enter("find_variants"));
    std::vector<Variant> found;
    for (const Uuid& id : ids) {
      const auto one = variants.find(name({id, std::string(wanted), format}));
      if (one != variants.end()) found.push_back(one->second);
    }
    return found;
  }
  Status commit(const Variant& variant, const DeletionTicket& ticket) override {
    TRY(failures.enter("commit_variant"));
    if (by_id(variant.id.attachment_id) == nullptr || !rows_.deletions.contains(ticket.id) ||
        !variants.insert({name(variant.id), variant}).second) {
      return refuse(Errc::kConflict, "making the picture took too long, or the file is gone");
    }
    rows_.deletions.erase(ticket.id);
    return Ok{};
  }
  Status learn(const Attachment& a) override {
    TRY(failures.enter("learn"));
    if (Attachment* row = by_id(a.id)) {
      std::tie(row->width, row->height, row->frames, row->duration_ms, row->picture, row->placeholder) =
          std::tie(a.width, a.height, a.frames, a.duration_ms, a.picture, a.placeholder);
    }
    return Ok{};
  }
  Result<bool> try_lock(const VariantId& id) override {
    TRY(failures.enter("try_lock"));
    return locks.insert(name(id)).second;
  }
  void unlock(const VariantId& id) override { CHECK(locks.erase(name(id)) == 1); }
  Result<std::vector<Attachment>> next(const Uuid&, std::size_t) override { return rows_.attachments; }
  Result<std::uint64_t> count_from(const Uuid&) override { return std::uint64_t{rows_.attachments.size()}; }
  Status forget(const Uuid& id) override {
    TRY(failures.enter("forget"));
    std::erase_if(variants, [&](const auto& one) { return one.second.id.attachment_id == id; });
    return Ok{};
  }

 private:
  Attachment* by_id(const Uuid& id) {
    auto& all = rows_.attachments;
    const auto found = std::find_if(all.begin(), all.end(), [&](const Attachment& a) { return a.id == id; });
    return found == all.end() ? nullptr : &*found;
  }

  FakeRows& rows_;
};

// Opens an object of a store in memory as a file.
inline Variants::OpenLocal open_in(FakeStore& store) {
  return [&store](const ObjectKey& key) -> Result<UniqueFd> {
    const auto info = store.memory.head(key);
    if (!info) return info.error();
    UniqueFd file(::memfd_create("original", MFD_CLOEXEC));
    Spool spool{UniqueFd(::dup(file.get()))};
    TRY(store.memory.get(key, {0, info->size_bytes}, spool));
    return file;
  };
}

inline VariantRules variant_rules() {
  return {.sizes = {{"thumb", 250, 0}, {"preview", 400, 300}},
          .formats = {VariantFormat::kAvif, VariantFormat::kWebp},
          .keys = {"pre/", KeyNaming::kFanout},
          .object_cache_control = "public, max-age=60",
          .orphan_grace = std::chrono::seconds(3600),
          .stored_headers = {},
          .nameless = [] { return UniqueFd(::memfd_create("nameless", MFD_CLOEXEC)); }};
}

}  // namespace cloakroom::fake
