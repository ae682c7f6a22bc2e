// s3_parts.cc — the loop that reads ahead, keeps the lanes busy and repeats parts.
#include "storage/s3_parts.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "base/encode.h"
#include "base/log.h"
#include "storage/curl_parallel.h"
#include "storage/s3_errors.h"
#include "storage/s3_multipart.h"

namespace cloakroom {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLongestWait{1000};

// Reads the file once, part after part, a block at a call.
class ReadAhead {
 public:
  ReadAhead(const FileRange& bytes, const S3PartPlan& plan) : bytes_(bytes), plan_(plan) {}

  bool is_done() const { return next_part_ == plan_.parts; }

  struct HashedPart {
    unsigned number = 0;
    FileRange range;
    std::string hash;
  };
  // Reads one block; a part when it was its last.
  Result<std::optional<HashedPart>> step() {
    const bool is_last = next_part_ + 1 == plan_.parts;
    const std::uint64_t begin = next_part_ * plan_.part_bytes;
    const std::uint64_t size = is_last ? plan_.last_bytes : plan_.part_bytes;
    const std::span<std::byte> block =
        copy_buffer().first(static_cast<std::size_t>(std::min<std::uint64_t>(copy_buffer().size(), size - done_)));
    TRY_ASSIGN(const std::size_t got, read_at(bytes_.fd, block, bytes_.offset + begin + done_));
    if (got != block.size()) return Error{Errc::kInternal, "cannot upload: the file is shorter than its range"};
    whole_.update(block);
    part_.update(block);
    done_ += got;
    if (done_ < size) return std::optional<HashedPart>();
    HashedPart part{++next_part_, {bytes_.fd, bytes_.offset + begin, size}, hex_encode(part_.finish())};
    part_ = Sha256();
    done_ = 0;
    return std::optional(std::move(part));
  }
  Sha256Digest finish() { return whole_.finish(); }

 private:
  const FileRange& bytes_;
  const S3PartPlan& plan_;
  unsigned next_part_ = 0;
  std::uint64_t done_ = 0;  // of the next part
  Sha256 whole_, part_;
};

class Sender {
 public:
  Sender(S3Client& client, const MultipartRef& upload, Retrier& retrier)
      : client_(client),
        upload_(upload),
        retrier_(retrier),
        lanes_(limits::kS3PartsInFlight),
        curl_(limits::kS3PartsInFlight, client.curl_options(), client.options().on_progress) {}

  // All parts of the file, each once; what the store called them.
  Result<std::vector<S3Part>> send(ReadAhead& file, unsigned parts) {
    std::vector<S3Part> stored;
    while (stored.size() < parts) {
      TRY(fill_lanes());
      milliseconds patience = longest_wait();
      if (may_read_ahead() && !file.is_done()) {
        TRY_ASSIGN(auto hashed, file.step());
        if (hashed) waiting_.push_back({.data = std::move(*hashed), .due = Steady::now()});
        patience = milliseconds(0);
      }
      std::optional<CurlParallel::Finished> finished = curl_.step(patience);
      if (!finished) continue;
      TRY_ASSIGN(std::optional<S3Part> part, settle(std::move(*finished)));
      if (part) stored.push_back(std::move(*part));
    }
    return stored;
  }

 private:
  struct Part {
    ReadAhead::HashedPart data;
    unsigned attempt = 1;
    unsigned paid = 0;  // for this attempt
    Steady::time_point due{};
  };
  struct Lane {
    Part part;
    HttpCall call;  // refers to `part`
  };

