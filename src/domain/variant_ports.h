// variant_ports.h — what the making of variants needs beyond ports.h: their rows, and a lock that all nodes see.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "domain/ports.h"
#include "domain/variant.h"

namespace cloakroom {

// Errors   kDatabase as Rows
class VariantRows {
 public:
  virtual ~VariantRows() = default;

  virtual Result<std::optional<Variant>> find(const VariantId& id) = 0;
  // Those that are there, in any order.
  virtual Result<std::vector<Variant>> find_all(std::span<const Uuid> attachment_ids, std::string_view name,
                                                VariantFormat format) = 0;
  // The commit point: the row appears and the ticket vanishes, or neither. kConflict: the ticket or the original is
  // gone, or somebody else was quicker.
  virtual Status commit(const Variant& variant, const DeletionTicket& ticket) = 0;
  // What look_at_picture() filled. One that is gone is a success.
  virtual Status learn(const Attachment& attachment) = 0;

  // Who may make it now: one process of all nodes, until unlock() or its end. False: another one has it.
  virtual Result<bool> try_lock(const VariantId& id) = 0;
  virtual void unlock(const VariantId& id) = 0;

  // Attachments after this id that may have a picture, by id, for a walk over all of them.
  virtual Result<std::vector<Attachment>> next(const Uuid& after, std::size_t most) = 0;
  virtual Result<std::uint64_t> count_from(const Uuid& after) = 0;
  // All variants go, their objects follow by trigger and job; and a decoder may try again.
  virtual Status forget(const Uuid& attachment_id) = 0;
};

}  // namespace cloakroom
