// settings.cc — the table of all settings, and the page that documents them.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/config.h"

namespace cloakroom {
namespace {

constexpr std::array kSettings{
    Setting{"DATABASE_URL", "", true, "", "PostgreSQL connection, URL or key=value form of libpq. Required."},
    Setting{"DATABASE_SCHEMA", "cloakroom", false, "", "Schema that holds all tables; made by `cloakroom migrate`."},
    Setting{
        "INSTANCE", "default", false, "",
        "Name of this instance: part of nginx zone names, internal locations and log lines. Letters, digits, - and _."},
    Setting{
        "STORAGE", "local", false, "",
        "Where new files go: `local`, `s3`, `s3-secondary`, which is the second S3 store (S3_SECONDARY_BUCKET), or "
        "`hybrid`: to the local disk, and `cloakroom jobs` copies them to S3; readers get the copy of a file that is "
        "lost or damaged on the disk. Rows say where older ones are: these are served from there as long as its "
        "settings stay."},
    Setting{"UPLOAD_STORAGE_PATH", "/var/lib/cloakroom/files", false, "",
            "Root folder of the local store, also on a mounted file system. Made when missing."},
    Setting{"BODY_TEMP_PATH", "", false, "",
            "Folder in which nginx spools request bodies. Default: `.body` in UPLOAD_STORAGE_PATH. Must lie on the "
            "same file "
            "system as the local store."},
    Setting{"KEY_PREFIX", "", false, "",
            "Put before every key, for example `attachments/`. A missing last slash is added."},
    Setting{"KEY_NAMING", "fanout", false, "",
            "`fanout`: `3f/0198…3f` (256 folders); `uuid-name`: `{uuid}_{name}`; `folder`: `{uuid}/{name}`."},
    Setting{
        "MAX_UPLOAD_SIZE", "10M", false, "MAX_UPLOAD_SIZE_MB",
        "Largest accepted file, in bytes or with K, M, G, T (powers of 1024). The alias MAX_UPLOAD_SIZE_MB is in MiB."},
    Setting{"MAX_REQUEST_SIZE", "", false, "",
            "Largest whole request, many files and multipart overhead; what nginx enforces. Default: 4 x "
            "MAX_UPLOAD_SIZE + 1M."},
    Setting{"BODY_TIMEOUT", "60", false, "",
            "Seconds, 1 to 3600, after which nginx cuts off a client that sends nothing more of its upload."},
    Setting{
        "ALLOWED_TYPES", "", false, "",
        "Accepted content types, separated by commas: `image/png`, `image/*`, or file endings such as `jpg`. What the "
        "bytes are decides, not what the client says. Empty: all."},
    Setting{
        "S3_PROVIDER", "", false, "",
        "What the store is: `aws`, `minio`, `r2`, `b2`, `ceph`, `garage`, `seaweedfs`, `spaces`, `wasabi`, `swift` or "
        "`other`; see docs/s3.md. Default: guessed from the host name of S3_ENDPOINT, else `other`."},
    Setting{"S3_ENDPOINT", "", false, "AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL R2_ENDPOINT",
            "URL of the S3 service, with scheme and port, no path. Default: AWS in S3_REGION, or R2 when R2_ACCOUNT_ID "
            "is set."},
    Setting{"S3_PUBLIC_ENDPOINT", "", false, "", "The same service as browsers reach it. Default: S3_ENDPOINT."},
    Setting{"S3_CA_FILE", "", false, "AWS_CA_BUNDLE",
            "PEM file of the authorities that sign the store's certificate, for an https endpoint of a private one. It "
            "takes the place of the system's, also for AWS_ENDPOINT_URL_STS; workers and nginx both read it. Empty: "
            "the system's."},
    Setting{"S3_BUCKET", "", false, "AWS_S3_BUCKET AWS_BUCKET R2_BUCKET R2_BUCKET_NAME",
            "Bucket; made when missing. Required with STORAGE=s3 and hybrid."},
    Setting{"S3_REGION", "", false, "AWS_REGION AWS_DEFAULT_REGION",
            "Region in the signature. Default: the one in the host name of S3_ENDPOINT (AWS, B2, Spaces, Wasabi), else "
            "what "
            "the store takes (R2 `auto`, Garage `garage`, others `us-east-1`)."},
    Setting{
        "S3_ACCESS_KEY_ID", "", true, "AWS_ACCESS_KEY_ID R2_ACCESS_KEY_ID",
        "S3 access key. Empty: credentials are looked for in the shared credentials file, by the web identity, at the "
        "metadata service of the machine, in that order."},
    Setting{"S3_SECRET_ACCESS_KEY", "", true, "AWS_SECRET_ACCESS_KEY R2_SECRET_ACCESS_KEY",
            "S3 secret key. Needed beside S3_ACCESS_KEY_ID."},
    Setting{"S3_SESSION_TOKEN", "", true, "AWS_SESSION_TOKEN", "Token of temporary credentials."},
    Setting{"AWS_SHARED_CREDENTIALS_FILE", "", false, "",
            "File with profiles, as AWS's tools write it. Default with AWS or AWS_PROFILE, when HOME is set: "
            "`~/.aws/credentials`."},
    Setting{"AWS_PROFILE", "", false, "", "Profile in that file. Default: `default`."},
    Setting{"AWS_WEB_IDENTITY_TOKEN_FILE", "", false, "",
            "File with a token that proves who we are (Kubernetes); needs AWS_ROLE_ARN. Read again at each refresh."},
    Setting{"AWS_ROLE_ARN", "", false, "", "The role whose temporary credentials are asked for with that token."},
    Setting{"AWS_ROLE_SESSION_NAME", "cloakroom", false, "", "Name of the session, shown in AWS's logs."},
    Setting{"AWS_ENDPOINT_URL_STS", "", false, "", "Token service that takes the token. Default: AWS's in S3_REGION."},
    Setting{
        "AWS_EC2_METADATA_SERVICE_ENDPOINT", "", false, "",
        "Metadata service of the machine (IMDSv2). Default with AWS: `http://169.254.169.254`; else it is not asked."},
    Setting{"AWS_EC2_METADATA_DISABLED", "false", false, "", "`true`: the metadata service is never asked."},
    Setting{"S3_ADDRESSING", "auto", false, "",
            "`path`, `virtual`, or `auto`: virtual for AWS, Spaces and bucket names without dots, else path."},
    Setting{
        "S3_SECONDARY_BUCKET", "", false, "",
        "Bucket of a second S3 store, whose files are served like those of the first, so that files can be moved from "
        "one to the other. Required with STORAGE=s3-secondary; empty: there is none. It must be another bucket than "
        "S3_BUCKET. The settings from here on mean for it what those without SECONDARY mean for the first one; where "
        "AWS_ settings say to look for credentials is the same for both."},
    Setting{"S3_SECONDARY_ENDPOINT", "", false, "", "Default: AWS in S3_SECONDARY_REGION."},
    Setting{"S3_SECONDARY_PUBLIC_ENDPOINT", "", false, "", "Default: S3_SECONDARY_ENDPOINT."},
    Setting{"S3_SECONDARY_PROVIDER", "", false, "", "Default: guessed from the host name of S3_SECONDARY_ENDPOINT."},
    Setting{"S3_SECONDARY_REGION", "", false, "", "Default: as of S3_REGION."},
    Setting{"S3_SECONDARY_ACCESS_KEY_ID", "", true, "", "See S3_ACCESS_KEY_ID."},
    Setting{"S3_SECONDARY_SECRET_ACCESS_KEY", "", true, "", "See S3_SECRET_ACCESS_KEY."},
    Setting{"S3_SECONDARY_SESSION_TOKEN", "", true, "", "See S3_SESSION_TOKEN."},
    Setting{"S3_SECONDARY_ADDRESSING", "auto", false, "", "See S3_ADDRESSING."},
    Setting{"S3_SECONDARY_CA_FILE", "", false, "", "See S3_CA_FILE."},
    Setting{"S3_FALLBACK", "none", false, "",
            "With STORAGE=s3 or s3-secondary, while the store is away: `none` refuses uploads at once with 503; "
            "`local` keeps them in "
            "UPLOAD_STORAGE_PATH until `cloakroom jobs` on the same node moves them to the store."},
    Setting{"NODE_NAME", "", false, "",
            "Name of this host among those that share the database: files kept by S3_FALLBACK=local belong to it. "
            "Worker and job runner must have the same, and it must not change while such files are there. Default: the "
            "host's name."},
    Setting{"R2_ACCOUNT_ID", "", false, "", "Cloudflare R2 account; makes the endpoint when S3_ENDPOINT is unset."},
    Setting{
        "CORS_ORIGINS", "", false, "",
        "Origins of pages on other addresses whose scripts may use this service as its users, and the store, separated "
        "by commas, such as `https://chat.example.com`. Empty: none. For direct uploads also the site's own: "
        "`cloakroom "
        "check` asks the store whether it lets them in, `--fix` tells it to."},
    Setting{"SITE_ORIGINS", "", false, "",
            "The site's own address as browsers know it, such as `https://chat.example.com`, where nginx cannot see it "
            "(TLS ends before it). Default: scheme and Host of the request."},
    Setting{"RESOURCE_POLICY", "", false, "",
            "Who may embed files without CORS (Cross-Origin-Resource-Policy): `same-origin`, `same-site` or "
            "`cross-origin`. Default: `same-site`; with VISIBILITY=public `cross-origin`."},
    Setting{"DELIVERY", "proxy", false, "",
            "`proxy`: nginx sends the bytes (X-Accel-Redirect); `redirect`: 302 to a presigned URL (S3 only); "
            "`stream`: the "
            "worker sends them, for servers without nginx."},
    Setting{"PRESIGN_EXPIRES", "3600", false, "", "Life of URLs given to browsers, in seconds, 1 to 604800."},
    Setting{"DIRECT_UPLOAD_EXPIRES", "3600", false, "",
            "Life of a ticket for an upload from the browser straight to the S3 store, in seconds, 60 to 604800. The "
            "upload must have begun, and be completed, in this time."},
    Setting{"DIRECT_UPLOAD_PART_SIZE", "64M", false, "",
            "Direct uploads of larger files go in parts of this size, 5M to 5G."},
    Setting{"CACHE_CONTROL", "", false, "",
            "Cache-Control of downloads. Default: `private, max-age=86400, immutable`; with VISIBILITY=public `public, "
            "max-age=31536000, immutable`."},
    Setting{"OBJECT_CACHE_CONTROL", "", false, "",
            "Cache-Control stored with S3 objects. Default: `public, max-age=3600`; with VISIBILITY=public `public, "
            "max-age=31536000, immutable`."},
    Setting{
        "VISIBILITY", "private", false, "",
        "`private`: who may read a file is checked each time. `public`: whoever knows its address reads it, without "
        "any identity; addresses cannot be guessed."},
    Setting{"CDN_URL", "", false, "",
            "https address of a CDN in front of the bucket that new files go to; `url` and `data_url` of files in it "
            "are then "
            "`CDN_URL/key`. Needs VISIBILITY=public and STORAGE=s3 or s3-secondary."},
    Setting{"AUTH", "jwt", false, "",
            "How users are known: `jwt` (Authorization: Bearer, or JWT_COOKIE), `header` (REMOTE_USER set by nginx), "
            "`none` "
            "(everybody is the user `anonymous`)."},
    Setting{"JWT_SECRET", "", true, "",
            "Shared secret for HS256, 16 bytes or more (32 advised). With AUTH=jwt this or JWT_PUBLIC_KEY."},
    Setting{"JWT_PUBLIC_KEY", "", false, "",
            "PEM of a public key, RSA (RS256) or Ed25519 (EdDSA). Usually given as JWT_PUBLIC_KEY_FILE."},
    Setting{"JWT_COOKIE", "", false, "", "Cookie that may carry the token. Empty: header only."},
    Setting{"JWT_USER_CLAIM", "sub", false, "", "Claim that holds the user id, text or whole number."},
    Setting{"JWT_ISSUER", "", false, "", "When set, the claim `iss` must equal it."},
    Setting{"JWT_AUDIENCE", "", false, "", "When set, the claim `aud` must be or contain it."},
    Setting{"SERVICE_TOKEN", "", true, "",
            "Bearer token of the application's own server, 16 bytes or more. Empty: no such access."},
    Setting{"AUTH_REQUEST", "", false, "",
            "With AUTH=header: nginx location that identifies the user by auth_request and answers X-Remote-User."},
    Setting{
        "AUTH_REQUEST_URL", "", false, "",
        "The same as an address of the application that nginx asks itself, such as "
        "`http://127.0.0.1:3000/cloakroom/access` or `http://unix:/run/app.sock:/access`. Instead of AUTH_REQUEST."},
    Setting{
        "AUTH_REQUEST_CACHE", "0", false, "",
        "Seconds for which nginx keeps a yes of AUTH_REQUEST_URL, by cookies, Authorization, method and address, at "
        "most 3600. 0: it asks each time."},
    Setting{"AUTH_BASIC_FILE", "", false, "",
            "With AUTH=header and neither of these: password file for nginx's basic auth (htpasswd)."},
    Setting{"LINK_SECRET", "", true, "",
            "Signs links to single files, 16 bytes or more (32 advised). Empty: no links. Changing it ends all links, "
            "unless the old one becomes LINK_SECRET_PREVIOUS."},
    Setting{"LINK_SECRET_PREVIOUS", "", true, "",
            "Links signed with this one still hold. For a change of LINK_SECRET."},
    Setting{"LINK_EXPIRES", "3600", false, "", "Life of a link for which nobody named another, in seconds."},
    Setting{"LINK_MAX_EXPIRES", "604800", false, "", "Longest life of a link, in seconds, at most a year."},
    Setting{"STRIP_METADATA", "gps", false, "",
            "What is taken out of JPEG, PNG, WebP, HEIC and AVIF files before they are kept; pixels, orientation and "
            "colour profile stay. `gps`: positions, serial numbers, owners of devices and maker notes. `all`: also the "
            "rest of Exif, XMP, IPTC, comments and what lies behind the picture; a picture that cannot be read to its "
            "end is refused. `none`: files are kept as they come."},
    Setting{"CLAMD_SOCKET", "", false, "",
            "clamd, which scans every file for viruses before it is kept: its Unix socket, such as "
            "`/run/clamav/clamd.ctl`, or `host:port`. Empty: nothing is scanned. See docs/operations.md."},
    Setting{"CLAMD_CONNECT_TIMEOUT", "2", false, "", "Seconds in which clamd must take a connection, 1 to 60."},
    Setting{"CLAMD_TIMEOUT", "60", false, "",
            "Seconds for which clamd may keep us waiting for one file, all waits together, 1 to 3600."},
    Setting{
        "CLAMD_MAX_SIZE", "25M", false, "",
        "The largest file that clamd really scans: the least of StreamMaxLength, MaxFileSize and MaxScanSize in its "
        "clamd.conf. It answers OK for larger ones without a look; here they are refused."},
    Setting{"CLAMD_FAIL", "closed", false, "",
            "`closed`: what cannot be scanned is refused (clamd away: 503; file above its limits: 413 or 422). `open`: "
            "it is kept, with a warning in the log for each file."},
    Setting{
        "RESCAN_RATE", "5M", false, "",
        "When clamd has new signatures `cloakroom jobs` scans the kept files again, at most so many bytes a second. "
        "0: never."},
    Setting{"IMAGE_SOCKET", "", false, "",
            "Unix socket of cloakroom-image, which looks at pictures and makes small ones of them. Empty: no pictures. "
            "See docs/operations.md."},
    Setting{"IMAGE_WORKERS", "0", false, "",
            "Pictures that cloakroom-image works on at once, 1 to 256. 0: as many as there are processors."},
    Setting{
        "IMAGE_MAX_PIXELS", "50000000", false, "",
        "Pixels of the largest picture that is decoded; more are refused before any is. Of a moving picture as many "
        "frames are kept as have so many together."},
    Setting{"IMAGE_MEMORY", "1G", false, "",
            "Address space of a process that decodes, 256M to 64G: one that wants more ends, and its picture with it."},
    Setting{"IMAGE_TIMEOUT", "10", false, "",
            "Seconds that one picture may take, 1 to 300; then its process is ended. Workers wait 3 s longer."},
    Setting{
        "IMAGE_REUSE", "1", false, "",
        "JPEGs that one process of cloakroom-image may make, one after another, 1 to 1000. 1: a process for each "
        "picture, so that a decoder that was taken over by one never sees another. More is faster (a new process costs "
        "two fifths of a thumbnail), for where those who upload are trusted; all other types keep a process each."},
    Setting{
        "IMAGE_FFMPEG", "/usr/bin/ffmpeg", false, "",
        "Program that takes a picture out of a film and draws a sound, run by cloakroom-image; `ffprobe` must be in "
        "the same folder. Not there, or `off`: films and sounds have no pictures."},
    Setting{
        "VARIANTS", "thumb:250 preview:400x300 large:1600", false, "",
        "Smaller pictures, as `name:WIDTHxHEIGHT` in pixels: the picture fits in that box and is never larger than "
        "it was. `thumb:250` leaves the height free, `strip:x80` the width. `thumb`, else the first, is `thumb_url`. "
        "`none`: none."},
    Setting{
        "VARIANT_FORMATS", "webp", false, "",
        "What browsers that name it get instead of JPEG or PNG, the best first: `webp`, `avif,webp`, or `none`. Each "
        "size is made in each of these formats after an upload, JPEG and PNG (but for `thumb`) when somebody asks. "
        "AVIF is smaller, "
        "and takes twice as long for a large picture."},
    Setting{
        "RATE_UPLOADS", "120/m", false, "",
        "How many uploads a user may begin: `120/m` is 120 at once and then one every half second, `120/m burst 20` "
        "20 at once; s, m, h, d; `off`. All nodes count together. The service token is not limited."},
    Setting{"RATE_DOWNLOADS", "3000/m", false, "",
            "The same for requests for single files: their bytes, ranges of them, and what is known of them."},
    Setting{"RATE_MISSES", "300/m", false, "",
            "The same for requests for files that are not there or not the user's. Whoever has none left gets no file "
            "at all, so that the answer tells nothing."},
    Setting{"RATE_UPLOADS_ADDRESS", "1200/m", false, "",
            "The same for everybody behind one client address (IPv6: one /64). Requests without a user, by a link or "
            "for public files, are counted here alone."},
    Setting{"RATE_DOWNLOADS_ADDRESS", "30000/m", false, "", "The same."},
    Setting{"RATE_MISSES_ADDRESS", "3000/m", false, "", "The same."},
    Setting{"QUOTA_USER_BYTES", "0", false, "",
            "How much a user may keep, all his files together, such as `10G`; uploads under way count. 0: any number. "
            "After the first quota is set run `cloakroom migrate` (the service does it when it starts): it counts what "
            "is there. Nodes of one database should have the same. See docs/operations.md."},
    Setting{"QUOTA_USER_FILES", "0", false, "", "How many files a user may keep. 0: any number."},
    Setting{"QUOTA_DIALOG_BYTES", "0", false, "",
            "How much may be kept in a dialog: uploaded for it or linked in it, by whomever. 0: any number."},
    Setting{"QUOTA_DIALOG_FILES", "0", false, "", "How many files may be kept in a dialog. 0: any number."},
    Setting{
        "TRUSTED_PROXIES", "", false, "",
        "Addresses and networks of the proxies before nginx, separated by commas, such as `10.0.0.0/8, 2001:db8::1`. "
        "The client is then the last address in X-Forwarded-For that is none of them. Written into the nginx "
        "include. Empty: whoever connects is the client."},
    Setting{"NGINX_LIMIT_REQUESTS", "100/s burst 1000", false, "",
            "What nginx lets through from one client address before it asks anybody, in a second or a minute; `off`."},
    Setting{"NGINX_LIMIT_CONNECTIONS", "200", false, "",
            "Requests of one client address at the same time that nginx takes, slow ones included, up to 65535. 0: any "
            "number."},
    Setting{"ROUTE_PREFIX", "/api", false, "", "Path before all routes but /healthz and /readyz."},
    Setting{
        "LEGACY_FALLBACK_PATH", "", false, "",
        "Path before the old addresses of files, such as `/uploads/`, which are answered while `cloakroom backfill` "
        "takes these files over, and afterwards. Empty: they are not. See docs/backfill.md."},
    Setting{"LEGACY_FALLBACK_ROOT", "", false, "",
            "Folder with the files that such addresses name, for those that were not taken over yet. Empty: only those "
            "that were are answered."},
    Setting{
        "LEGACY_FALLBACK_ACCESS", "granted", false, "",
        "Who may read what was not taken over yet, beside the service token: `service`: nobody; `granted`: whom the "
        "application lets in (X-Cloakroom-Access of AUTH_REQUEST); `users`: every user; `public`: everybody. What was "
        "taken over is for those who may read the attachment."},
    Setting{"WORKERS", "4", false, "", "Child processes, 1 to 256."},
    Setting{"MAX_REQUESTS", "10000", false, "", "A child is replaced after this many requests. 0: never."},
    Setting{"SHUTDOWN_TIMEOUT", "90", false, "",
            "Seconds that a request in flight may take after SIGTERM before it is cut."},
    Setting{
        "SANDBOX", "on", false, "",
        "`on`: children give up capabilities, system calls that they never make, and writing outside of "
        "UPLOAD_STORAGE_PATH and BODY_TEMP_PATH (Linux 5.19 and later). `off`: where a container's own rules forbid "
        "it."},
    Setting{"ORPHAN_GRACE", "3600", false, "",
            "Seconds after which the bytes of an upload that never got its row are deleted. Must exceed the longest "
            "transfer to the store."},
    Setting{"JOBS_PARALLEL", "1", false, "",
            "Processes in which `cloakroom jobs` works, 1 to 64, each with a connection to the database."},
    Setting{"JOBS_MAX_FAILURES", "20", false, "",
            "A job that failed so often is put aside, for `cloakroom jobs --failed` and `--retry`; 1 to 1000. Outages "
            "of the store and others do not count: until they are over it is tried without end."},
    Setting{"STALE_HOURS", "168", false, "",
            "`cloakroom cleanup` removes uploads that nobody linked for so many hours, from the upload or from when "
            "they were unlinked. 0: never, for applications that do not link."},
    Setting{
        "RETENTION", "", false, "",
        "`cloakroom cleanup` removes files so old, linked ones too: `image:365d *:730d`. By type (`image`, "
        "`video`, `audio`, `file` for the rest, or such as `application/pdf`, `image/*`, `*`), the first that fits; "
        "days `d` or hours `h`. Empty: never."},
    Setting{"OWNER_QUERY", "", false, "",
            "A SELECT for the application's tables, such as `SELECT id FROM app.messages WHERE id = ANY($1::text[])`: "
            "it gets ids of messages and returns those that are there. `cloakroom cleanup` removes what is linked to "
            "others for more than a day. It runs in a transaction that cannot write. Empty: nobody is asked."},
    Setting{"UNDO_DAYS", "7", false, "",
            "What `cloakroom cleanup` removed can be had back for so many days, 0 to 365, by `cloakroom restore`. What "
            "users and applications delete is gone at once."},
    Setting{"SCRUB_RATE", "20M", false, "",
            "`cloakroom scrub` reads at most so many bytes a second, of the disk and of the store together."},
    Setting{"LOG_LEVEL", "info", false, "", "`error`, `warning`, `info` or `debug`."},
    Setting{"FASTCGI_SOCKET", "/run/cloakroom/default.sock", false, "",
            "Socket that nginx connects to; written into the nginx includes."},
    Setting{"NGINX_CACHE_PATH", "/var/cache/nginx/cloakroom", false, "", "Folder of nginx's cache of S3 objects."},
    Setting{"NGINX_CACHE_SIZE", "1G", false, "", "Size of that cache."},
    Setting{"NGINX_ERROR_LOG", "/var/log/nginx/error.log", false, "",
            "Where nginx logs critical faults of its S3 proxy. Lesser ones are not logged there: they would show "
            "signed URLs."},
    Setting{"NGINX_HEALTH_ROUTES", "on", false, "",
            "`off` leaves /healthz, /readyz and /metrics out of the nginx include (several instances in one server)."},
};

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace

std::span<const Setting> all_settings() {
  return kSettings;
}

std::string settings_markdown() {
  std::string out =
      "# Configuration\n\n"
      "Every setting is an environment variable (systemd: `EnvironmentFile=/etc/cloakroom/NAME.env`). All are read "
      "once, at\n"
      "start, and checked together: a bad one stops the program with exit code 78 and a list of all problems.\n"
      "`cloakroom-fcgi --check-config` does only that, and prints what is in force with secrets masked.\n\n"
      "For any `NAME`, `NAME_FILE` names a file that holds the value: secrets can stay out of the environment, and "
      "systemd\n"
      "credentials work (`JWT_SECRET_FILE=%d/jwt`).\n\n"
      "This page is generated from the table in `src/base/settings.cc` by `cloakroom config --docs`.\n\n"
      "| setting | default | meaning |\n| --- | --- | --- |\n";
  for (const Setting& s : all_settings()) {
    std::string aliases;
    for (const std::string_view alias : words(s.aliases))
      aliases += fmt::format("{}`{}`", aliases.empty() ? " Also: " : ", ", alias);
    if (!aliases.empty()) aliases += ".";
    out += fmt::format("| `{}`{} | {} | {}{} |\n", s.name, s.secret ? " (secret)" : "",
                       s.default_value.empty() ? "" : fmt::format("`{}`", s.default_value), s.help, aliases);
  }
  return out;
}

}  // namespace cloakroom
