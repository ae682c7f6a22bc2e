// direct.h — the two ports of direct uploads in memory: tickets beside FakeRows, and a store that signs nothing.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "domain/direct_ports.h"
#include "fake/rows.h"

namespace cloakroom::fake {

class FakeDirectRows final : public DirectUploadRows {
 public:
  explicit FakeDirectRows(FakeRows& rows, Journal* journal = nullptr) : failures(journal), rows_(rows) {}

  Failures failures;
  std::vector<DirectUpload> uploads;
  std::map<std::string, std::chrono::seconds> held;         // by id in hex
  std::vector<RoomRequest> rooms;                           // in order
  std::multiset<std::string> deleted_now;                   // keys with a job
  std::map<std::string, std::chrono::seconds> due_expired;  // key -> grace after its expiry

  Status add(const DirectUpload& upload, std::chrono::seconds grace) override {
    TRY(failures.enter("add"));
    uploads.push_back(upload);
    due_expired[upload.key] = grace;
    return Ok{};
  }
  Status add_within(const DirectUpload& upload, std::chrono::seconds grace, const RoomRequest& room) override {
    TRY(failures.enter("find_room"));
    rooms.push_back(room);
    return add(upload, grace);
  }
  Status set_upload_id(const Uuid& id, const std::string& upload_id) override {
    TRY(failures.enter("set_upload_id"));
    by_id(id)->upload_id = upload_id;
    return Ok{};
  }
  Result<std::optional<DirectUpload>> find(const Uuid& id) override {
    TRY(failures.enter("find_upload"));
    const DirectUpload* found = by_id(id);
    return found == nullptr ? std::optional<DirectUpload>() : std::optional(*found);
  }
  Status hold(const Uuid& id, std::chrono::seconds most) override {
    TRY(failures.enter("hold"));
    held[to_hex(id)] = most;
    return Ok{};
  }
  Status commit(const DirectUpload& upload, const Attachment& attachment, const DeletionTicket& ticket) override {
    TRY(failures.enter("commit"));
    DirectUpload* found = by_id(upload.id);
    if (found == nullptr || found->attachment_id || !rows_.deletions.contains(ticket.id)) {
      return cloakroom::refuse(Errc::kConflict, "the upload is complete or given up already");
    }
    rows_.deletions.erase(ticket.id);
    rows_.attachments.push_back(attachment);
    found->attachment_id = attachment.id;
    deleted_now.insert(upload.key);
    return Ok{};
  }
  Status refuse(const DirectUpload& upload) override {
    TRY(failures.enter("refuse"));
    const auto gone =
        std::erase_if(uploads, [&](const DirectUpload& u) { return u.id == upload.id && !u.attachment_id; });
    if (gone > 0) deleted_now.insert(upload.key);
    return Ok{};
  }
  Result<std::uint64_t> clean_up(std::chrono::seconds) override { return std::uint64_t{0}; }

 private:
  DirectUpload* by_id(const Uuid& id) {
    const auto found = std::find_if(uploads.begin(), uploads.end(), [&](const DirectUpload& u) { return u.id == id; });
    return found == uploads.end() ? nullptr : &*found;
  }

  FakeRows& rows_;
};

class FakeDirectStore final : public DirectStore {
 public:
  explicit FakeDirectStore(Journal* journal = nullptr) : failures(journal) {}

  Failures failures;
  std::set<std::string> unfinished;  // upload ids
  std::chrono::seconds last_expires{};

  Result<BrowserRequest> sign_upload(const DirectObject& object, std::chrono::seconds expires) override {
    TRY(failures.enter("sign_upload"));
    last_expires = expires;
    return BrowserRequest{"PUT", "https://files.example.com/" + object.key.str(), {{"Content-Type", "x/y"}}, {}};
  }
  Result<BrowserRequest> sign_part(const PartsRef& upload, const PartOf& part, std::chrono::seconds expires) override {
    TRY(failures.enter("sign_part"));
    last_expires = expires;
    return BrowserRequest{"PUT",
                          "https://files.example.com/" + upload.key.str() + "?n=" + std::to_string(part.number) +
                              "&size=" + std::to_string(part.size_bytes),
                          {},
                          {}};
  }
  Result<std::string> begin_parts(const DirectObject&) override {
    TRY(failures.enter("begin_parts"));
    unfinished.insert("upload-1");
    return std::string("upload-1");
  }
  Status finish_parts(const PartsRef& upload, std::span<const UploadedPart>, std::uint64_t) override {
    TRY(failures.enter("finish_parts"));
    unfinished.erase(std::string(upload.upload_id));
    return Ok{};
  }
  Status abort_parts(const PartsRef& upload) override {
    TRY(failures.enter("abort_parts"));
    unfinished.erase(std::string(upload.upload_id));
    return Ok{};
  }
};

}  // namespace cloakroom::fake
