// variants.h — the port VariantRows over PostgreSQL.
//
// Source   sql/009_variants.sql
// Lock     an advisory lock of the session: it costs no open transaction while a picture is made, and goes with the
//          connection, whatever becomes of the process.
#pragma once

#include "db/pg.h"
#include "domain/variant_ports.h"

namespace cloakroom {

// A SELECT list as read_variant() reads it, from table `v`.
#define CLOAKROOM_VARIANT_COLUMNS \
  "v.attachment_id, v.format, v.mime_type, v.store, v.key, v.width, v.height, v.size_bytes, v.sha256, v.created_at"

// The variant of this name at `row`, whose columns begin at `first`.
// Errors   kInternal a word that this program does not know (written by a newer one)
Result<Variant> read_variant(const ResultSet& set, int row, int first, std::string_view name);

class PgVariants final : public VariantRows {
 public:
  explicit PgVariants(Database& database) : database_(database) {}  // borrowed

  Result<std::optional<Variant>> find(const VariantId& id) override;
  Result<std::vector<Variant>> find_all(std::span<const Uuid> attachment_ids, std::string_view name,
                                        VariantFormat format) override;
  Status commit(const Variant& variant, const DeletionTicket& ticket) override;
  Status learn(const Attachment& attachment) override;
  Result<bool> try_lock(const VariantId& id) override;
  void unlock(const VariantId& id) override;
  Result<std::vector<Attachment>> next(const Uuid& after, std::size_t most) override;
  Result<std::uint64_t> count_from(const Uuid& after) override;
  Status forget(const Uuid& attachment_id) override;

 private:
  Database& database_;
};

}  // namespace cloakroom
