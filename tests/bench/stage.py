"""stage.py — everything a bench needs, below one folder: PostgreSQL, the product, the floor, one nginx before them."""
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "system"))
from imager import Imager  # noqa: E402
from processes import ROOT, USER, Process, as_user, children, free_port, own, wait_until  # noqa: E402

# One client at full speed is what every limit is there to stop.
UNLIMITED = {"NGINX_LIMIT_REQUESTS": "off", "NGINX_LIMIT_CONNECTIONS": "0", **{
    f"RATE_{what}{whose}": "off" for what in ("UPLOADS", "DOWNLOADS", "MISSES") for whose in ("", "_ADDRESS")}}
WORKERS = 4  # children of the product, processes of the floor
POSTGRES = HERE.parent / "servers/postgres"
CEPH = HERE.parent / "servers/ceph-s3"

# Same file, same parameters, same temporary folders as the product's own include: only the worker differs.
NGINX = """{user}
daemon off;
worker_processes auto;
worker_rlimit_nofile 8192;
pid {dir}/nginx/nginx.pid;
error_log {dir}/log/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {dir}/nginx/body;
  proxy_temp_path {dir}/nginx/proxy;
  fastcgi_temp_path {dir}/nginx/fastcgi;
  uwsgi_temp_path {dir}/nginx/body; scgi_temp_path {dir}/nginx/body;
  {http_includes}
  {servers}
  upstream floor {{ server unix:{floor_socket}; }}
  server {{
    listen 127.0.0.1:{beside_port} backlog=4096;
    client_max_body_size 0;
    fastcgi_param REQUEST_METHOD    $request_method;
    fastcgi_param REQUEST_URI       $request_uri;
    fastcgi_param CONTENT_TYPE      $content_type;
    fastcgi_param CONTENT_LENGTH    $content_length;
    fastcgi_param REQUEST_BODY_FILE $request_body_file;
    fastcgi_param REQUEST_ID        $request_id;
    fastcgi_param REMOTE_ADDR       $remote_addr;
    location /floor/ {{ fastcgi_pass floor; }}
    location = /floor/upload {{
      fastcgi_pass floor;
      client_body_temp_path {dir}/floor/body;
      client_body_in_file_only clean;
      fastcgi_pass_request_body off;
    }}
    location /_floor/file/ {{
      internal;
      alias {dir}/files/;
      sendfile on;
      etag off;
      add_header ETag $upstream_http_etag;
    }}
    location /static/ {{ alias {dir}/files/; sendfile on; }}
    location /dav/ {{
      alias {dir}/dav/;
      dav_methods PUT;
      create_full_put_path on;
      client_body_temp_path {dir}/dav-body;
    }}
  }}
}}
"""

SERVER = """server {{
    listen 127.0.0.1:{port} backlog=4096;
    include {include};
    location / {{ return 404; }}
  }}
"""


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


