// floor.cc — the least a worker can do for the same answers: the limit that `make bench` holds the product against.
//
// Use      floor SOCKET PROCESSES, with DATABASE_URL, JWT_SECRET and FLOOR_FOLDER (must hold the folders tmp, 00 .. ff)
// GET      /floor/ID: HS256 token, one prepared select on the product's own row, X-Accel-Redirect; 304 when asked
// POST     /floor/upload: token; the part is copied out of nginx's body file to a temporary name, fsync, rename, fsync
//          of the folder, one row
// Left out on purpose: log, limits, sniffing, hash, membership, ranges, clean-up after a crash.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcgiapp.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

namespace {

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "floor: %s\n", what.c_str());
  std::exit(1);
}

std::string setting(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) die(std::string(name) + " is not set");
  return value;
}

struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Rows = std::unique_ptr<PGresult, ClearResult>;

struct Floor {
  std::string secret = setting("JWT_SECRET");
  std::string folder = setting("FLOOR_FOLDER");
  PGconn* database = nullptr;
  unsigned long uploads = 0;

  void connect() {
    database = PQconnectdb(setting("DATABASE_URL").c_str());
    if (PQstatus(database) != CONNECTION_OK) die(PQerrorMessage(database));
    for (const auto& [name, sql] : {std::pair{"find",
                                              "SELECT uploader_id, key, mime_type FROM cloakroom.attachments"
                                              " WHERE id = $1::uuid"},
                                    std::pair{"keep",
                                              "INSERT INTO floor_files (uploader_id, key, size_bytes)"
                                              " VALUES ($1::text, $2::text, $3::int8)"}}) {
      const Rows made(PQprepare(database, name, sql, 0, nullptr));
      if (PQresultStatus(made.get()) != PGRES_COMMAND_OK) die(PQerrorMessage(database));
    }
  }
};

// The value of a member of a flat JSON object; good enough for the tokens of this very bench.
std::string_view member(std::string_view json, std::string_view name) {
  std::size_t at = json.find(name);
  if (at == std::string_view::npos) return {};
  json.remove_prefix(at + name.size());
  at = json.find_first_not_of("\": ");
  if (at == std::string_view::npos) return {};
  json.remove_prefix(at);
  return json.substr(0, json.find_first_of("\",}"));
}

// The token's user; empty when the token is refused.
std::string user_of(const Floor& floor, const char* authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view token = authorization == nullptr ? "" : authorization;
  if (!token.starts_with(kScheme)) return {};
  token.remove_prefix(kScheme.size());
  const std::size_t first = token.find('.');
  const std::size_t last = token.rfind('.');
  if (first == std::string_view::npos || first == last) return {};

  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int mac_size = 0;
  HMAC(EVP_sha256(), floor.secret.data(), static_cast<int>(floor.secret.size()),
       reinterpret_cast<const unsigned char*>(token.data()), last, mac.data(), &mac_size);
  std::array<unsigned char, 64> signature{};
  EVP_EncodeBlock(signature.data(), mac.data(), static_cast<int>(mac_size));
  std::replace(signature.begin(), signature.end(), static_cast<unsigned char>('+'), static_cast<unsigned char>('-'));
  std::replace(signature.begin(), signature.end(), static_cast<unsigned char>('/'), static_cast<unsigned char>('_'));
  constexpr std::size_t kSignatureSize = 43;  // of 32 bytes, without the padding
  const std::string_view given = token.substr(last + 1);
  if (given.size() != kSignatureSize || CRYPTO_memcmp(given.data(), signature.data(), kSignatureSize) != 0) return {};

  std::string claims(token.substr(first + 1, last - first - 1));
  std::replace(claims.begin(), claims.end(), '-', '+');
  std::replace(claims.begin(), claims.end(), '_', '/');
  claims.resize((claims.size() + 3) / 4 * 4, '=');
  std::string json(claims.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(json.data()),
                      reinterpret_cast<const unsigned char*>(claims.data()), static_cast<int>(claims.size()));
  if (size <= 0) return {};
  json.resize(static_cast<std::size_t>(size));
  if (std::strtoll(std::string(member(json, "\"exp\"")).c_str(), nullptr, 10) <= std::time(nullptr)) return {};
  return std::string(member(json, "\"sub\""));
}

void answer(const FCGX_Request& request, const std::string& text) {
  FCGX_PutStr(text.data(), static_cast<int>(text.size()), request.out);
}

void refuse(const FCGX_Request& request, const char* status) {
  answer(request, std::string("Status: ") + status + "\r\nContent-Length: 0\r\n\r\n");
}

