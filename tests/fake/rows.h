// rows.h — the port Rows in memory, with the rules of sql/: tickets, the commit point, links, members.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/ports.h"
#include "fake/failures.h"

namespace cloakroom::fake {

class FakeRows final : public Rows {
 public:
  explicit FakeRows(Journal* journal = nullptr) : failures(journal) {}

  struct Deletion {
    StoreKind store;
    std::string key;
    std::chrono::seconds grace;
  };
  Failures failures;
  std::vector<Attachment> attachments;
  std::map<std::int64_t, Deletion> deletions;  // by ticket
  std::vector<std::string> to_be_moved;        // keys of rows with a job 'move_object'
  std::set<std::pair<std::string, std::string>> members;
  std::vector<std::string> spent;              // "downloads u:alice", in order
  std::map<std::int64_t, std::uint64_t> room;  // held by tickets; bytes
  std::vector<RoomRequest> room_requests;

  Status ready() override { return failures.enter("ready"); }

  Result<std::vector<DeletionTicket>> plan_deletions(StoreKind store, std::span<const ObjectKey> keys,
                                                     std::chrono::seconds grace) override {
    TRY(failures.enter("plan_deletions"));
    std::vector<DeletionTicket> tickets;
    for (const ObjectKey& key : keys) {
      tickets.push_back({++last_ticket_});
      deletions.insert({last_ticket_, {store, key.str(), grace}});
    }
    return tickets;
  }

  Result<std::vector<DeletionTicket>> plan_upload(StoreKind store, std::span<const ObjectKey> keys,
                                                  std::chrono::seconds grace, const UploadClaim& claim) override {
    TRY(spend(claim.spenders, Budget::kUploads));
    if (!claim.room.rules.any()) return plan_deletions(store, keys, grace);
    room_requests.push_back(claim.room);
    TRY(failures.enter("find_room"));
    auto tickets = plan_deletions(store, keys, grace);
    for (std::size_t i = 0; tickets && i < keys.size(); ++i) room[(*tickets)[i].id] = claim.room.sizes.at(i);
    return tickets;
  }

  Status give_up_room(std::span<const DeletionTicket> tickets) override {
    TRY(failures.enter("give_up_room"));
    for (const DeletionTicket& ticket : tickets) room.erase(ticket.id);
    return Ok{};
  }

  Result<Usage> usage_of(const std::string& user_id) override {
    TRY(failures.enter("usage_of"));
    Usage used;
    for (const Attachment& a : attachments) {
      if (a.uploader_id != user_id) continue;
      used.bytes += a.size_bytes;
      ++used.files;
    }
    return used;
  }

  Result<std::optional<ReadableAttachment>> find_within(const Uuid& id, const std::optional<std::string>& user_id,
                                                        const Spenders& spenders) override {
    TRY(spend(spenders, Budget::kDownloads));
    return find(id, user_id);
  }

  // Endless budgets, but for a failure that was ordered.
  Status spend(const Spenders& spenders, Budget budget) override {
    if (spenders.empty()) return Ok{};
    TRY(failures.enter("spend"));
    for (const Spender& one : spenders) spent.push_back(std::string(to_string(budget)) + " " + one.key);
    return Ok{};
  }

  Status hasten_deletions(std::span<const DeletionTicket> tickets) override {
    TRY(failures.enter("hasten_deletions"));
    for (const DeletionTicket& ticket : tickets) {
      const auto found = deletions.find(ticket.id);
      if (found != deletions.end()) found->second.grace = std::chrono::seconds(0);
      room.erase(ticket.id);
    }
    return Ok{};
  }

  Status commit_upload(std::span<const Attachment> made, std::span<const DeletionTicket> tickets) override {
    TRY(failures.enter("commit_upload"));
    const auto held = [this](const DeletionTicket& ticket) { return deletions.contains(ticket.id); };
    if (!std::all_of(tickets.begin(), tickets.end(), held)) return refuse(Errc::kConflict, "the upload took too long");
    for (const DeletionTicket& ticket : tickets) deletions.erase(ticket.id);
    for (const DeletionTicket& ticket : tickets) room.erase(ticket.id);
    attachments.insert(attachments.end(), made.begin(), made.end());
    return Ok{};
  }

  Status commit_kept(std::span<const Attachment> made, std::span<const DeletionTicket> tickets) override {
    TRY(commit_upload(made, tickets));
    for (const Attachment& a : made) to_be_moved.push_back(a.key);
    return Ok{};
  }

  Status add_external(const Attachment& made) override {
    TRY(failures.enter("add_external"));
    attachments.push_back(made);
    return Ok{};
  }

  Status switch_object(const ObjectSwitch& change) override {
    TRY(failures.enter("switch_object"));
    Attachment* a = by_id(change.id);
    if (a == nullptr || a->store != change.from || a->key != change.from_key || !deletions.contains(change.ticket.id))
      return refuse(Errc::kConflict, "the attachment was changed meanwhile");
    a->store = change.to;
    a->key = change.to_key;
    deletions.erase(change.ticket.id);
    deletions.insert({++last_ticket_, {change.from, change.from_key, change.linger}});
    return Ok{};
  }

  // What happens just before a find() looks.
  std::function<void()> before_find = [] {};

