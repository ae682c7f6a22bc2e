// cleanup.cc — pages to candidates, candidates to batches.
#include "domain/cleanup.h"

#include <algorithm>
#include <utility>

#include "domain/attachment.h"

namespace cloakroom {
namespace {

constexpr std::size_t kSuspicious = 20;  // messages: an application may well have lost fewer at once
constexpr std::size_t kLeastPage = 1000;

std::string in_days(std::chrono::hours age) {
  return age.count() % 24 == 0 ? std::to_string(age.count() / 24) + "d" : std::to_string(age.count()) + "h";
}

}  // namespace

bool fits_type(std::string_view rule, std::string_view mime_type) {
  if (rule == "*" || rule == mime_type || rule == file_type(mime_type)) return true;
  return rule.ends_with("/*") && mime_type.starts_with(rule.substr(0, rule.size() - 1));
}

Result<bool> Cleanup::run() {
  TRY_ASSIGN(bool is_whole, run_stale());
  if (is_whole && (!rules_.retention.empty() || rules_.asks_owner)) {
    TRY_ASSIGN(is_whole, run_all());
  }
  return is_whole;
}

Result<bool> Cleanup::run_stale() {
  if (rules_.stale.count() == 0) return true;
  std::optional<CleanupFile> after;
  while (true) {
    TRY_ASSIGN(CleanupPage page, rows_.stale(rules_.stale, after, rules_.batch));
    if (page.files.empty()) return true;
    after = page.files.back();
    totals_.looked_at += page.files.size();
    std::vector<CleanupCandidate> candidates;
    for (CleanupFile& file : page.files) {
      const TimePoint since = std::max(file.created_at, file.unlinked_at.value_or(file.created_at));
      candidates.push_back({std::move(file), "linked to nothing since " + iso8601_ms(since) +
                                                 " (STALE_HOURS=" + std::to_string(rules_.stale.count()) + ")"});
    }
    TRY_ASSIGN(const bool goes_on, remove(std::move(candidates), page.now));
    if (!goes_on) return false;
  }
}

Result<bool> Cleanup::run_all() {
  Uuid after{};
  while (true) {
    TRY_ASSIGN(CleanupPage page, rows_.next(after, std::max(kLeastPage, rules_.batch)));
    if (page.files.empty()) return true;
    after = page.files.back().id;
    const TimePoint seen = page.now;
    TRY_ASSIGN(auto candidates, judge(std::move(page)));
    TRY_ASSIGN(const bool goes_on, remove(std::move(candidates), seen));
    if (!goes_on) return false;
  }
}

Result<std::vector<CleanupCandidate>> Cleanup::judge(CleanupPage page) {
  std::vector<CleanupCandidate> candidates;
  std::vector<CleanupFile> linked;
  for (CleanupFile& file : page.files) {
    const TimePoint since = std::max(file.created_at, file.unlinked_at.value_or(file.created_at));
    const bool is_stale = !file.message_id && rules_.stale.count() > 0 && since < page.now - rules_.stale;
    if (is_stale) continue;  // the first walk had it: it was told, removed, or kept for a reason
    ++totals_.looked_at;
    const auto rule = std::find_if(rules_.retention.begin(), rules_.retention.end(),
                                   [&](const RetentionRule& r) { return fits_type(r.type, file.mime_type); });
    if (rule != rules_.retention.end() && file.created_at < page.now - rule->age) {
      std::string reason = "uploaded " + iso8601_ms(file.created_at) + " (RETENTION " + rule->type + ":";
      reason += in_days(rule->age) + ")";
      candidates.push_back({std::move(file), std::move(reason)});
    } else if (rules_.asks_owner && file.message_id && file.linked_at && *file.linked_at < page.now - kOwnerGrace) {
      linked.push_back(std::move(file));
    }
  }
  TRY(add_orphans(std::move(linked), candidates));
  return candidates;
}

Status Cleanup::add_orphans(std::vector<CleanupFile> linked, std::vector<CleanupCandidate>& candidates) {
  if (linked.empty()) return Ok{};
  std::set<std::string> asked;
  for (const CleanupFile& file : linked) asked.insert(*file.message_id);
  const std::vector<std::string> ids(asked.begin(), asked.end());
  TRY_ASSIGN(const auto living, rows_.living(ids));
  const bool knows_none =
      std::none_of(ids.begin(), ids.end(), [&](const std::string& id) { return living.count(id) > 0; });
  if (knows_none && ids.size() >= kSuspicious && !rules_.trusts_owner) {
    return Error{Errc::kConflict, "OWNER_QUERY knows none of " + std::to_string(ids.size()) +
                                      " messages that have files, which looks like a mistake in it; if they really are "
                                      "gone, run it with --force"};
  }
  for (CleanupFile& file : linked) {
    if (living.count(*file.message_id) > 0) continue;
    std::string reason = "its message " + *file.message_id + " is gone (OWNER_QUERY)";
    candidates.push_back({std::move(file), std::move(reason)});
  }
  return Ok{};
}

Result<bool> Cleanup::remove(std::vector<CleanupCandidate> candidates, TimePoint seen) {
  std::span<const CleanupCandidate> rest(candidates);
  bool is_full = false;
  if (rules_.limit > 0 && rest.size() > rules_.limit - totals_.candidates) {
    rest = rest.first(static_cast<std::size_t>(rules_.limit - totals_.candidates));
    is_full = true;
  }
  totals_.candidates += rest.size();
  while (!rest.empty()) {
    const auto batch = rest.first(std::min(rules_.batch, rest.size()));
    rest = rest.subspan(batch.size());
    TRY(remove_batch(batch, seen));
    if (watch_.between) TRY(watch_.between(totals_));
  }
  if (candidates.empty() && watch_.between) TRY(watch_.between(totals_));
  return !is_full;
}

Status Cleanup::remove_batch(std::span<const CleanupCandidate> batch, TimePoint seen) {
  const auto tell = [&](const CleanupCandidate& one) {
    totals_.bytes += one.file.size_bytes;
    if (watch_.removed) watch_.removed(one);
  };
  if (rules_.is_rehearsal) {
    for (const CleanupCandidate& one : batch) tell(one);
    return Ok{};
  }
  const auto buried = rows_.bury(batch, seen, rules_.undo);
  if (!buried && buried.error().retryable) return buried.error();
  if (!buried && batch.size() > 1) {  // one of them cannot go: the others shall
    for (std::size_t i = 0; i < batch.size(); ++i) TRY(remove_batch(batch.subspan(i, 1), seen));
    return Ok{};
  }
  if (!buried) {
    ++totals_.failed;
    if (watch_.failed) watch_.failed(batch.front(), buried.error());
    return Ok{};
  }
  std::set<decltype(Uuid::bytes)> gone;
  for (const Uuid& id : *buried) gone.insert(id.bytes);
  for (const CleanupCandidate& one : batch) {
    if (gone.count(one.file.id.bytes) == 0) {
      ++totals_.kept;
      continue;
    }
    ++totals_.removed;
    tell(one);
  }
  return Ok{};
}

}  // namespace cloakroom
