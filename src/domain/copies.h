// copies.h — what STORAGE=hybrid needs: a local disk whose files can be looked at and replaced, and the rows of copies.
//
// Copy     of a file of the local store, in the S3 store. Its row is the wish for it from the moment on in which the
//          file is there, and names the object as soon as that has all the file's bytes. Previews have none: they can
//          be made again.
// Changed  a file of the local store has the time of its upload as its own (LocalStore::put). Who finds another size or
//          another time knows without reading it that somebody was at it, or that it came back from a backup.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "domain/ports.h"

namespace cloakroom {

struct FileState {
  std::uint64_t size_bytes = 0;
  std::chrono::nanoseconds written_at{};  // since 1970
};

// Whether it is as an upload left it. A file system, or a backup, that knows whole seconds alone is believed.
bool is_as_stored(const FileState& state, const Attachment& row);

// New bytes for a file, durable under a name that nobody reads; gone with this object unless they were published.
class StagedFile {
 public:
  virtual ~StagedFile() = default;
  virtual const Sha256Digest& digest() const = 0;  // of what was written
  // They are durable in the place of whatever was there.
  virtual Status publish() = 0;
};

// Errors   kNotFound no such file (look, open, set_time); kDiskFull; kInternal
class LocalFiles {
 public:
  virtual ~LocalFiles() = default;
  virtual Result<FileState> look(const ObjectKey& key) = 0;  // one system call
  virtual Result<UniqueFd> open(const ObjectKey& key) = 0;   // to read
  virtual Status set_time(const ObjectKey& key, TimePoint written_at) = 0;
  virtual Result<std::unique_ptr<StagedFile>> stage(const ObjectKey& key, const FileRange& bytes,
                                                    TimePoint written_at) = 0;
};

struct CopyPlace {
  StoreKind store = StoreKind::kS3;
  std::string key;
};

struct FileWithCopy {
  Attachment file;
  bool is_wanted = false;          // there is a row of a copy
  std::optional<CopyPlace> place;  // where it is; empty: not copied yet
};

// What is not copied yet.
struct CopyGap {
  std::uint64_t files = 0, bytes = 0;
  std::chrono::seconds oldest{};  // since it was wanted
};

struct CopyPage {
  Uuid last{};  // the last file that was looked at; nil: there was none
  std::uint64_t looked_at = 0;
  std::uint64_t queued = 0, queued_bytes = 0;
};

// The rows of copies. One statement a call, but for put_right().
// Errors   kDatabase as Rows
class CopyRows {
 public:
  virtual ~CopyRows() = default;

  virtual Result<std::optional<FileWithCopy>> find(const Uuid& id) = 0;
  // The copy is there: its row names it, and its ticket goes. kConflict when it is not wanted any more or was made by
  // somebody else, or the ticket is gone.
  virtual Status commit_copy(const Uuid& id, const CopyPlace& place, DeletionTicket ticket) = 0;
  // Of a file whose local bytes are not what they should be: where its copy is, and by the first who asks a job
  // 'repair_object' is made. Empty: there is no copy.
  virtual Result<std::optional<CopyPlace>> ask_repair(const Uuid& id) = 0;
  // Runs `act` while nobody can delete the row or move its object, then notes that file and copy are right. False: the
  // row is gone or names another object, and `act` was not run.
  virtual Result<bool> put_right(const Uuid& id, const ObjectKey& local, const std::function<Status()>& act) = 0;
  // The local file is right, and nothing is left to be repaired.
  virtual Status note_right(const Uuid& id) = 0;
  // The copy at `place` is gone or not what it should be: it is wanted anew, with a job, and what lies there is
  // deleted. False: the row says something else by now.
  virtual Result<bool> want_again(const Uuid& id, const CopyPlace& place) = 0;

  // What was asked for. What was never asked for (files from before STORAGE=hybrid) is uncounted().
  virtual Result<CopyGap> gap() = 0;
  virtual Result<CopyGap> uncounted() = 0;
  // The next files of the local store behind `after`, by id: those without a copy, or with the wish for one that no job
  // works at, get both. In a rehearsal they are only counted.
  virtual Result<CopyPage> want_page(const Uuid& after, std::size_t most, bool is_rehearsal) = 0;
};

}  // namespace cloakroom
