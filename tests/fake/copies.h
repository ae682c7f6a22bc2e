// copies.h — the ports CopyRows and LocalFiles in memory: a disk whose files can be damaged, and the rows of copies.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "check.h"
#include "domain/copies.h"
#include "domain/spool.h"
#include "fake/rows.h"
#include "fake/store.h"
#include "fake/temp_folder.h"

namespace cloakroom::fake {

// Files by key, with their times.
class FakeFiles final : public LocalFiles {
 public:
  explicit FakeFiles(Journal* journal = nullptr) : failures(journal) {}

  struct File {
    std::string bytes;
    TimePoint written_at;
  };
  Failures failures;
  std::map<std::string, File> files;

  Result<FileState> look(const ObjectKey& key) override {
    TRY(failures.enter("look"));
    const auto found = files.find(key.str());
    if (found == files.end()) return Error{Errc::kNotFound, "no such file"};
    return FileState{found->second.bytes.size(), found->second.written_at.time_since_epoch()};
  }
  Result<UniqueFd> open(const ObjectKey& key) override {
    TRY(failures.enter("open"));
    const auto found = files.find(key.str());
    if (found == files.end()) return Error{Errc::kNotFound, "no such file"};
    return open_file(folder_.write("open", found->second.bytes), O_RDONLY);
  }
  Status set_time(const ObjectKey& key, TimePoint written_at) override {
    TRY(failures.enter("set_time"));
    const auto found = files.find(key.str());
    if (found == files.end()) return Error{Errc::kNotFound, "no such file"};
    found->second.written_at = written_at;
    return Ok{};
  }
  Result<std::unique_ptr<StagedFile>> stage(const ObjectKey& key, const FileRange& bytes,
                                            TimePoint written_at) override {
    TRY(failures.enter("stage"));
    std::string text(bytes.size, '\0');
    TRY(read_at(bytes.fd, std::as_writable_bytes(std::span(text)), bytes.offset));
    return std::unique_ptr<StagedFile>(new Staged(*this, key.str(), {std::move(text), written_at}));
  }

 private:
  class Staged final : public StagedFile {
   public:
    Staged(FakeFiles& files, std::string key, File file)
        : files_(files), key_(std::move(key)), file_(std::move(file)), digest_(sha256(file_.bytes)) {}
    const Sha256Digest& digest() const override { return digest_; }
    Status publish() override {
      TRY(files_.failures.enter("publish"));
      files_.files[key_] = file_;
      return Ok{};
    }

   private:
    FakeFiles& files_;
    std::string key_;
    File file_;
    Sha256Digest digest_;
  };

  TempFolder folder_;
};

// Beside the rows of files.
class FakeCopyRows final : public CopyRows {
 public:
  explicit FakeCopyRows(FakeRows& rows, Journal* journal = nullptr) : failures(journal), rows_(rows) {}

  struct Copy {
    std::optional<CopyPlace> place;
    bool is_repair_asked = false, is_verified = false;
  };
  Failures failures;
  std::map<std::string, Copy> copies;  // by the id of the file
  std::vector<std::string> repairs;    // jobs
  CopyGap missing;

  Result<std::optional<FileWithCopy>> find(const Uuid& id) override {
    TRY(failures.enter("find_copy"));
    TRY_ASSIGN(const auto found, rows_.find(id, std::nullopt));
    if (!found) return std::optional<FileWithCopy>();
    FileWithCopy out;
    out.file = found->attachment;
    if (const auto copy = copies.find(to_string(id)); copy != copies.end()) {
      out.is_wanted = true;
      out.place = copy->second.place;
    }
    return std::optional(std::move(out));
  }
  Status commit_copy(const Uuid& id, const CopyPlace& place, DeletionTicket ticket) override {
    TRY(failures.enter("commit_copy"));
    const auto copy = copies.find(to_string(id));
    if (copy == copies.end() || copy->second.place || rows_.deletions.erase(ticket.id) == 0) {
      return refuse(Errc::kConflict, "the copy is not wanted any more");
    }
    copy->second.place = place;
    return Ok{};
  }
  Result<std::optional<CopyPlace>> ask_repair(const Uuid& id) override {
    TRY(failures.enter("ask_repair"));
    const auto copy = copies.find(to_string(id));
    if (copy == copies.end() || !copy->second.place) return std::optional<CopyPlace>();
    if (!std::exchange(copy->second.is_repair_asked, true)) repairs.push_back(to_string(id));
    return copy->second.place;
  }
  Result<bool> put_right(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act) override {
    TRY(failures.enter("put_right"));
    TRY_ASSIGN(const auto found, rows_.find(id, std::nullopt));
    if (!found || found->attachment.key != local.str()) return false;
    TRY(act());
    TRY(note_right(id));
    return true;
  }
  Status note_right(const Uuid& id) override {
    TRY(failures.enter("note_right"));
    copies[to_string(id)].is_repair_asked = false;
    return Ok{};
  }
  Result<bool> want_again(const Uuid& id, const CopyPlace& place) override {
    TRY(failures.enter("want_again"));
    const auto copy = copies.find(to_string(id));
    if (copy == copies.end() || !copy->second.place || copy->second.place->key != place.key) return false;
    copy->second.place.reset();
    return true;
  }
  Result<CopyGap> gap() override {
    TRY(failures.enter("gap"));
    return missing;
  }
  Result<CopyGap> uncounted() override { return CopyGap{}; }
  Result<CopyPage> want_page(const Uuid&, std::size_t, bool) override { return CopyPage{}; }

 private:
  FakeRows& rows_;
};

// A file of the local store with a copy, and all that looks after them.
struct CopiedFiles {
  Journal journal;
  FakeRows rows{&journal};
  FakeFiles files{&journal};
  FakeCopyRows copies{rows, &journal};
  FakeStore s3{StoreKind::kS3, &journal};
  TempFolder folder;

  Attachment& add(const std::string& bytes, bool is_wanted = true) {
    Attachment a;
    a.created_at = TimePoint(std::chrono::microseconds(1'760'000'000'123'456));
    a.id = make_uuid7(a.created_at + std::chrono::milliseconds(rows.attachments.size()));
    a.filename = "a.txt";
    a.mime_type = "text/plain";
    a.size_bytes = bytes.size();
    a.sha256 = sha256(bytes);
    a.key = "ab/" + to_hex(a.id);
    files.files[a.key] = {bytes, a.created_at};
    if (is_wanted) copies.copies[to_string(a.id)] = {};
    rows.attachments.push_back(std::move(a));
    return rows.attachments.back();
  }
  void store(const std::string& key, const std::string& bytes) {
    const UniqueFd fd = CHECK_OK(open_file(folder.write("stored", bytes), O_RDONLY));
    CHECK_OK(s3.memory.put(CHECK_OK(ObjectKey::parse(key)), {fd.get(), 0, bytes.size(), {}}, {}));
  }
  // With a copy that holds `bytes`.
  void copy(const Attachment& a, const std::string& bytes) {
    const std::string key = "copy/" + to_hex(a.id);
    store(key, bytes);
    copies.copies[to_string(a.id)].place = CopyPlace{StoreKind::kS3, key};
  }
  std::string& bytes_of(const Attachment& a) { return files.files.at(a.key).bytes; }
  NamelessFile nameless() {
    return [path = folder.path()] { return open_nameless(path); };
  }
};

}  // namespace cloakroom::fake
