// metered_rows.cc — the statements of PgRows that spend from budgets on the way.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "db/attachments.h"
#include "db/variants.h"

namespace cloakroom {
namespace {

// How long nobody is measured after the meter failed: a table that hangs costs one request its time, not each.
constexpr std::chrono::seconds kMeterPause{10};

// Rows when the budgets allow it, with or without an attachment in them, and how far ahead the budgets are.
#define CLOAKROOM_FIND_IF(allowed, more, joined)                                                                   \
  " SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_IS_MEMBER ", one.ahead, one.missed" more " FROM " allowed \
  " CROSS JOIN " CLOAKROOM_ONE_BY_ID joined
#define CLOAKROOM_SPEND_DOWNLOAD(key, from, every, slack, misses) \
  CLOAKROOM_SPEND_INTO("downloads", key, from, every, slack)      \
  CLOAKROOM_HAS_MISSES(misses)                                    \
  " RETURNING " CLOAKROOM_AHEAD("downloads") " AS ahead, " CLOAKROOM_AHEAD("misses") " AS missed"
#define CLOAKROOM_ONE_PAYS "WITH one AS (" CLOAKROOM_SPEND_DOWNLOAD("$3", "", "$4", "$5", "$6") ")"
#define CLOAKROOM_TWO_PAY                                                                                      \
  "WITH one AS (" CLOAKROOM_SPEND_DOWNLOAD("$3", "", "$4", "$5", "$6") "), two AS (" CLOAKROOM_SPEND_DOWNLOAD( \
      "$7", " FROM one", "$8", "$9", "$10") ")"
#define CLOAKROOM_JOIN_VARIANTS(name) " LEFT JOIN variants v ON v.attachment_id = a.id AND v.name = " name "::text"

constexpr Statement kFindOne{"find_within_1", CLOAKROOM_ONE_PAYS CLOAKROOM_FIND_IF("one", "", "")};
constexpr Statement kFindTwo{"find_within_2",
                             CLOAKROOM_TWO_PAY CLOAKROOM_FIND_IF("one CROSS JOIN two", ", two.ahead, two.missed", "")};
constexpr Statement kFindVariants{"find_with_variants", "SELECT " CLOAKROOM_ATTACHMENT_COLUMNS ", " CLOAKROOM_IS_MEMBER
                                                        ", " CLOAKROOM_VARIANT_COLUMNS
                                                        " FROM " CLOAKROOM_ONE_BY_ID CLOAKROOM_JOIN_VARIANTS("$3")};
constexpr Statement kFindVariantsOne{
    "find_with_variants_1",
    CLOAKROOM_ONE_PAYS CLOAKROOM_FIND_IF("one", ", " CLOAKROOM_VARIANT_COLUMNS, CLOAKROOM_JOIN_VARIANTS("$7"))};
constexpr Statement kFindVariantsTwo{
    "find_with_variants_2",
    CLOAKROOM_TWO_PAY CLOAKROOM_FIND_IF("one CROSS JOIN two", ", two.ahead, two.missed, " CLOAKROOM_VARIANT_COLUMNS,
                                        CLOAKROOM_JOIN_VARIANTS("$11"))};
constexpr int kAheadColumn = kAttachmentColumns + 1;  // two a spender

// What may be taken in advance of both budgets: fewer of what could be misses.
std::int64_t left_after(const ResultSet& set, const Spenders& spenders) {
  constexpr std::int64_t kMissesWeight = 4;
  constexpr std::int64_t kPlenty = std::int64_t{kMostLeased} * kLeaseShare;
  std::int64_t left = kPlenty;
  int column = kAheadColumn;
  for (const Spender& spender : spenders) {
    left = std::min(left, left_of(spender, Budget::kDownloads, set.integer(0, column++)));
    left =
        std::min(left, kMissesWeight * std::min(kPlenty, left_of(spender, Budget::kMisses, set.integer(0, column++))));
  }
  return left;
}

// As plan_deletions in attachments.cc.
#define CLOAKROOM_PLAN_IF(allowed)                                  \
  " INSERT INTO deletion_tickets (store, key, due_at)"              \
  " SELECT $1::text, k.key, now() + $3::int8 * interval '1 second'" \
  " FROM " allowed                                                  \
  ", set_config('synchronous_commit', 'off', true) c,"              \
  " unnest($2::text[]) WITH ORDINALITY k (key, place) ORDER BY k.place RETURNING id"
#define CLOAKROOM_SPEND_UPLOAD(key, from, every, slack) \
  CLOAKROOM_SPEND_INTO("uploads", key, from, every, slack) " RETURNING 1"

constexpr Statement kPlanOne{"plan_upload_1", "WITH one AS (" CLOAKROOM_SPEND_UPLOAD("$4", "", "$5", "$6") ")"  //
                             CLOAKROOM_PLAN_IF("one")};
constexpr Statement kPlanTwo{"plan_upload_2",
                             "WITH one AS (" CLOAKROOM_SPEND_UPLOAD("$4", "", "$5", "$6") "), two AS ("  //
                             CLOAKROOM_SPEND_UPLOAD("$7", " FROM one", "$8", "$9") ")" CLOAKROOM_PLAN_IF("two")};

}  // namespace

bool PgRows::is_metered(const Spenders& spenders, Budget budget) const {
  return is_limited(spenders, budget) && std::chrono::steady_clock::now() >= unmetered_until_;
}

void PgRows::meter_failed(const Error& why) {
  unmetered_until_ = std::chrono::steady_clock::now() + kMeterPause;
  log(Level::kWarning, "rate_limit.off", {{"seconds", kMeterPause.count()}, {"detail", why.detail}});
}

Result<PgRows::Answer> PgRows::ask(const Question& question) {
  Params params;
  params.uuid(question.id).text(question.user_id);
  if (question.name) params.text(*question.name);
  TRY_ASSIGN(auto set, database_.run(question.plain, params));
  return Answer{std::move(set), kAheadColumn};
}

Result<PgRows::Answer> PgRows::ask_within(const Question& question, const Spenders& spenders) {
  if (!is_metered(spenders, Budget::kDownloads) && !is_metered(spenders, Budget::kMisses)) return ask(question);
  const auto now = std::chrono::steady_clock::now();
  if (downloads_in_advance_.use(spenders, now)) return ask(question);
  const std::uint32_t wish = downloads_in_advance_.wish(spenders, now);
  auto found = ask_and_pay(question, spenders, wish);
  const bool was_greedy = !found && found.error().code == Errc::kTooMany && wish > 1;
  if (!was_greedy) return found;
  downloads_in_advance_.drop(spenders);
  return ask_and_pay(question, spenders, 1);
}

Result<PgRows::Answer> PgRows::ask_and_pay(const Question& question, const Spenders& spenders, std::uint32_t times) {
  Params params;
  params.uuid(question.id).text(question.user_id);
  spend_params(params, spenders, Budget::kDownloads, Misses::kAsked, times);
  if (question.name) params.text(*question.name);
  auto set = database_.run(spenders.size() > 1 ? question.of_two : question.of_one, params);
  if (!set) {
    auto plain = ask(question);  // when all of the database is away, this says so
    if (plain) meter_failed(set.error());
    return plain;
  }
  if (set->rows() == 0) return rates_.refusal(spenders, Budget::kDownloads, Misses::kAsked);
  downloads_in_advance_.grant(spenders, times, left_after(*set, spenders), std::chrono::steady_clock::now());
  return Answer{*std::move(set), kAheadColumn + 2 * static_cast<int>(spenders.size())};
}

Result<std::optional<ReadableAttachment>> PgRows::find_within(const Uuid& id, const std::optional<std::string>& user_id,
                                                              const Spenders& spenders) {
  TRY_ASSIGN(const Answer answer, ask_within({kFindById, kFindOne, kFindTwo, id, user_id}, spenders));
  return read_one_by_id(answer.set);
}

Result<FileAndVariants> PgRows::find_with_variants(const Uuid& id, const std::optional<std::string>& user_id,
                                                   const Spenders& spenders, std::string_view name) {
  TRY_ASSIGN(const Answer answer,
             ask_within({kFindVariants, kFindVariantsOne, kFindVariantsTwo, id, user_id, name}, spenders));
  FileAndVariants out;
  TRY_ASSIGN(out.file, read_one_by_id(answer.set));
  for (int row = 0; row < answer.set.rows(); ++row) {
    if (answer.set.is_null(row, answer.more_column)) continue;  // the file alone
    TRY_ASSIGN(Variant one, read_variant(answer.set, row, answer.more_column, name));
    out.variants.push_back(std::move(one));
  }
  return out;
}

Status PgRows::spend(const Spenders& spenders, Budget budget) {
  if (!is_metered(spenders, budget)) return Ok{};
  Status spent = rates_.spend(spenders, budget);
  if (spent) return spent;
  if (spent.error().code == Errc::kTooMany) {
    downloads_in_advance_.drop(spenders);  // no misses left: the next request hears of it, whatever it asks for
    return spent;
  }
  meter_failed(spent.error());
  return Ok{};
}

Result<std::vector<DeletionTicket>> PgRows::plan_upload(StoreKind store, std::span<const ObjectKey> keys,
                                                        std::chrono::seconds grace, const UploadClaim& claim) {
  if (claim.room.rules.any()) {
    if (!is_metered(claim.spenders, Budget::kUploads)) return plan_within_room(store, keys, grace, {{}, claim.room});
    auto planned = plan_within_room(store, keys, grace, claim);
    const bool is_answer = planned || planned.error().code == Errc::kTooMany || planned.error().code == Errc::kQuota;
    if (is_answer) return planned;
    auto unmetered = plan_within_room(store, keys, grace, {{}, claim.room});
    if (unmetered) meter_failed(planned.error());
    return unmetered;
  }
  if (!is_metered(claim.spenders, Budget::kUploads)) return plan_deletions(store, keys, grace);
  PgArray key_array(PgArray::Element::kText, keys.size());
  for (const auto& key : keys) key_array.bytes(key.str());
  Params params;
  params.text(to_string(store)).array(std::move(key_array)).int8(grace.count());
  spend_params(params, claim.spenders, Budget::kUploads, Misses::kNotAsked);
  const auto set = database_.run(claim.spenders.size() > 1 ? kPlanTwo : kPlanOne, params);
  if (!set) {
    auto plain = plan_deletions(store, keys, grace);
    if (plain) meter_failed(set.error());
    return plain;
  }
  if (set->rows() == 0) return rates_.refusal(claim.spenders, Budget::kUploads, Misses::kNotAsked);
  std::vector<DeletionTicket> tickets;
  for (int row = 0; row < set->rows(); ++row) tickets.push_back({set->integer(row, 0)});
  return tickets;
}

}  // namespace cloakroom
