"""stack.py — a whole cloakroom below one folder: nginx, a worker with its children, the job runner, rows and bytes."""
import concurrent.futures
import hashlib
import json
import re
import shlex
import signal
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import jwt

import http_client
from imager import Imager
from processes import ROOT, USER, Process, as_user, children, free_port, own, wait_until
from servers import connect

# Tests ask more, and faster, than any chat page. test_limits.py sets what it needs.
UNLIMITED = {"NGINX_LIMIT_REQUESTS": "off", "NGINX_LIMIT_CONNECTIONS": "0", **{
    f"RATE_{what}{whose}": "off" for what in ("UPLOADS", "DOWNLOADS", "MISSES") for whose in ("", "_ADDRESS")}}
SECRET = "a-secret-of-the-tests-0123456789abcdef"
SERVICE_TOKEN = "service-token-of-the-tests-0123456789"
MIB = 1 << 20

NGINX = """{user}
daemon off;
worker_processes 2;
worker_rlimit_nofile 4096;
pid {dir}/nginx/nginx.pid;
error_log {dir}/log/nginx-error.log info;
events {{ worker_connections 1024; }}
http {{
  include /etc/nginx/mime.types;
  access_log {dir}/log/nginx-access.log;
  client_body_temp_path {dir}/nginx/body;
  proxy_temp_path {dir}/nginx/proxy;
  fastcgi_temp_path {dir}/nginx/fastcgi;
  uwsgi_temp_path {dir}/nginx/body; scgi_temp_path {dir}/nginx/body;
  include {dir}/nginx/default-http.conf;
  {http}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    {server}
    include {dir}/nginx/default-server.conf;
    # A site's own rule for pictures: it must not catch our files.
    location ~* \\.(jpg|png|pdf)$ {{ return 418; }}
    location / {{ return 404; }}
  }}
}}
"""

# For `server`: a route to the worker that knows nothing of body files, so that the body comes with the request.
PLAIN_LOCATION = """location ^~ /plain/ {
  rewrite ^/plain(/.*)$ $1 break;
  fastcgi_pass cloakroom_default; client_max_body_size 0; fastcgi_request_buffering off; fastcgi_read_timeout 300s;
  fastcgi_param REQUEST_METHOD $request_method; fastcgi_param REQUEST_URI $uri$is_args$args;
  fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length; }"""


def token(user="alice", key=SECRET, algorithm="HS256", ttl=3600, **claims):
    """A token as the application would make it. claims with the value None are left out."""
    body = {"sub": user, "iat": int(time.time()), "exp": int(time.time()) + ttl, **claims}
    return jwt.encode({k: v for k, v in body.items() if v is not None}, key, algorithm=algorithm)


