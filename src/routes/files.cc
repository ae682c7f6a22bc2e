// files.cc — bytes out: access, conditions, range, then the way that domain/download chose.
#include <algorithm>

#include "base/encode.h"
#include "domain/legacy_files.h"
#include "domain/proxy_cache.h"
#include "http/byteranges.h"
#include "http/conditional.h"
#include "http/media_type.h"
#include "http/range.h"
#include "routes/app.h"
#include "routes/attachment_json.h"
#include "routes/file_answer.h"

namespace cloakroom {
namespace {

// Disarms what a browser might run if somebody opens the file itself: no scripts, no requests, an origin of its own.
// The viewers that browsers build around an image or a video still need their inline styles and the file.
constexpr std::string_view kFilePolicy =
    "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; sandbox";

std::chrono::seconds life_of(const App& app, const FileLink& link) {
  return std::chrono::duration_cast<std::chrono::seconds>(link.expires - app.clock.now());
}

// What came by a link is kept no longer than the link holds, and by nobody else: its address is a bearer token.
std::string caching(const App& app, const Caller& caller) {
  const std::string& usual = app.options.cache_control;
  if (!caller.link) return usual;
  const std::string lower = ascii_lower(usual);
  if (lower.find("no-store") != std::string::npos) return "no-store";
  if (lower.find("no-cache") != std::string::npos) return "private, no-cache";
  std::uint64_t seconds = static_cast<std::uint64_t>(life_of(app, *caller.link).count());
  if (const std::size_t at = lower.find("max-age="); at != std::string::npos) {
    const std::string_view digits = std::string_view(lower).substr(at + 8);
    const auto configured = parse_u64(digits.substr(0, digits.find_first_not_of("0123456789")));
    seconds = std::min(seconds, configured.value_or(0));
  }
  return "private, max-age=" + std::to_string(seconds);
}

Response file_response(const Attachment& a, const FileHeaders& headers) {
  Response r;
  r.add("ETag", headers.etag).add("Last-Modified", http_date(a.created_at)).add("Content-Security-Policy", kFilePolicy);
  return r;
}

// nginx answers several ranges from a file alone: of an object it has not, or only slices of, it sends the whole. So
// the worker does, unless they are long together: then the whole is what a client must take anyway (RFC 9110
// section 14.2).
constexpr std::uint64_t kMostRangesBytes = 16ULL << 20;

bool worker_sends_ranges(const Attachment& attachment, std::span<const ByteRange> ranges) {
  std::uint64_t total_bytes = 0;  // at most the object's size: parse_range sees to that
  for (const ByteRange& range : ranges) total_bytes += range.length;
  return ranges.size() > 1 && attachment.store != StoreKind::kLocal && total_bytes <= kMostRangesBytes;
}

// nginx knows each store, and nothing else, by a location of its name: nginx/s3-locations.inc.in.
std::string location_of(const InternalS3& object) {
  const std::string store(to_string(object.store));
  switch (object.fetch) {
    case Fetch::kWhole:
      return store;
    case Fetch::kSlices:
      return store + "-sliced";
    case Fetch::kOnce:
      return store + "-once";
  }
  BUG("a fetch without a location");
}

struct Asked {
  bool head = false;
  std::vector<ByteRange> ranges;  // empty: the whole file
};

// Carries a plan out: one overload a plan.
struct Render {
  const App& app;
  const Attachment& attachment;
  const FileHeaders& headers;
  const Asked& asked;
  const std::string& caching;
  Response r;

  std::string internal(std::string_view what) const {
    return "/_cloakroom/" + app.options.instance + "/" + std::string(what);
  }

