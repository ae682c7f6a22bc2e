// memory_store.h — a BlobStore that keeps everything in a map; the reference the other stores are held against, and a
// fake.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "domain/ports.h"

namespace cloakroom {

class MemoryStore final : public BlobStore {
 public:
  struct Object {
    std::vector<std::byte> bytes;
    ObjectMeta meta;
  };

  StoreKind kind() const override { return StoreKind::kLocal; }
  Status prepare() override { return Ok{}; }
  Status ready() override { return Ok{}; }

  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& range, const ObjectMeta& meta) override {
    Object object{std::vector<std::byte>(range.size), meta};
    TRY_ASSIGN(const std::size_t got, read_at(range.fd, object.bytes, range.offset));
    if (got != range.size) return Error{Errc::kInternal, "the file is shorter than its range"};
    Sha256 hash;
    hash.update(object.bytes);
    objects_.insert_or_assign(key.str(), std::move(object));
    return hash.finish();
  }

  Result<ObjectInfo> head(const ObjectKey& key) override {
    const auto found = objects_.find(key.str());
    if (found == objects_.end()) return absent();
    return ObjectInfo{found->second.bytes.size(), found->second.meta.content_type};
  }

  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override {
    const auto found = objects_.find(key.str());
    if (found == objects_.end()) return absent();
    const std::vector<std::byte>& bytes = found->second.bytes;
    if (range.offset > bytes.size() || range.length > bytes.size() - range.offset) {
      return Error{Errc::kStore, "range outside the object"};
    }
    if (range.length == 0) return Ok{};
    return sink.write(std::span(bytes).subspan(range.offset, range.length));
  }

  Status remove(const ObjectKey& key) override {
    objects_.erase(key.str());
    return Ok{};
  }

  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override {
    const auto found = objects_.find(from.str());
    if (found == objects_.end()) return absent();
    Object object{found->second.bytes, meta};
    objects_.insert_or_assign(to.str(), std::move(object));
    return Ok{};
  }

  const std::map<std::string, Object>& objects() const { return objects_; }

 private:
  static Error absent() { return Error{Errc::kNotFound, "no such object"}; }

  std::map<std::string, Object> objects_;
};

}  // namespace cloakroom
