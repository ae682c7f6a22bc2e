// check_front_files.cc — files through nginx: in, out, in parts, not at all when unchanged, and gone.
#include <algorithm>
#include <array>

#include "base/digest.h"
#include "base/encode.h"
#include "cmd/check_front.h"

namespace cloakroom::front_check {
namespace {

constexpr std::uint64_t kMostSentBytes = 16ULL << 20;  // held in memory, and sent to a live service

// One grey pixel.
constexpr std::string_view kJpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb004300ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffc0000b080001000101011100ffc400140001000000000000"
    "00000000000000000000ffc40014100100000000000000000000000000000000ffda0008010100003f003fffd9";
// One empty page.
constexpr std::string_view kPdf =
    "%PDF-1.4\n"
    "1 0 obj<</Type/Catalog/Pages 2 0 R>> endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>> endobj\n"
    "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>> endobj\n"
    "xref\n0 4\n0000000000 65535 f \n0000000009 00000 n \n0000000053 00000 n \n0000000103 00000 n \n"
    "trailer<</Size 4/Root 1 0 R>>\nstartxref\n163\n%%EOF\n";

std::string see_log(const FrontProbe& probe) {
  return "see the log of the workers: journalctl -u cloakroom@" + probe.config().instance;
}

Finding refused_upload(const FrontProbe& probe, const std::string& what, const Result<HttpAnswer>& answer) {
  const std::string text = what + ": " + told(answer);
  if (!answer) return failure(text, "see nginx's error log");
  switch (answer->status) {
    case 401:
    case 403:
      if (probe.config().auth == "header") {
        return warning(
            text + ", so nothing could be tried with files",
            "let the application answer a request with the service token with 204, or try an upload by hand");
      }
      return failure(text, "let the workers and this check have the same settings; restart the workers after a change");
    case 413:
      return failure(text,
                     "compare client_max_body_size in nginx with MAX_REQUEST_SIZE: cloakroom config --nginx-check");
    case 429:
      return warning(text,
                     "wait until the budget or the quota of user 'cloakroom-check' has room, then start it again");
    case 507:
      return failure(text, "make room on the disk of BODY_TEMP_PATH and UPLOAD_STORAGE_PATH; see who may write there");
    default:
      return failure(text, see_log(probe));
  }
}

bool is_redirected(const FrontProbe& probe) {
  return probe.config().delivery == "redirect" && probe.config().is_in_s3();
}

// The bytes of a file as a client gets them, who follows a redirect without saying who he is.
Result<HttpAnswer> fetch(FrontProbe& probe, const FrontFile& file, const StoreHeaders& more = {}) {
  TRY_ASSIGN(HttpAnswer answer, probe.get(file.path, more));
  if (answer.status != 302) return answer;
  return probe.stranger(std::string(answer.header("location")), more);
}

}  // namespace

Finding upload(FrontProbe& probe) {
  if (!probe.why_nobody().empty()) {
    return warning("nothing could be tried with files: " + probe.why_nobody(),
                   "set SERVICE_TOKEN, or try an upload and a download by hand");
  }
  const auto jpeg = hex_decode(kJpeg);
  if (!jpeg) return failure(jpeg.error().detail, "");
  std::string not_allowed;
  for (const auto& [name, bytes] :
       {std::pair<const char*, std::string_view>{"check.jpg", *jpeg}, {"check.pdf", kPdf}}) {
    const auto answer = probe.upload(name, bytes);
    if (answer && answer->status == 415) {
      not_allowed += std::string(not_allowed.empty() ? "" : " and ") + name;
    } else if (!answer || answer->status != 201) {
      return refused_upload(probe, std::string("an upload of ") + name, answer);
    }
  }
  if (probe.files().empty()) {
    return warning("nothing could be tried with files: ALLOWED_TYPES lets neither JPEG nor PDF in",
                   "try an upload and a download by hand");
  }
  return good("files are taken" + (not_allowed.empty() ? "" : "; ALLOWED_TYPES keeps out " + not_allowed));
}

Finding upload_size(FrontProbe& probe) {
  const std::uint64_t most = probe.config().max_upload_bytes;
  const std::string size = "MAX_UPLOAD_SIZE (" + std::to_string(most) + " bytes)";
  if (most > kMostSentBytes) return good(size + " is too much to be sent for a try");
  const std::string bytes(static_cast<std::size_t>(most) + 1, 'x');
  const auto fits = probe.upload("check.txt", std::string_view(bytes).substr(2));
  if (fits && fits->status == 415) return good(size + " was not tried: ALLOWED_TYPES lets no text in");
  if (!fits || fits->status != 201) return refused_upload(probe, "an upload of one byte less than " + size, fits);
  const auto too_large = probe.upload("check.txt", bytes);
  if (!too_large || !is_too_large(*too_large)) {
    return failure("an upload of one byte more than " + size + " " + told(too_large),
                   "restart the workers, so that they have these settings");
  }
  return good("one byte less than " + size + " is taken, one more is refused");
}

Finding download(FrontProbe& probe) {
  for (const FrontFile& file : probe.files()) {
    if (file.size_bytes > limits::kS3ErrorBodyBytes) continue;  // the one that upload_size() sent
    const auto answer = fetch(probe, file);
    const std::string name = file.path.substr(file.path.rfind('/') + 1);
    if (!answer || answer->status != 200) {
      const bool is_local = !probe.config().is_in_s3();
      return failure(name + " cannot be fetched: " + told(answer),
                     is_local ? "let nginx run as the user of the workers, and keep its locations of /_cloakroom/ as "
                                "they were written; see nginx's error log"
                              : "see nginx's error log, and whether nginx (or with DELIVERY=redirect this host) "
                                "reaches the store");
    }
    if (hex_encode(sha256(answer->body)) != file.sha256) {
      return failure(name + " came with other bytes than it was kept with",
                     "see what stands between nginx and " + std::string("its clients"));
    }
  }
  return good(is_redirected(probe) ? "files come from the store, by a redirect" : "files come as they were kept");
}

Finding range(FrontProbe& probe) {
  const FrontFile& file = probe.files().front();
  const auto answer = fetch(probe, file, {{"Range", "bytes=1-4"}});
  const std::string expected = "bytes 1-4/" + std::to_string(file.size_bytes);
  if (answer && answer->status == 206 && answer->header("content-range") == expected && answer->body.size() == 4) {
    return good("parts of files can be fetched");
  }
  return failure("a range of a file is not answered with 206: " + told(answer),
                 "write nginx's includes anew; if something stands before nginx, let it pass Range on");
}

Finding not_modified(FrontProbe& probe) {
  if (is_redirected(probe)) return good("with DELIVERY=redirect the store answers for what is unchanged");
  const FrontFile& file = probe.files().front();
  const auto first = probe.get(file.path);
  const std::string etag(first ? first->header("etag") : "");
  if (etag.empty()) {
    return failure("a file comes without its ETag: " + told(first), "write nginx's includes anew, and reload nginx");
  }
  const auto again = probe.get(file.path, {{"If-None-Match", etag}});
  if (again && again->status == 304) return good("what is unchanged is not sent again (304)");
  return failure("a file that is unchanged is not answered with 304: " + told(again),
                 "write nginx's includes anew; if something stands before nginx, let it pass If-None-Match on");
}

Finding headers(FrontProbe& probe) {
  const auto answer = probe.get(probe.files().front().path);
  if (!answer) return failure(told(answer), "see nginx's error log");
  std::string missing;
  const auto lacks = [&missing](std::string_view what) {
    missing += (missing.empty() ? "" : ", ") + std::string(what);
  };
  if (ascii_lower(answer->header("x-content-type-options")) != "nosniff") lacks("X-Content-Type-Options: nosniff");
  if (answer->header("x-request-id").empty()) lacks("X-Request-Id");
  if (!is_redirected(probe) && answer->header("content-security-policy").find("sandbox") == std::string_view::npos) {
    lacks("Content-Security-Policy with sandbox");
  }
  const std::string remedy =
      "write nginx's includes anew, and look for add_header or expires around them that takes the place of theirs";
  if (!missing.empty()) return failure("a file comes without " + missing, remedy);
  const std::string caching = is_redirected(probe) ? "private, no-store" : probe.config().cache_control;
  for (const StoreHeader& header : answer->headers) {
    if (header.name == "cache-control" && header.value != caching) {
      return warning("a file comes with Cache-Control '" + header.value + "' instead of '" + caching + "'", remedy);
    }
  }
  if (answer->header("cache-control").empty()) return warning("a file comes without Cache-Control", remedy);
  return good("files come with their security headers and '" + caching + "'");
}

Finding remove(FrontProbe& probe) {
  for (const FrontFile& file : std::vector(probe.files())) {
    const auto removed = probe.remove(file);
    if (!removed || removed->status != 204) return failure("DELETE " + told(removed), see_log(probe));
    const auto gone = probe.get(file.path);
    if (!gone || gone->status != 404) {
      return failure("a deleted file is still there: " + told(gone),
                     "see whether something before nginx keeps answers that it must not keep");
    }
  }
  return good("a deleted file is gone");
}

}  // namespace cloakroom::front_check
