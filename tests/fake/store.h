// store.h — the memory store with a journal, failures at will and any kind; and a presigner beside it.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "contract/memory_store.h"
#include "fake/failures.h"

namespace cloakroom::fake {

class FakeStore final : public BlobStore {
 public:
  explicit FakeStore(StoreKind kind = StoreKind::kLocal, Journal* journal = nullptr) : failures(journal), kind_(kind) {}

  Failures failures;
  MemoryStore memory;

  StoreKind kind() const override { return kind_; }
  Status prepare() override { return failures.enter("prepare"); }
  Status ready() override { return failures.enter("store_ready"); }
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override {
    TRY(failures.enter("put"));
    return memory.put(key, bytes, meta);
  }
  Result<ObjectInfo> head(const ObjectKey& key) override {
    TRY(failures.enter("head"));
    return memory.head(key);
  }
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override {
    TRY(failures.enter("get"));
    return memory.get(key, range, sink);
  }
  Status remove(const ObjectKey& key) override {
    TRY(failures.enter("remove"));
    return memory.remove(key);
  }
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override {
    TRY(failures.enter("copy"));
    return memory.copy(from, to, meta);
  }

 private:
  StoreKind kind_;
};

// Signs nothing: the URL says what was asked for.
class FakePresigner final : public Presigner {
 public:
  struct Asked {
    std::string method, disposition, type;
    std::chrono::seconds expires{};
    bool for_browser = false;
  };
  std::vector<Asked> asked;
  std::string query = "X-Amz-Signature=f00d";
  bool temporary = false;

  Result<std::string> presign(const ObjectKey& key, const PresignRequest& request) override {
    const std::string host = request.for_browser ? "https://files.example.com" : "http://s3.internal:9000";
    return host + CHECK_OK(presign_path(key, request));
  }
  Result<std::string> presign_path(const ObjectKey& key, const PresignRequest& request) override {
    asked.push_back({std::string(request.method), std::string(request.content_disposition),
                     std::string(request.content_type), request.expires, request.for_browser});
    return "/bucket/" + key.str() + "?" + query;
  }
  Result<bool> is_temporary() override { return temporary; }
};

}  // namespace cloakroom::fake