class Stack:
    """`settings` go to every program. `like`: another stack, whose rows, files and bucket this one shares.
    `server`, `http`: more lines for nginx. `app`: an installed tree (bin/, share/cloakroom/). `hosts`: names that nginx
    finds on this machine, for it does not resolve what is below localhost by itself, as libcurl does. `images`: with a
    cloakroom-image of its own, which gets the IMAGE_ settings."""

    def __init__(self, app, folder, database, settings=None, like=None, server="", http="", jobs=True,
                 hosts=(), images=False):
        self.app, self.dir, self.like, self.with_jobs = Path(app), Path(folder), like, jobs
        self.database = like.database if like else database
        self.port = free_port()
        self.server, self.http, self.hosts = server, http, hosts
        for part in ("", "nginx", "nginx/body", "nginx/proxy", "nginx/fastcgi", "nginx/cache", "log"):
            (self.dir / part).mkdir(parents=True, exist_ok=True)
            own(self.dir / part)
        self.settings = {
            "DATABASE_URL": self.database,
            "UPLOAD_STORAGE_PATH": str((like.dir if like else self.dir) / "files"),
            "FASTCGI_SOCKET": str(self.dir / "w.sock"),
            "NGINX_CACHE_PATH": str(self.dir / "nginx/cache"),
            "NGINX_ERROR_LOG": str(self.dir / "log/nginx-error.log"),
            "JWT_SECRET": SECRET, "SERVICE_TOKEN": SERVICE_TOKEN, "WORKERS": "2", "MAX_UPLOAD_SIZE": "64M",
            **UNLIMITED,
        }
        if like:
            self.settings.update({k: v for k, v in like.settings.items() if k.startswith(("S3_", "STORAGE", "MAX_"))})
        if images:
            self.settings["IMAGE_SOCKET"] = str(self.dir / "images/image.sock")
        self.settings.update(settings or {})
        self.settings = {k: str(v) for k, v in self.settings.items() if v is not None}
        self.worker = self.jobs = self.nginx = self.images = None
        self.with_images = images
        self.times_asked = 0

    # --- life -------------------------------------------------------------------------------------------------------

    @property
    def env(self):
        return {"PATH": "/usr/bin:/bin:/usr/sbin", "LANG": "C.UTF-8", **self.settings}

    def tool(self, *words, check=True, timeout=60):
        done = subprocess.run(as_user([self.app / "bin/cloakroom", *words]), env=self.env, capture_output=True,
                              text=True, timeout=timeout, cwd="/")
        if check and done.returncode != 0:
            raise RuntimeError(f"cloakroom {shlex.join(map(str, words))}: {done.returncode}: {done.stderr}")
        return done

    def start(self):
        if not self.like:
            self.tool("migrate")
        own_files = Path(self.settings["UPLOAD_STORAGE_PATH"])
        own_files.mkdir(exist_ok=True)
        own(own_files)
        if self.with_images:
            self.start_images()
        self.start_worker()
        if self.with_jobs and not self.like:
            self.start_jobs()
        self.start_nginx()
        wait_until(self.is_ready, 20, f"{self.dir.name} ready")
        return self

    def is_ready(self):
        """Asks from an address of its own each time, and so uses up nobody's limits."""
        self.times_asked += 1
        try:
            return http_client.call(self.port, "GET", "/readyz", source=f"127.1.{self.times_asked // 250 % 250}."
                                                                        f"{self.times_asked % 250 + 1}").status == 200
        except OSError:
            return False

    def start_worker(self):
        self.worker = Process([self.app / "bin/cloakroom-fcgi", "--socket", self.settings["FASTCGI_SOCKET"]],
                              self.env, self.dir / "log/worker.log")
        workers = int(self.settings["WORKERS"])
        # one more makes the bucket, for as long as the store does not let it
        wait_until(lambda: len(self.worker_children()) >= workers or not self.worker.running(), 10, "the worker starts")
        if not self.worker.running():
            raise RuntimeError(f"the worker did not start: {self.worker.text()[-2000:]}")

    def start_images(self):
        folder = self.dir / "images"
        folder.mkdir(exist_ok=True)
        own(folder)
        settings = {k: v for k, v in self.settings.items() if k.startswith("IMAGE_") and k != "IMAGE_SOCKET"}
        self.images = Imager(self.app, folder, **settings)

    def stop_images(self):
        self.images.process.stop(signal.SIGTERM)
        self.images = None

    def start_jobs(self):
        self.jobs = Process([self.app / "bin/cloakroom", "jobs"], self.env, self.dir / "log/jobs.log")

    def start_nginx(self):
        self.tool("config", "--nginx", self.dir / "nginx")
        # an ordinary user is root in the name space where he may mount
        user = f"user {USER};" if ROOT else "user root;" if self.hosts else ""
        config = NGINX.format(user=user, dir=self.dir, port=self.port, server=self.server,
                              http=self.http)
        (self.dir / "nginx/nginx.conf").write_text(config)
        self.nginx = Process([*self.with_hosts(), "/usr/sbin/nginx", "-p", self.dir / "nginx", "-e", self.dir / "log/nginx-error.log",
                              "-c", self.dir / "nginx/nginx.conf"], {"PATH": "/usr/sbin:/usr/bin"},
                             self.dir / "log/nginx.log", privileged=True)

    def with_hosts(self):
        """What stands before a command that shall see an /etc/hosts of its own."""
        if not self.hosts:
            return []
        file = self.dir / "nginx/hosts"
        file.write_text(f"127.0.0.1 localhost {' '.join(self.hosts)}\n")
        return ["unshare", "--mount", *([] if ROOT else ["--map-root-user"]), "--", "sh", "-ec",
                f'mount --bind {file} /etc/hosts; exec "$@"', "sh"]

    def stop(self):
        for process, how in ((self.nginx, signal.SIGTERM), (self.jobs, signal.SIGTERM), (self.worker, signal.SIGTERM)):
            if process:
                process.stop(how)
        if self.images:
            self.stop_images()

    def worker_children(self):
        return children(self.worker.pid)

    # --- requests ---------------------------------------------------------------------------------------------------

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def call(self, method, path, user="alice", headers=None, body=None, timeout=60):
        """`user`: a name, "service", or None for nobody."""
        return http_client.call(self.port, method, path, {**self.identity(user), **(headers or {})}, body, timeout)

    @staticmethod
    def identity(user):
        if user is None:
            return {}
        return {"Authorization": "Bearer " + (SERVICE_TOKEN if user == "service" else token(user))}

    def get(self, path, user="alice", headers=None, method="GET"):
        return self.call(method, path, user, headers)

    def post_form(self, files=(), fields=None, user="alice", headers=None):
        body, kind = http_client.form(files, fields)
        return self.call("POST", "/api/upload", user, {"Content-Type": kind, **(headers or {})}, body)

    def upload(self, data=b"bytes of a test", name="test.bin", user="alice", **fields):
        """One stored attachment, by a form."""
        answer = self.post_form([(name, data)], fields, user)
        assert answer.status == 201, str(answer)
        return answer.json()[0]

    def register(self, url, name="a.png", kind="image/png", user="service", **more):
        """The answer to the registration of a file that lives elsewhere."""
        body = json.dumps({"external_url": url, "filename": name, "mime_type": kind, **more})
        return self.call("POST", "/api/attachments", user, {"Content-Type": "application/json"}, body)

    def put(self, data, name="test.bin", user="alice", query="", headers=None):
        return self.call("PUT", "/api/upload/" + quote(name, safe="") + query, user, headers, data)

    def link(self, message, *ids, user="alice", **more):
        body = json.dumps({"message_id": message, "attachment_ids": list(ids), **more})
        return self.call("POST", "/api/attachments/link", user, {"Content-Type": "application/json"}, body)

    def members(self, dialog, *users):
        answer = self.call("PUT", f"/api/dialogs/{quote(dialog, safe='')}/members", "service", None,
                           json.dumps({"members": list(users)}))
        assert answer.status == 200, str(answer)

    def curl(self, *words, user="alice", timeout=300):
        """Standard output of curl, with the identity of `user`."""
        header = [f"-H{k}: {v}" for k, v in self.identity(user).items()]
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", *header, *map(str, words)], capture_output=True,
                              timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cgi(self, method, path, body=b"", user="alice", **variables):
        """Status, headers and body of one request answered by the worker as a plain CGI program."""
        env = {**self.env, "REQUEST_METHOD": method, "REQUEST_URI": path, "GATEWAY_INTERFACE": "CGI/1.1", **variables}
        if user:
            env["HTTP_AUTHORIZATION"] = self.identity(user)["Authorization"]
        done = subprocess.run(as_user([self.app / "bin/cloakroom-fcgi"]), input=body, env=env, capture_output=True,
                              timeout=60, cwd="/")
        assert done.returncode == 0, done.stderr
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(headers["Status"].split()[0]), headers, answer

    # --- what is kept -----------------------------------------------------------------------------------------------

    def sql(self, text, *values):
        connection = connect(self.database)
        try:
            cursor = connection.cursor()
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else cursor.rowcount
        finally:
            connection.close()

    def rows(self):
        """key -> (size, hex of the SHA-256) of every row with an object."""
        return {key: (size, bytes(sha).hex()) for key, size, sha in
                self.sql("SELECT key, size_bytes, sha256 FROM attachments WHERE external_url IS NULL")}

    def key_of(self, attachment):
        return self.sql("SELECT key FROM attachments WHERE id = %s", attachment["id"])[0][0]

    def planned(self):
        """Keys that a job, a dead letter, a ticket or a tombstone stands for."""
        return {key for (key,) in self.sql("SELECT payload->>'key' FROM jobs WHERE kind = 'delete_object'"
                                           " UNION SELECT payload->>'key' FROM dead_jobs WHERE kind = 'delete_object'"
                                           " UNION SELECT key FROM deletion_tickets"
                                           " UNION SELECT key FROM tombstone_objects")}

    def previews(self):
        """Keys of them."""
        return {key for (key,) in self.sql("SELECT key FROM variants WHERE key IS NOT NULL")}

    def objects(self):
        """key -> bytes length of what lies in the store."""
        if self.settings.get("STORAGE") == "s3":
            return {o["Key"]: o["Size"] for o in self.bucket_list()}
        return self.files_stored()

    def files_stored(self):
        """The same of what lies on the disk."""
        root = Path(self.settings["UPLOAD_STORAGE_PATH"])
        found = {}
        for p in root.rglob("*"):
            if p.relative_to(root).parts[0] in (".tmp", ".body"):
                continue
            try:
                info = p.stat()
            except FileNotFoundError:  # a job was quicker
                continue
            if stat.S_ISREG(info.st_mode):
                found[str(p.relative_to(root))] = info.st_size
        return found

    def stored(self):
        """The same of all stores: STORE/KEY -> bytes length."""
        found = {"local/" + key: size for key, size in self.files_stored().items()}
        if self.settings.get("STORAGE") == "s3":
            found.update({"s3/" + o["Key"]: o["Size"] for o in self.bucket_list()})
        return found

    def left_overs(self):
        """Temporary files and spooled bodies."""
        root = Path(self.settings["UPLOAD_STORAGE_PATH"])
        return [p for part in (".tmp", ".body") for p in (root / part).rglob("*") if p.is_file()]

    def bucket_list(self):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.settings["S3_BUCKET"])
        return [o for page in pages for o in page.get("Contents", ())]

    def object_hash(self, place):
        """Of what lies at STORE/KEY."""
        store, key = place.split("/", 1)
        if store == "s3":
            body = self.s3.get_object(Bucket=self.settings["S3_BUCKET"], Key=key)["Body"]
            blocks = iter(lambda: body.read(MIB), b"")
        else:
            file = open(Path(self.settings["UPLOAD_STORAGE_PATH"]) / key, "rb")
            blocks = iter(lambda: file.read(MIB), b"")
        digest = hashlib.sha256()
        for block in blocks:
            digest.update(block)
        return digest.hexdigest()

    def snapshot(self):
        """What must be the same after a refused request."""
        return self.sql("SELECT * FROM attachments ORDER BY id"), self.objects()

    def assert_nothing_kept(self, before):
        """As before a refused request: the same rows, the same objects (once their jobs ran), no left-overs."""
        wait_until(lambda: not set(self.objects()) - set(before[1]), 10, "objects of a refused upload are removed")
        assert self.snapshot() == before
        wait_until(lambda: not self.left_overs(), 5, "left-overs of a refused upload are gone")

    def known_places(self):
        """STORE/KEY of all that has a row, of whatever kind, or something that removes it."""
        jobs = " UNION ".join(f"SELECT payload->>'store', payload->>'key' FROM {table} WHERE kind = 'delete_object'"
                              for table in ("jobs", "dead_jobs"))
        return {f"{store}/{key}" for store, key in self.sql(
            "SELECT store, key FROM attachments WHERE key IS NOT NULL UNION SELECT store, key FROM variants WHERE key IS NOT NULL"
            " UNION SELECT store, key FROM deletion_tickets UNION SELECT store, key FROM tombstone_objects UNION SELECT store, key FROM moved_sources"
            " UNION SELECT store, key FROM copies WHERE key IS NOT NULL UNION " + jobs)}

    def assert_whole(self, may_be_lost=0, hashes=True):
        """No row without its very bytes, no bytes (but of so many objects) without a row or a job that removes them.
        Without `hashes` the sizes must do."""
        rows = {f"{store}/{key}": (size, bytes(sha).hex()) for store, key, size, sha in self.sql(
            "SELECT store, key, size_bytes, sha256 FROM attachments WHERE external_url IS NULL")}
        known, stored = self.known_places(), self.stored()
        for place, (size, _) in rows.items():
            assert stored.get(place) == size, f"row {place} says {size} bytes, the store has {stored.get(place)}"
        if hashes:
            with concurrent.futures.ThreadPoolExecutor(8) as pool:  # Ceph takes its time for each
                for place, sha in zip(rows, pool.map(self.object_hash, rows)):
                    assert sha == rows[place][1], f"the bytes of {place} are others"
        lost = set(stored) - known - self.known_places()
        end = time.monotonic() + 5
        while len(lost) > may_be_lost and time.monotonic() < end:
            # between two looks a ticket becomes a row, a row a job, and a job is done; what is lost stays so
            time.sleep(0.2)
            lost &= set(self.stored())
            lost -= self.known_places()
        assert len(lost) <= may_be_lost, f"bytes that nothing removes: {lost}"

    # --- logs -------------------------------------------------------------------------------------------------------

    def log(self):
        return (self.dir / "log/worker.log").read_text(errors="replace")

    def requests_logged(self, since=0):
        return [parse_logfmt(line) for line in self.log()[since:].splitlines() if "event=request.done" in line]

    def logged(self, answer):
        """The request.done record of an answer."""
        request = answer.headers["X-Request-Id"]
        return wait_until(lambda: next((r for r in self.requests_logged() if r.get("req") == request), None), 5,
                          f"the log line of {request}")

    def all_logs(self):
        return {p.name: p.read_text(errors="replace") for p in (self.dir / "log").iterdir()}


def parse_logfmt(line):
    line = re.sub(r"^<\d>", "", line)
    return {k: re.sub(r'\\(["\\])', r"\1", v[1:-1]) if v.startswith('"') else v
            for k, v in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S*)', line)}
