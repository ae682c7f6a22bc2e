// backfill_ports.h — what taking over the files of an old application needs: its rows, its bytes, and our book of what
// was taken.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/handle.h"
#include "base/json.h"
#include "base/result.h"
#include "domain/attachment.h"
#include "domain/object_key.h"
#include "domain/ports.h"

namespace cloakroom {

struct LegacyRow {
  std::string position;      // of this row: the next one is behind it
  std::uint64_t length = 1;  // in the unit of LegacyRows::left()
  Json fields;               // an object; null: the row could not be read
  std::string trouble = {};  // why
};

// The old application's table, always in the same order.
// Errors   kDatabase away; kInvalid, kInternal it cannot be read at all; kNotFound there is no such export.
// Memory   one page; no row is larger than limits::kLegacyRowBytes (then it is one that could not be read).
class LegacyRows {
 public:
  virtual ~LegacyRows() = default;
  // Those behind `position` (empty: from the beginning). None: that was all.
  virtual Result<std::vector<LegacyRow>> after(const std::string& position, std::size_t most) = 0;

  struct Left {
    std::string unit;  // "rows", "bytes"
    std::uint64_t count = 0;
  };
  virtual Result<Left> left(const std::string& position) = 0;
};

// One file of the old application: an open file, or an object in our bucket.
struct LegacyBytes {
  UniqueFd file;
  std::optional<ObjectKey> object;
  std::uint64_t size_bytes = 0;
  TimePoint changed_at = {};
  std::string version = {};  // another one when it was changed or replaced
};

// Errors   kNotFound there is none; kDenied it may not be read; kInvalid no file, or it leads out of the folder;
//          a store's own
class LegacyStore {
 public:
  virtual ~LegacyStore() = default;
  virtual Result<LegacyBytes> open(const ObjectKey& path) = 0;
};

using MessagePath = std::pair<std::string, std::string>;

struct BackfillTotals {
  std::uint64_t rows = 0, taken = 0, bytes = 0, already = 0, failed = 0;
};

struct BackfillRun {
  std::string position;
  BackfillTotals totals;
  bool is_finished = false;
};

// Who has an object: a row, or a promise that it will be deleted.
enum class ObjectOwner { kRow, kPromise };

// Errors   kDatabase
class BackfillBook {
 public:
  virtual ~BackfillBook() = default;
  // What is known of the last run over this very mapping and export; else of none.
  virtual Result<std::optional<BackfillRun>> run_of(const std::string& source, const std::string& fingerprint) = 0;
  virtual Status keep_run(const std::string& source, const std::string& fingerprint, const BackfillRun& run) = 0;
  virtual Result<std::set<MessagePath>> taken(const std::string& source, std::span<const MessagePath> asked) = 0;
  // Those that have one, of these keys.
  virtual Result<std::map<std::string, ObjectOwner>> owners(StoreKind store, std::span<const std::string> keys) = 0;
  // The commit point: the attachment appears, linked to its message, with its line in the book, and the ticket goes;
  // or none of it. kConflict when the ticket is gone, another run was quicker, or the object has a row.
  virtual Status commit(const std::string& source, const std::string& path, const Attachment& attachment,
                        std::span<const DeletionTicket> tickets) = 0;
};

}  // namespace cloakroom