  Result<std::optional<ReadableAttachment>> find(const Uuid& id, const std::optional<std::string>& user) override {
    TRY(failures.enter("find"));
    before_find();
    const Attachment* found = by_id(id);
    if (found == nullptr) return std::optional<ReadableAttachment>();
    return std::optional(readable(*found, user));
  }

  Result<std::vector<ReadableAttachment>> find_by_messages(std::span<const std::string> message_ids,
                                                           const std::optional<std::string>& user) override {
    TRY(failures.enter("find_by_messages"));
    std::vector<ReadableAttachment> out;
    for (const Attachment& a : attachments) {
      if (a.message_id && std::find(message_ids.begin(), message_ids.end(), *a.message_id) != message_ids.end())
        out.push_back(readable(a, user));
    }
    return out;
  }

  Result<std::vector<Attachment>> find_unlinked(const std::optional<std::string>& uploader, std::size_t most) override {
    TRY(failures.enter("find_unlinked"));
    std::vector<Attachment> out;
    for (const Attachment& a : attachments) {
      if (out.size() < most && a.status == AttachmentStatus::kUploaded && a.uploader_id == uploader) out.push_back(a);
    }
    return out;
  }

  Result<std::vector<Attachment>> link(const LinkRequest& request) override {
    TRY(failures.enter("link"));
    std::vector<Attachment*> wanted;
    std::size_t linked = 0;  // to this very message already: the answer of an earlier call was lost
    for (const Uuid& id : request.attachment_ids) {
      Attachment* a = by_id(id);
      if (a == nullptr || a->uploader_id != request.uploader_id) return refuse(Errc::kConflict, kUnlinkable);
      if (std::find(wanted.begin(), wanted.end(), a) != wanted.end()) continue;
      const bool same_dialog = !request.dialog_id || a->dialog_id == request.dialog_id;
      const bool is_linked = a->status == AttachmentStatus::kLinked;
      if (a->status == AttachmentStatus::kQuarantined) return refuse(Errc::kConflict, kUnlinkable);
      const bool fits = is_linked ? a->message_id == request.message_id && same_dialog : !a->dialog_id || same_dialog;
      if (!fits) return refuse(Errc::kConflict, kUnlinkable);
      linked += is_linked ? 1 : 0;
      wanted.push_back(a);
    }
    const bool all_linked = linked == wanted.size();
    if (linked > 0 && !all_linked) return refuse(Errc::kConflict, kUnlinkable);
    if (!all_linked && !request.by_service) TRY(check_user_link(request, wanted));
    std::vector<Attachment> out;
    for (Attachment* a : wanted) {
      a->status = AttachmentStatus::kLinked;
      a->message_id = request.message_id;
      if (request.dialog_id) a->dialog_id = request.dialog_id;
      out.push_back(*a);
    }
    return out;
  }

  Result<bool> remove_unlinked(const Uuid& id) override {
    TRY(failures.enter("remove_unlinked"));
    return std::erase_if(attachments,
                         [&](const Attachment& a) { return a.id == id && a.status != AttachmentStatus::kLinked; }) > 0;
  }

  Result<bool> quarantine(const Uuid& id) override {
    TRY(failures.enter("quarantine"));
    Attachment* a = by_id(id);
    if (a != nullptr) a->status = AttachmentStatus::kQuarantined;
    return a != nullptr;
  }

  Result<std::uint64_t> remove_message(const std::string& message_id) override {
    TRY(failures.enter("remove_message"));
    return std::uint64_t{std::erase_if(attachments, [&](const Attachment& a) { return a.message_id == message_id; })};
  }

  Status replace_members(const std::string& dialog_id, std::span<const std::string> user_ids) override {
    TRY(failures.enter("replace_members"));
    std::erase_if(members, [&](const auto& m) { return m.first == dialog_id; });
    for (const std::string& user : user_ids) members.insert({dialog_id, user});
    return Ok{};
  }

 private:
  static constexpr const char* kUnlinkable = "one of the attachments cannot be linked";

  Attachment* by_id(const Uuid& id) {
    const auto found =
        std::find_if(attachments.begin(), attachments.end(), [&](const Attachment& a) { return a.id == id; });
    return found == attachments.end() ? nullptr : &*found;
  }

  ReadableAttachment readable(const Attachment& a, const std::optional<std::string>& user) const {
    return {a, a.dialog_id && user && members.contains({*a.dialog_id, *user})};
  }

  // A user links within one dialog, of which he is a member when it has any, and only to a message of his own.
  Status check_user_link(const LinkRequest& request, std::span<Attachment* const> wanted) const {
    const std::optional<std::string> dialog = request.dialog_id ? request.dialog_id : wanted.front()->dialog_id;
    for (const Attachment* a : wanted) {
      if (!request.dialog_id && a->dialog_id != dialog) return refuse(Errc::kConflict, "different dialogs");
    }
    const bool known =
        dialog && std::any_of(members.begin(), members.end(), [&](const auto& m) { return m.first == *dialog; });
    if (known && !members.contains({*dialog, request.uploader_id.value_or("")}))
      return refuse(Errc::kConflict, "you are not one of its members");
    for (const Attachment& a : attachments) {
      if (a.message_id == request.message_id && (a.uploader_id != request.uploader_id || a.dialog_id != dialog))
        return refuse(Errc::kConflict, "it is not yours or is in another dialog");
    }
    return Ok{};
  }

  std::int64_t last_ticket_ = 0;
};

}  // namespace cloakroom::fake