  Response& own() {
    return r.add("Content-Type", headers.content_type)
        .add("Content-Disposition", headers.disposition)
        .add("Cache-Control", caching)
        .add("Accept-Ranges", "bytes");
  }
  // Under other names what nginx would keep even if the file is lost: its 404 must not be cached, nor have a file's
  // name. The charset is nginx's part too: it would stay on the 404.
  Response handed_over() {
    r.add("Content-Type", sent_type(attachment.mime_type))
        .add("X-Cloakroom-Disposition", headers.disposition)
        .add("X-Cloakroom-Cache-Control", caching);
    r.handed_over_bytes = attachment.size_bytes;
    return std::move(r);
  }
  // HEAD gets its length from the row; the stream is never run for it.
  Response length_only() {
    own().stream_bytes = attachment.size_bytes;
    r.stream = [](ByteSink&) { return Status(Ok{}); };
    return std::move(r);
  }

  using Reading = std::function<Status(const ByteRange&, ByteSink&)>;

  Response several(const Reading& read) {
    // 128 random bits: no file holds them by chance, nor because somebody wanted it to
    const ByteRanges ranges(asked.ranges, attachment.size_bytes, headers.content_type, random_hex(16));
    r.status = 206;
    r.add("Content-Type", ranges.content_type())
        .add("Content-Disposition", headers.disposition)
        .add("Cache-Control", caching)
        .add("Accept-Ranges", "bytes");
    r.stream_bytes = ranges.length_bytes();
    r.stream = [read, ranges](ByteSink& sink) {
      return ranges.send(sink, [&](const ByteRange& range, ByteSink& to) { return read(range, to); });
    };
    return std::move(r);
  }
  Response streamed(const Reading& read) {
    if (asked.head) return length_only();
    if (asked.ranges.size() > 1) return several(read);
    ByteRange range{0, attachment.size_bytes};
    if (asked.ranges.size() == 1) {
      range = asked.ranges.front();
      r.status = 206;
      r.add("Content-Range", content_range(range, attachment.size_bytes));
    }
    own().stream_bytes = range.length;
    r.stream = [read, range](ByteSink& sink) { return read(range, sink); };
    return std::move(r);
  }