  Status fill_lanes() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (!curl_.is_idle(i)) continue;
      const auto next = std::find_if(waiting_.begin(), waiting_.end(),
                                     [now = Steady::now()](const Part& part) { return part.due <= now; });
      if (next == waiting_.end()) return Ok{};
      Lane& lane = lanes_[i];
      lane.part = std::move(*next);
      waiting_.erase(next);
      TRY_ASSIGN(lane.call, client_.sign({.method = "PUT",
                                          .key = upload_.key,
                                          .query = "partNumber=" + std::to_string(lane.part.data.number) +
                                                   "&uploadId=" + percent_encode(upload_.upload_id),
                                          .payload_hash = lane.part.data.hash,
                                          .file = &lane.part.data.range,
                                          .timeout = milliseconds(0)}));
      curl_.start(i, lane.call);
    }
    return Ok{};
  }

  bool has_idle_lane() const {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      if (curl_.is_idle(i)) return true;
    }
    return false;
  }

  // One part ahead of the lanes. Parts that wait to be sent again do not stop the others, until there are many.
  bool may_read_ahead() const {
    const bool has_ready = std::any_of(waiting_.begin(), waiting_.end(),
                                       [now = Steady::now()](const Part& part) { return part.due <= now; });
    return !has_ready && waiting_.size() < lanes_.size();
  }

  // With all lanes busy only they can bring news.
  milliseconds longest_wait() const {
    milliseconds wait = kLongestWait;
    if (!has_idle_lane()) return wait;
    for (const Part& part : waiting_) {
      wait = std::min(wait, std::chrono::ceil<milliseconds>(part.due - Steady::now()));
    }
    return std::max(wait, milliseconds(1));
  }

  // A stored part, none when it will be sent again, or the end of the upload.
  Result<std::optional<S3Part>> settle(CurlParallel::Finished finished) {
    Part& part = lanes_[finished.lane].part;
    Error error = finished.answer ? Error{} : std::move(finished.answer).error();
    if (finished.answer) {
      const HttpAnswer& answer = *finished.answer;
      const std::string_view etag = answer.header("etag");
      const bool is_stored = answer.status >= 200 && answer.status < 300;
      if (is_stored && !etag.empty()) {
        retrier_.succeeded(part.paid);
        return std::optional(S3Part{part.data.number, std::string(etag)});
      }
      error =
          is_stored ? Error{Errc::kStore, "store took a part without an ETag", {}, true} : s3_error("PUT part", answer);
    }
    if (error.code == Errc::kNotFound) error.code = Errc::kStore;  // the upload was aborted by others
    const auto pause = retrier_.plan_next(part.attempt, error);
    if (!pause) return error;
    part.due = Steady::now() + pause->time;
    part.paid = pause->paid;
    ++part.attempt;
    waiting_.push_back(std::move(part));
    return std::optional<S3Part>();
  }

  S3Client& client_;
  const MultipartRef& upload_;
  Retrier& retrier_;
  std::deque<Part> waiting_;  // hashed and not on a lane: at most one new part, and those to be sent again
  std::vector<Lane> lanes_;
  CurlParallel curl_;  // last: it borrows from the lanes
};

Result<Sha256Digest> send_and_complete(S3Client& client, const MultipartRef& ref, const PartsUpload& upload,
                                       const S3PartPlan& plan, Retrier& retrier) {
  ReadAhead file(upload.bytes, plan);
  std::vector<S3Part> parts;
  {
    Sender sender(client, ref, retrier);  // its end closes the connections of parts still on the way
    TRY_ASSIGN(parts, sender.send(file, plan.parts));
  }
  TRY(retrier.repeat([&] { return complete_multipart(client, ref, parts, upload.bytes.size); }));
  return file.finish();
}

}  // namespace

Result<Sha256Digest> put_parts(S3Client& client, const PartsUpload& upload, const PartsTools& tools) {
  TRY_ASSIGN(const S3PartPlan plan, plan_parts(upload.bytes.size, client.options().parts));
  TRY_ASSIGN(const std::string id, create_multipart(client, upload.key, upload.headers));
  const MultipartRef ref{upload.key, id};
  Retrier retrier(tools.retry, tools.tools, client.options().quota);
  Result<Sha256Digest> digest = send_and_complete(client, ref, upload, plan, retrier);
  if (digest) return digest;
  const Status aborted = retrier.repeat([&] { return abort_multipart(client, ref); });
  if (!aborted) log(Level::kWarning, "s3.abort_failed", {{"detail", aborted.error().detail}});
  Error error = std::move(digest).error();
  error.was_repeated = true;  // a second try would send everything again
  return error;
}

}  // namespace cloakroom
