// legacy.cc — old addresses: the attachment that was made of the file, else the file itself.
#include <algorithm>

#include "domain/legacy_path.h"
#include "routes/app.h"
#include "routes/file_answer.h"

namespace cloakroom {
namespace {

// Of one file that many messages have. Whoever may read one of them may read those bytes.
constexpr std::size_t kMostAttachments = 20;

// Until it is taken over the old application may change it, and who may read it is about to change.
constexpr std::string_view kAskAgain = "private, no-cache";

// Whoever guesses paths must not learn by the time of an answer which were taken over: there is always one look for an
// attachment, if need be for one that cannot be.
Result<std::optional<Attachment>> readable_of(App& app, const Context& context, std::span<const Uuid> ids) {
  // that a file may be read by whoever knows its address is said of addresses that cannot be guessed
  const bool is_open = app.options.legacy.access == LegacyAccess::kPublic;
  const Visibility visibility = is_open ? app.options.visibility : Visibility::kPrivate;
  const bool is_granted = app.identity.is_granted(evidence_of(context.request));
  for (std::size_t i = 0; i < std::max<std::size_t>(ids.size(), 1); ++i) {
    const Uuid id = ids.empty() ? Uuid{} : ids[i];
    TRY_ASSIGN(auto found, i == 0 ? find_file(app, context, id) : app.rows.find(id, context.caller.user_id));
    Caller caller = context.caller;
    if (is_granted) caller.granted_id = id;  // nginx named the address, which means this file
    if (!check_read_file(visibility, caller, found)) continue;
    TRY_ASSIGN(Attachment file, as_readable_now(app, {visibility, caller}, std::move(found->attachment)));
    return std::optional(std::move(file));
  }
  return std::optional<Attachment>();
}

}  // namespace

Result<Response> get_legacy(App& app, const Context& context) {
  const LegacyRules& rules = app.options.legacy;
  const auto path = legacy_path(context.request.path, {rules.path, true});
  if (!path) return cloaked();
  TRY_ASSIGN(const std::vector<Uuid> ids, app.legacy->ids_of(path->str(), kMostAttachments));
  TRY_ASSIGN(const auto attachment, readable_of(app, context, ids));
  if (attachment) return file_answer(app, context, *attachment);
  if (!ids.empty() || app.legacy_files == nullptr) return cloaked();
  TRY(check_read_legacy(rules.access, context.caller, app.identity.is_granted(evidence_of(context.request))));
  TRY_ASSIGN(const LegacyOpened opened, app.legacy_files->open(*path));
  const auto plan = [&](const DownloadWish& wish) -> Result<DownloadPlan> {
    if (opened.as_attachment.size_bytes == 0) return DownloadPlan(EmptyBody{});
    if (rules.by_worker || wish.by_worker) return DownloadPlan(StreamFile{opened.file});
    return DownloadPlan(InternalFile{.key = path->str(), .is_legacy = true});
  };
  return file_answer(app, context, opened.as_attachment, {.plan = plan, .cache_control = std::string(kAskAgain)});
}

}  // namespace cloakroom
