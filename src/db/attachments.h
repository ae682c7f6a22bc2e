// attachments.h — the port Rows over PostgreSQL: every question of the service is one prepared statement.
//
// Source   sql/001_attachments.sql. Rules that must hold under concurrency (link, members, tickets) live there or in
//          the statement itself, never between two statements of ours.
// Tickets  a ticket counts while its row is there: the runner of jobs takes it away when it is due, and then the object
//          may be gone, so the upload must fail.
// Durable  a ticket may be lost when PostgreSQL's host crashes within about 0.6 s of it (synchronous_commit is off for
//          that statement): at worst an object without a row, which an audit finds. Rows are always durable.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/pg.h"
#include "db/rate_limits.h"
#include "domain/lease.h"
#include "domain/ports.h"

namespace cloakroom {

// The SELECT list of an attachment row, as read_attachment() reads it. `a` is the table.
#define CLOAKROOM_ATTACHMENT_COLUMNS                                                                              \
  "a.id, a.status, a.uploader_id, a.dialog_id, a.message_id, a.account_id, a.filename, a.mime_type, "             \
  "a.size_bytes, a.sha256, a.store, a.key, a.width, a.height, a.created_at, a.frames, a.duration_ms, a.picture, " \
  "a.placeholder, a.external_url"
inline constexpr int kAttachmentColumns = 20;
// One row for the id $1 as table `a`, whether there is one or not: without the stand-in, whose id is nil, a missing id
// was answered 20 us sooner than a foreign one (test_cloaking.py).
#define CLOAKROOM_ONE_BY_ID                                                                                    \
  "(SELECT * FROM (SELECT " CLOAKROOM_ATTACHMENT_COLUMNS                                                       \
  " FROM attachments a WHERE a.id = $1::uuid"                                                                  \
  " UNION ALL SELECT '00000000-0000-0000-0000-000000000000', 'linked', 'stand-in of nobody at all',"           \
  " 'dialog of nobody at all', 'message of nobody at all', NULL, 'stand-in.bin', 'application/octet-stream',"  \
  " 1, decode(repeat('00', 32), 'hex'), 'local', '00/00000000000000000000000000000000', NULL::int4,"           \
  " NULL::int4, '2000-01-01 00:00:00.123456+00'::timestamptz, NULL::int4, NULL::int4, NULL::text, NULL::text," \
  " NULL::text)"                                                                                               \
  " one_by_id LIMIT 1) a"
// The column after them, where a statement asks for it. $2 is the user's id.
#define CLOAKROOM_IS_MEMBER \
  "EXISTS (SELECT FROM dialog_members m WHERE m.dialog_id = a.dialog_id AND m.user_id = $2::text) AS is_member"

// $1 the id uuid, $2 user id text
extern const Statement kFindById;
// $1 message ids text[], $2 user id text
extern const Statement kFindByMessages;

// The one row of CLOAKROOM_ONE_BY_ID, and behind its columns whether the caller is a member; none for the stand-in.
Result<std::optional<ReadableAttachment>> read_one_by_id(const ResultSet& set);

// The row at `row`, whose first kAttachmentColumns columns are CLOAKROOM_ATTACHMENT_COLUMNS.
// Errors   kInternal a word that this program does not know (written by a newer one)
Result<Attachment> read_attachment(const ResultSet& set, int row);
Result<std::vector<Attachment>> read_attachments(const ResultSet& set);  // all rows of it

struct RowsOptions {
  bool wants_copies = false;  // of what is committed for the local store: each row with a wish for one, and its job
};

class PgRows : public Rows {
 public:
  explicit PgRows(Database& database, RowsOptions options = {}) : database_(database), options_(options) {}  // borrowed

  Status ready() override;
  Result<std::vector<DeletionTicket>> plan_deletions(StoreKind store, std::span<const ObjectKey> keys,
                                                     std::chrono::seconds grace) override;
  Status hasten_deletions(std::span<const DeletionTicket> tickets) override;
  Result<std::vector<DeletionTicket>> plan_upload(StoreKind store, std::span<const ObjectKey> keys,
                                                  std::chrono::seconds grace, const UploadClaim& claim) override;
  Status give_up_room(std::span<const DeletionTicket> tickets) override;
  Result<Usage> usage_of(const std::string& user_id) override;
  // REQUIRES: every attachment is kUploaded. Another row with the same id or the same object: kConflict.
  Status commit_upload(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) override;
  Status commit_kept(std::span<const Attachment> attachments, std::span<const DeletionTicket> tickets) override;
  Status add_external(const Attachment& attachment) override;
  Status switch_object(const ObjectSwitch& change) override;
  Result<std::optional<ReadableAttachment>> find(const Uuid& id, const std::optional<std::string>& user_id) override;
  Result<std::optional<ReadableAttachment>> find_within(const Uuid& id, const std::optional<std::string>& user_id,
                                                        const Spenders& spenders) override;
  Result<FileAndVariants> find_with_variants(const Uuid& id, const std::optional<std::string>& user_id,
                                             const Spenders& spenders, std::string_view name) override;
  Status spend(const Spenders& spenders, Budget budget) override;
  // Ordered by message, then by time of upload, then by id.
  Result<std::vector<ReadableAttachment>> find_by_messages(std::span<const std::string> message_ids,
                                                           const std::optional<std::string>& user_id) override;
  Result<std::vector<Attachment>> find_unlinked(const std::optional<std::string>& uploader_id,
                                                std::size_t most) override;
  // In the order of the request, each once. Repeating a link that was made already succeeds with the same answer.
  Result<std::vector<Attachment>> link(const LinkRequest& request) override;
  Result<bool> remove_unlinked(const Uuid& id) override;
  Result<bool> quarantine(const Uuid& id) override;
  Result<std::uint64_t> remove_message(const std::string& message_id) override;
  Status replace_members(const std::string& dialog_id, std::span<const std::string> user_ids) override;

 private:
  Status commit(const Statement& statement, std::span<const Attachment> attachments,
                std::span<const DeletionTicket> tickets);

  // A fault of the meter, not of the one who is measured: he passes, and for a while nobody is measured.
  bool is_metered(const Spenders& spenders, Budget budget) const;
  void meter_failed(const Error& why);
  Result<std::vector<DeletionTicket>> plan_within_room(StoreKind store, std::span<const ObjectKey> keys,
                                                       std::chrono::seconds grace, const UploadClaim& claim);
  // One file by its id, and perhaps more: the same question without and with budgets, of one spender or two.
  struct Question {
    const Statement &plain, &of_one, &of_two;
    const Uuid& id;
    const std::optional<std::string>& user_id;
    std::optional<std::string_view> name = {};  // a parameter of all three, their last
  };
  struct Answer {
    ResultSet set;
    int more_column = 0;  // the first behind what all questions have
  };
  Result<Answer> ask(const Question& question);
  Result<Answer> ask_within(const Question& question, const Spenders& spenders);
  Result<Answer> ask_and_pay(const Question& question, const Spenders& spenders, std::uint32_t times);

  Database& database_;
  RowsOptions options_;
  PgRateLimits rates_{database_};
  Leases downloads_in_advance_;
  std::chrono::steady_clock::time_point unmetered_until_{};
};

}  // namespace cloakroom