  Response operator()(const EmptyBody&) { return std::move(own()); }
  Response operator()(const InternalFile& file) {
    if (asked.head) return length_only();  // nginx would apply a Range, which means nothing to HEAD
    r.add("X-Accel-Redirect", internal(file.is_legacy ? "legacy/" : "file/") + percent_encode_path(file.key));
    return handed_over();
  }
  Response operator()(const InternalS3& object) {
    if (asked.head) return length_only();
    r.add("X-Accel-Redirect", internal(location_of(object)));
    if (object.fetch == Fetch::kOnce && asked.ranges.size() == 1) {
      const ByteRange& range = asked.ranges.front();
      r.add("X-Cloakroom-Range",
            "bytes=" + std::to_string(range.offset) + "-" + std::to_string(range.offset + range.length - 1));
    }
    r.add("X-Cloakroom-Target", object.target);
    r.add("X-Cloakroom-Cache-Key", cache_key({app.options.instance, object.store, object.key}));
    return handed_over();
  }
  Response operator()(const Redirect& redirect) { return redirect_to(redirect.url); }
  Response operator()(const Stream& stream) {
    return streamed([store = stream.store, key = stream.key](const ByteRange& range, ByteSink& sink) {
      return store->get(key, range, sink);
    });
  }
  Response operator()(const StreamFile& stream) {
    return streamed(
        [file = stream.file](const ByteRange& range, ByteSink& sink) { return send_file(file->get(), range, sink); });
  }
};

// The row, if the caller may read it.
Result<Attachment> readable(App& app, const Context& context, const Uuid& id) {
  TRY_ASSIGN(auto found, find_file(app, context, id));
  TRY(check_read_file(app.options.visibility, context.caller, found));
  return as_readable_now(app, {app.options.visibility, context.caller}, std::move(found->attachment));
}

}  // namespace

Result<Attachment> as_readable_now(App& app, const Reader& reader, Attachment file) {
  if (app.fallback != nullptr && !file.external_url && file.store == app.fallback->kind()) {
    const auto key = ObjectKey::parse(file.key);
    if (!key) return file;
    const auto there = app.fallback->head(*key);
    if (there || there.error().code != Errc::kNotFound) return file;
    TRY_ASSIGN(auto found, app.rows.find(file.id, reader.caller.user_id));
    TRY(check_read_file(reader.visibility, reader.caller, found));
    file = std::move(found->attachment);
  }
  return app.copy_reader == nullptr ? file : app.copy_reader->as_served(std::move(file));
}

Result<Response> file_answer(App& app, const Context& context, const Attachment& attachment) {
  if (attachment.external_url) return redirect_to(*attachment.external_url);  // we know nothing of its bytes
  return file_answer(app, context, attachment,
                     {.plan = [&](const DownloadWish& wish) { return app.downloads.plan(attachment, wish); },
                      .cache_control = caching(app, context.caller)});
}

Result<Response> file_answer(App& app, const Context& context, const Attachment& attachment, const Sending& sending) {
  const Request& request = context.request;
  const bool download = query_value(request.query, "download") == "1";
  const FileHeaders headers = file_headers(attachment, download);
  const Validators validators{headers.etag, attachment.created_at};
  const Conditions conditions{.if_match = request.header("HTTP_IF_MATCH"),
                              .if_none_match = request.header("HTTP_IF_NONE_MATCH"),
                              .if_modified_since = request.header("HTTP_IF_MODIFIED_SINCE"),
                              .if_unmodified_since = request.header("HTTP_IF_UNMODIFIED_SINCE"),
                              .if_range = request.header("HTTP_IF_RANGE")};
  Response r = file_response(attachment, headers);
  switch (evaluate(conditions, validators)) {
    case Precondition::kFailed:
      return Error{Errc::kPreconditionFailed, "precondition"};
    case Precondition::kNotModified:
      r.status = 304;
      r.add("Cache-Control", sending.cache_control);
      return r;
    case Precondition::kProceed:
      break;
  }

  Asked asked{.head = request.method == "HEAD", .ranges = {}};
  if (!asked.head && range_applies(conditions.if_range, validators)) {
    const RangeAnswer wanted = parse_range(request.header("HTTP_RANGE"), attachment.size_bytes);
    if (std::holds_alternative<Unsatisfiable>(wanted)) {
      Response refused = problem(Error{Errc::kRangeNotSatisfiable, "range"}, request.id);
      refused.add("Content-Range", content_range_unsatisfied(attachment.size_bytes));
      return refused;
    }
    if (const auto* ranges = std::get_if<std::vector<ByteRange>>(&wanted)) asked.ranges = *ranges;
  }
  const bool validated = !conditions.if_match.empty() || !conditions.if_unmodified_since.empty();
  const DownloadWish wish{.headers = {headers.disposition, headers.content_type},
                          .head_only = asked.head,
                          .by_worker = validated || worker_sends_ranges(attachment, asked.ranges),
                          .other_than_stored = download,
                          // in its last second not 0, which would be "as long as the rules say"
                          .most_life = context.caller.link
                                           ? std::max(std::chrono::seconds(1), life_of(app, *context.caller.link))
                                           : std::chrono::seconds()};
  TRY_ASSIGN(const DownloadPlan plan, sending.plan(wish));
  return std::visit(Render{app, attachment, headers, asked, sending.cache_control, std::move(r)}, plan);
}

Result<Response> get_file(App& app, const Context& context) {
  TRY_ASSIGN(const Attachment attachment, readable(app, context, named_id(context.params[0])));
  return file_answer(app, context, attachment);
}

Result<Response> get_dialog_file(App& app, const Context& context) {
  TRY_ASSIGN(const Attachment attachment, readable(app, context, named_id(context.params[1])));
  TRY(check_dialog(context.params[0], attachment));
  return file_answer(app, context, attachment);
}

}  // namespace cloakroom
