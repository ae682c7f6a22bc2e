// download.h — decides how the bytes of an attachment reach the client. nginx or the worker's edge carries it out.
//
// Plans    EmptyBody     0 bytes: answered at once, a proxy or a slice of nothing goes wrong elsewhere
//          InternalFile  X-Accel-Redirect to the local store's folder
//          InternalS3    X-Accel-Redirect to nginx's S3 proxy; `target` is a presigned path and never leaves the host
//          Redirect      302 for the browser: to the CDN, or to a presigned URL
//          Stream        the worker sends the bytes from `store`
//          StreamFile    the same from an open file
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/handle.h"
#include "domain/ports.h"

namespace cloakroom {

enum class Delivery { kProxy, kRedirect, kStream };

struct EmptyBody {};
struct InternalFile {
  std::string key;
  bool is_legacy = false;  // below LEGACY_FALLBACK_ROOT instead of the store's folder
};
// How nginx gets an object from the store. A signature is judged when a request begins.
enum class Fetch {
  kWhole,   // in one request, kept in the cache
  kSlices,  // in as many as the reader's speed asks for, over hours: kept in the cache, too
  kOnce     // what was asked for in one request, not kept: slices that would outlive temporary credentials
};
struct InternalS3 {
  StoreKind store = StoreKind::kS3;
  std::string target;  // path and query, percent-encoded
  Fetch fetch = Fetch::kWhole;
  std::string key;
};
struct Redirect {
  std::string url;
};
struct Stream {
  BlobStore* store = nullptr;
  ObjectKey key;
};
// The same of a file that is open already.
struct StreamFile {
  std::shared_ptr<const UniqueFd> file;
};
using DownloadPlan = std::variant<EmptyBody, InternalFile, InternalS3, Redirect, Stream, StreamFile>;

// The stores there are, by kind. A row of a kind that is not configured cannot be served.
struct Stores {
  // A presigner without a store is of no use; a store without one is streamed.
  struct Bucket {
    BlobStore* store = nullptr;
    Presigner* presigner = nullptr;
  };
  BlobStore* local = nullptr;
  Bucket s3 = {};
  Bucket s3_secondary = {};

  BlobStore* by_kind(StoreKind kind) const { return kind == StoreKind::kLocal ? local : bucket(kind).store; }
  // Null for the local disk.
  Presigner* presigner(StoreKind kind) const { return kind == StoreKind::kLocal ? nullptr : bucket(kind).presigner; }

 private:
  const Bucket& bucket(StoreKind kind) const { return kind == StoreKind::kS3 ? s3 : s3_secondary; }
};

struct DownloadRules {
  Delivery delivery = Delivery::kProxy;
  std::chrono::seconds presign_expires{};
  // "https://cdn.example.com", in front of the bucket of `cdn_store`; empty: none. For public files alone: it asks
  // nobody who he is.
  std::string cdn_url = {};
  StoreKind cdn_store = StoreKind::kS3;
};

// What the browser is to be told of the bytes, where the store tells it.
struct BrowserHeaders {
  std::string_view disposition;
  std::string_view content_type;
};

struct DownloadWish {
  BrowserHeaders headers;
  bool head_only = false;
  // nginx must not send: it would judge If-Match or If-Unmodified-Since by what it knows of the file, wrongly.
  bool by_worker = false;
  // `headers` are not those kept with the object, so an address that cannot carry them will not do.
  bool other_than_stored = false;
  // A presigned URL must not outlive what it was given for: the shorter of this and the rule's. 0: the rule's.
  std::chrono::seconds most_life{};
};

class Downloads {
 public:
  Downloads(Stores stores, DownloadRules rules) : stores_(stores), rules_(std::move(rules)) {}

  Result<DownloadPlan> plan(const Attachment& attachment, const DownloadWish& wish) const;

  // Whether direct_url() may be other than empty.
  bool gives_direct_urls() const { return !rules_.cdn_url.empty() || rules_.delivery == Delivery::kRedirect; }
  // The address at the CDN: the same for ever, and for everybody. Empty where there is none.
  std::string cdn_url(const Attachment& attachment) const;
  // The address of the bytes for `data_url`: the CDN's; else presigned with DELIVERY=redirect; else empty (the stable
  // address serves).
  std::string direct_url(const Attachment& attachment, const BrowserHeaders& headers) const;

 private:
  struct Signable {
    Presigner& by;
    const ObjectKey& key;
  };
  Result<std::string> browser_url(const Signable& object, const BrowserHeaders& headers, std::string_view method,
                                  std::chrono::seconds most_life = {}) const;

  Stores stores_;
  DownloadRules rules_;
};

}  // namespace cloakroom