class Product:
    """One pool of workers with its settings; `name` is its INSTANCE."""

    def __init__(self, stage, name, settings):
        self.stage, self.name, self.port = stage, name, free_port()
        self.socket = f"{stage.sockets}/{name}.sock"
        self.env = {
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "INSTANCE": name, "DATABASE_URL": stage.database,
            "JWT_SECRET": stage.secret, "FASTCGI_SOCKET": self.socket, "WORKERS": str(WORKERS),
            "UPLOAD_STORAGE_PATH": f"{stage.dir}/files", "MAX_UPLOAD_SIZE": "600M",
            "NGINX_CACHE_PATH": f"{stage.dir}/nginx/cache-{name}",
            "NGINX_ERROR_LOG": f"{stage.dir}/log/nginx-error.log", **UNLIMITED,
            **settings}

    def tool(self, *words):
        done = subprocess.run(as_user([self.stage.app / "bin/cloakroom", *words]), env=self.env, capture_output=True,
                              text=True, timeout=60, cwd="/")
        if done.returncode != 0:
            raise RuntimeError(f"cloakroom {words[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self):
        self.process = Process([self.stage.app / "bin/cloakroom-fcgi", "--socket", self.socket], self.env,
                               self.stage.dir / f"log/worker-{self.name}.log")
        self.stage.running.append(self.process)
        wait_until(lambda: len(children(self.process.pid)) == WORKERS or not self.process.running(), 10)
        if not self.process.running():
            raise RuntimeError(f"the worker did not start: {self.process.text()[-2000:]}")
        self.tool("config", "--nginx", self.stage.dir / "nginx")


class Stage:
    """`with Stage() as stage:` and all of it is up; afterwards it is gone."""

    def __enter__(self):
        # a real disk, not a tmpfs; everything of it on one file system, so that nginx moves files by rename
        self.dir = Path(tempfile.mkdtemp(prefix="cloakroom-bench.", dir=os.environ.get("BENCH_FOLDER", "/var/tmp")))
        self.sockets = tempfile.mkdtemp(prefix="clk-bench.", dir="/tmp")
        self.running = []
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        self.dir.chmod(0o755)
        own(self.sockets)
        for name in ("nginx", "nginx/body", "nginx/proxy", "nginx/fastcgi", "log", "files", "floor", "floor/body",
                     "floor/tmp", "dav", "dav-body", *(f"floor/{i:02x}" for i in range(256))):
            (self.dir / name).mkdir()
            own(self.dir / name)
        # the checkout may lie where the workers' user cannot go
        self.app = self.dir / "app"
        shutil.copytree(os.environ.get("BENCH_APP", REPOSITORY / "build/release/stage"), self.app)
        self.secret = secrets.token_hex(32)
        self.database = self.postgres("start").split("=", 1)[1].strip()
        self.postgres_pid = int((self.dir / "postgres/data/postmaster.pid").read_text().split()[0])

        self.product = Product(self, "default", {})
        # every budget is asked and never empty
        self.metered = Product(self, "metered", {k: "1000000/s" for k in UNLIMITED if k.startswith("RATE_")})
        # rows of its own: once counting is on, everybody who writes the same rows pays for it
        self.counted = Product(self, "counted", {"DATABASE_SCHEMA": "counted", "QUOTA_USER_BYTES": "1T",
                                                 "QUOTA_USER_FILES": "1000000000"})
        self.products = [self.product, self.metered, self.counted]
        self.product.tool("migrate")
        self.counted.tool("migrate")
        self.token = self.product.tool("token", "alice", "--ttl", "86400")
        self.product.start()
        self.metered.start()
        self.counted.start()
        jobs = Process([self.app / "bin/cloakroom", "jobs"], self.product.env, self.dir / "log/jobs.log")
        self.running.append(jobs)
        self.start_nginx()

    def start_s3(self):
        """A store and a pool of workers for each way to deliver from it; late, so that they disturb nobody else."""
        if os.environ.get("S3_ENDPOINT"):
            settings = {k: v for k, v in os.environ.items() if k.startswith("S3_")}
        else:
            done = subprocess.run([CEPH, "start", self.dir / "ceph", str(free_port()), str(free_port())],
                                  capture_output=True, text=True, timeout=180)
            if done.returncode != 0:
                raise RuntimeError(f"Ceph: {done.stderr.strip()}")
            settings = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        pools = {}
        for delivery in ("proxy", "stream", "redirect"):
            pools[delivery] = Product(self, f"s3-{delivery}", {"STORAGE": "s3", "S3_BUCKET": "cloakroom-bench",
                                                               "DELIVERY": delivery, **settings})
            (self.dir / f"nginx/cache-s3-{delivery}").mkdir()
            own(self.dir / f"nginx/cache-s3-{delivery}")
            pools[delivery].start()
        self.add(pools.values())
        return pools

    def start_pictures(self):
        """A pool of workers with a cloakroom-image."""
        folder = self.dir / "pictures"
        folder.mkdir()
        own(folder)
        self.imager = Imager(self.app, folder)
        self.running.append(self.imager.process)
        pictured = Product(self, "pictured", {"IMAGE_SOCKET": self.imager.socket})
        pictured.start()
        self.add([pictured])
        return pictured

    def add(self, products):
        """Products that start when nginx runs already."""
        self.products += products
        self.write_nginx()
        self.nginx.send(signal.SIGHUP)
        for product in products:
            wait_until(lambda one=product: answers(one.port), 20, "nginx took the new configuration")

    def postgres(self, command):
        done = subprocess.run([POSTGRES, command, self.dir / "postgres"], capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL: {done.stderr.strip()}")
        return done.stdout

    def start_floor(self):
        """Later than the product, whose memory is measured while it shares no library with the floor."""
        subprocess.run(["psql", "-qX", self.database, "-c",
                        "CREATE TABLE floor_files (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), uploader_id text,"
                        " key text NOT NULL, size_bytes int8 NOT NULL, created_at timestamptz NOT NULL DEFAULT now())"],
                       check=True, timeout=20)
        program = self.app / "floor"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "libpq", "libcrypto"], capture_output=True,
                               text=True, check=True).stdout.split()
        subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O2", "-o", program, HERE / "floor.cc", *flags,
                        "-lfcgi"], check=True)
        env = {"DATABASE_URL": self.database, "JWT_SECRET": self.secret, "FLOOR_FOLDER": f"{self.dir}/floor"}
        self.floor = Process([program, f"{self.sockets}/floor.sock", WORKERS], env, self.dir / "log/floor.log")
        self.running.append(self.floor)
        wait_until(lambda: len(children(self.floor.pid)) == WORKERS or not self.floor.running(), 10)

    def write_nginx(self):
        include = f"{self.dir}/nginx"
        config = NGINX.format(
            user=f"user {USER};" if ROOT else "", dir=self.dir, beside_port=self.beside_port,
            floor_socket=f"{self.sockets}/floor.sock",
            http_includes="\n  ".join(f"include {include}/{p.name}-http.conf;" for p in self.products),
            servers="".join(SERVER.format(port=p.port, include=f"{include}/{p.name}-server.conf")
                            for p in self.products))
        (self.dir / "nginx/nginx.conf").write_text(config)

    def start_nginx(self):
        self.beside_port = free_port()
        self.write_nginx()
        words = ["/usr/sbin/nginx", "-p", self.dir / "nginx", "-e", self.dir / "log/nginx-error.log",
                 "-c", self.dir / "nginx/nginx.conf"]
        self.nginx = Process(words, {"PATH": "/usr/sbin:/usr/bin"}, self.dir / "log/nginx.log", privileged=True)
        self.running.append(self.nginx)
        wait_until(lambda: children(self.nginx.pid) or not self.nginx.running(), 10)
        if not self.nginx.running():
            raise RuntimeError(f"nginx did not start: {self.nginx.text()[-2000:]}")

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop(signal.SIGTERM)
        if (self.dir / "postgres").exists():
            self.postgres("stop")
        if (self.dir / "ceph").exists():
            subprocess.run([CEPH, "stop", self.dir / "ceph"], check=False, timeout=60)
        # The only mass deletion, at the very end: after one, ext4 makes files four to five times slower for minutes.
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.rmtree(self.sockets, ignore_errors=True)
