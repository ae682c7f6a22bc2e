// local.h — objects as files below one root folder, on a local or a mounted file system.
//
// Shape    {root}/{key}; temporary names in {root}/.tmp/, on the same file system so that rename and link work.
// Order    temporary file, fsync, rename, fsync of the folder; a folder made on the way is made durable first.
// Bytes    a whole body file is taken by link(2) (never rename: nginx still owns its name) and hashed in place; a part
//          of one is copied and hashed in the same pass. Write-back starts while the hash runs: the fsync is short.
// Times    a file's own time is ObjectMeta::created_at, so that a change of it is seen without reading it.
// Errors   kDiskFull, kNotFound (get, head; domain/copies.h), kInternal.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/copies.h"
#include "domain/ports.h"

namespace cloakroom {

struct LocalOptions {
  std::string root;
  std::vector<std::string> folders = {};  // below root, made by prepare(); others are made when a key needs them
};

class LocalStore final : public BlobStore, public LocalFiles {
 public:
  explicit LocalStore(LocalOptions options)
      : root_(std::move(options.root)), temp_(root_ + "/.tmp"), folders_(std::move(options.folders)) {}

  StoreKind kind() const override { return StoreKind::kLocal; }
  Status prepare() override;
  Status ready() override;
  Result<Sha256Digest> put(const ObjectKey& key, const FileRange& bytes, const ObjectMeta& meta) override;
  Result<ObjectInfo> head(const ObjectKey& key) override;
  Status get(const ObjectKey& key, const ByteRange& range, ByteSink& sink) override;
  Status remove(const ObjectKey& key) override;
  // By link(2) where the file system can: an object is never written again, so two names may share its bytes.
  Status copy(const ObjectKey& from, const ObjectKey& to, const ObjectMeta& meta) override;

  Result<FileState> look(const ObjectKey& key) override;
  Result<UniqueFd> open(const ObjectKey& key) override;
  Status set_time(const ObjectKey& key, TimePoint written_at) override;
  Result<std::unique_ptr<StagedFile>> stage(const ObjectKey& key, const FileRange& bytes,
                                            TimePoint written_at) override;

 private:
  class Staged;

  std::string path_of(const ObjectKey& key) const { return root_ + "/" + key.str(); }
  Result<std::unique_ptr<Staged>> take(const ObjectKey& key, const FileRange& bytes,
                                       const std::optional<TimePoint>& written_at);
  Result<Sha256Digest> take_and_publish(const ObjectKey& key, const FileRange& bytes,
                                        const std::optional<TimePoint>& written_at);
  Status publish(const std::string& temporary, const ObjectKey& key);

  std::string root_;
  std::string temp_;
  std::vector<std::string> folders_;
};

// Removes files with temporary names that nobody has touched for `age`: left by a process that was killed. Returns how
// many, and has told `seen` of each, by its name in the folder. Errors   kNotFound no such folder.
// In a rehearsal it removes none.
Result<std::size_t> sweep_old_files(const std::string& folder, std::chrono::seconds age, bool is_rehearsal = false,
                                    const std::function<void(std::string_view name)>& seen = {});

}  // namespace cloakroom