void download(Floor& floor, const FCGX_Request& request, const std::string& user) {
  const char* target = FCGX_GetParam("REQUEST_URI", request.envp);
  const std::string id = target == nullptr ? "" : target + sizeof "/floor";
  const char* const values[] = {id.c_str()};
  const Rows rows(PQexecPrepared(floor.database, "find", 1, values, nullptr, nullptr, 0));
  if (PQresultStatus(rows.get()) != PGRES_TUPLES_OK) die(PQerrorMessage(floor.database));
  if (PQntuples(rows.get()) != 1 || user != PQgetvalue(rows.get(), 0, 0)) return refuse(request, "404 Not Found");
  const std::string etag = '"' + id + '"';
  if (const char* known = FCGX_GetParam("HTTP_IF_NONE_MATCH", request.envp); known != nullptr && etag == known) {
    return answer(request, "Status: 304 Not Modified\r\nETag: " + etag + "\r\n\r\n");
  }
  answer(request, std::string("Status: 200 OK\r\nContent-Type: ") + PQgetvalue(rows.get(), 0, 2) + "\r\nETag: " + etag +
                      "\r\nX-Accel-Redirect: /_floor/file/" + PQgetvalue(rows.get(), 0, 1) + "\r\n\r\n");
}

void sync_and_close(int fd, const char* what) {
  if (fd < 0 || ::fsync(fd) != 0) die(std::string("cannot fsync ") + what);
  ::close(fd);
}

// The content of the one part of a small form.
std::string_view part_of(const std::string& path) {
  static std::array<char, 65536> body;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const ssize_t size = ::read(fd, body.data(), body.size());
  ::close(fd);
  if (size <= 0) return {};
  const std::string_view form(body.data(), static_cast<std::size_t>(size));
  const std::size_t begin = form.find("\r\n\r\n");
  const std::size_t end = form.rfind("\r\n--");
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin + 4) return {};
  return form.substr(begin + 4, end - begin - 4);
}

void upload(Floor& floor, const FCGX_Request& request, const std::string& user) {
  const char* spooled = FCGX_GetParam("REQUEST_BODY_FILE", request.envp);
  const std::string_view part = part_of(spooled == nullptr ? "" : spooled);
  if (part.empty()) return refuse(request, "400 Bad Request");
  char name[48];
  ++floor.uploads;
  std::snprintf(name, sizeof name, "%02lx/%d-%lx", floor.uploads % 256, ::getpid(), floor.uploads);
  const std::string temporary = floor.folder + "/tmp/" + (name + 3);
  const std::string path = floor.folder + "/" + name;
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (::write(fd, part.data(), part.size()) != static_cast<ssize_t>(part.size())) die("cannot write " + temporary);
  sync_and_close(fd, temporary.c_str());
  if (::rename(temporary.c_str(), path.c_str()) != 0) die("cannot rename into " + path);
  sync_and_close(::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "folder");

  const std::string size = std::to_string(part.size());
  const char* const values[] = {user.c_str(), name, size.c_str()};
  const Rows kept(PQexecPrepared(floor.database, "keep", 3, values, nullptr, nullptr, 0));
  if (PQresultStatus(kept.get()) != PGRES_COMMAND_OK) die(PQerrorMessage(floor.database));
  answer(request, "Status: 201 Created\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{}\n");
}

void serve(int listen_fd) {
  Floor floor;
  floor.connect();
  FCGX_Request request;
  FCGX_InitRequest(&request, listen_fd, 0);
  while (FCGX_Accept_r(&request) >= 0) {
    const std::string user = user_of(floor, FCGX_GetParam("HTTP_AUTHORIZATION", request.envp));
    const char* method = FCGX_GetParam("REQUEST_METHOD", request.envp);
    if (user.empty()) {
      refuse(request, "401 Unauthorized");
    } else if (method != nullptr && std::strcmp(method, "POST") == 0) {
      upload(floor, request, user);
    } else {
      download(floor, request, user);
    }
    FCGX_Finish_r(&request);
  }
}

int listen_on(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) die("the socket's path is too long");
  std::strcpy(address.sun_path, path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::unlink(path);
  ::umask(0117);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 4096) != 0) {
    die(std::string("cannot listen on ") + path);
  }
  ::umask(0077);
  return fd;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) die("use: floor SOCKET PROCESSES");
  FCGX_Init();
  const int listen_fd = listen_on(argv[1]);
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    if (::fork() == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      serve(listen_fd);
      return 1;
    }
  }
  // a floor with fewer processes than told would make the product look good
  ::wait(nullptr);
  die("a process ended");
}
