// download.cc — the delivery decision.
#include "domain/download.h"

#include <algorithm>

#include "base/encode.h"
#include "domain/proxy_cache.h"

namespace cloakroom {
namespace {

// URLs that stay inside the host are signed for as long as S3 allows: a short life would cut a slow, sliced download.
constexpr std::chrono::seconds kInternalUrlLife{604800};

}  // namespace

Result<std::string> Downloads::browser_url(const Signable& object, const BrowserHeaders& headers,
                                           std::string_view method, std::chrono::seconds most_life) const {
  const auto life = most_life.count() > 0 ? std::min(most_life, rules_.presign_expires) : rules_.presign_expires;
  return object.by.presign(object.key, {.method = method,
                                        .expires = life,
                                        .content_disposition = headers.disposition,
                                        .content_type = headers.content_type,
                                        .for_browser = true});
}

Result<DownloadPlan> Downloads::plan(const Attachment& attachment, const DownloadWish& wish) const {
  auto parsed = ObjectKey::parse(attachment.key);
  // the row is at fault, not the request
  if (!parsed) return Error{Errc::kInternal, "the row's key is refused: " + parsed.error().detail};
  ObjectKey key = *std::move(parsed);
  BlobStore* store = stores_.by_kind(attachment.store);
  if (store == nullptr) {
    return Error{Errc::kStore, "the row's store '" + std::string(to_string(attachment.store)) + "' is not configured"};
  }
  Presigner* const presigner = stores_.presigner(attachment.store);
  if (presigner != nullptr && rules_.delivery == Delivery::kRedirect) {
    if (std::string cdn = cdn_url(attachment); !cdn.empty() && !wish.other_than_stored) {
      return DownloadPlan(Redirect{std::move(cdn)});
    }
    TRY_ASSIGN(std::string url,
               browser_url({*presigner, key}, wish.headers, wish.head_only ? "HEAD" : "GET", wish.most_life));
    return DownloadPlan(Redirect{std::move(url)});
  }
  if (attachment.size_bytes == 0) return DownloadPlan(EmptyBody{});
  if (rules_.delivery == Delivery::kStream || wish.by_worker) return DownloadPlan(Stream{store, std::move(key)});
  if (attachment.store == StoreKind::kLocal) return DownloadPlan(InternalFile{key.str()});
  if (presigner == nullptr) return DownloadPlan(Stream{store, std::move(key)});
  TRY_ASSIGN(std::string path, presigner->presign_path(key, {.method = "GET", .expires = kInternalUrlLife}));
  Fetch fetch = Fetch::kWhole;
  if (is_sliced(attachment.size_bytes)) {
    TRY_ASSIGN(const bool temporary, presigner->is_temporary());
    fetch = temporary ? Fetch::kOnce : Fetch::kSlices;
  }
  return DownloadPlan(InternalS3{attachment.store, std::move(path), fetch, key.str()});
}

std::string Downloads::cdn_url(const Attachment& attachment) const {
  if (rules_.cdn_url.empty() || attachment.store != rules_.cdn_store || !ObjectKey::parse(attachment.key)) return {};
  return rules_.cdn_url + "/" + percent_encode_path(attachment.key);
}

std::string Downloads::direct_url(const Attachment& attachment, const BrowserHeaders& headers) const {
  if (std::string cdn = cdn_url(attachment); !cdn.empty()) return cdn;
  Presigner* const presigner = stores_.presigner(attachment.store);
  if (rules_.delivery != Delivery::kRedirect || presigner == nullptr) return {};
  const auto key = ObjectKey::parse(attachment.key);
  if (!key) return {};
  auto url = browser_url({*presigner, *key}, headers, "GET");
  return url ? *std::move(url) : std::string();
}

}  // namespace cloakroom
