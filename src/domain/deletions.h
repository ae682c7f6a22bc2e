// deletions.h — the objects that were deleted from S3 stores, or moved out of one, for those who may hold copies of
// them.
//
// Mark     a place in the history: whatever is committed after mark() is found by since(mark), however long its
//          transaction took. Some objects are found twice: whoever asks must not mind.
// Errors   kDatabase the history is away.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "domain/attachment.h"

namespace cloakroom {

struct DeletedObject {
  StoreKind store = StoreKind::kS3;
  std::string_view key;
  std::uint64_t size_bytes = 0;
};

using DeletionMark = std::uint64_t;  // 0: the beginning

class Deletions {
 public:
  virtual ~Deletions() = default;
  virtual Result<DeletionMark> mark() = 0;
  // The views end with the call of `take`. A bounded number is held at a time.
  virtual Status since(DeletionMark mark, const std::function<void(const DeletedObject&)>& take) = 0;
  // Removes what is older.
  virtual Status forget(std::chrono::hours age) = 0;
};

}  // namespace cloakroom
