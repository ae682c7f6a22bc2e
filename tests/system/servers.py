"""servers.py — PostgreSQL, Ceph and Swift for tests, started by the scripts in tests/servers."""
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import psycopg2
from botocore.config import Config

from processes import free_port, is_alive, wait_until

SCRIPTS = Path(__file__).resolve().parent.parent / "servers"


def run_script(name, *words):
    done = subprocess.run([str(SCRIPTS / name), *map(str, words)], capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {words[0]} failed: {done.stderr[-2000:]}")
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


class Postgres:
    """A cluster of its own, reachable by a socket alone; durability is off unless asked for."""

    def __init__(self, folder, durable=False):
        self.folder = folder
        self.options = [] if durable else ["--fast"]
        self.databases = 0
        self.start()

    def start(self):
        self.url = run_script("postgres", "start", self.folder, *self.options)["DATABASE_URL"]
        self.host = parse_qs(urlsplit(self.url).query)["host"][0]

    def stop(self, *how):
        # the server alone: the script's own "stop" would take the socket's folder, and with it the address, away
        pid = int((Path(self.folder) / "data/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT if "immediate" in how else signal.SIGINT)  # as if it crashed; clients are cut off
        wait_until(lambda: not is_alive(pid), 30, "PostgreSQL stopped")

    def close(self):
        run_script("postgres", "stop", self.folder, "--immediate")

    def new_database(self):
        """The URL of an empty database."""
        self.databases += 1
        name = f"test{self.databases}"
        with_autocommit(self.url, f"CREATE DATABASE {name}")
        return self.url.replace("/postgres?", f"/{name}?")


def connect(url, schema="cloakroom"):
    connection = psycopg2.connect(url, options=f"-c search_path={schema}")
    connection.autocommit = True
    return connection


def with_autocommit(url, sql):
    connection = connect(url)
    try:
        connection.cursor().execute(sql)
    finally:
        connection.close()


class TlsFront:
    """TLS before a server on loopback: `url` at a name that the certificate has, wildcard below it; `ca` signed it."""

    def __init__(self, folder, target_port):
        self.folder = Path(folder)
        self.port = free_port()
        told = run_script("tls-front", "start", self.folder, target_port, self.port)
        self.url, self.ca, self.other_ca = (told[f"S3_TLS_{word}"] for word in ("ENDPOINT", "CA_FILE", "OTHER_CA_FILE"))

    def asked(self):
        """(method, path, host, payload hash) of each request; nginx logs it a moment after the answer is sent."""
        return [tuple(line.split(" ")) for line in (self.folder / "log/access").read_text().splitlines()]

    def asked_for(self, key, method):
        """(host, payload hash) of each request for that object."""
        return [(host, hashed) for done, path, host, hashed in self.asked() if done == method and path.endswith("/" + key)]

    def close(self):
        run_script("tls-front", "stop", self.folder)


def client_of(settings):
    """What S3_ENDPOINT and the keys of these settings lead to, by boto3."""
    return boto3.client("s3", endpoint_url=settings["S3_ENDPOINT"], aws_access_key_id=settings["S3_ACCESS_KEY_ID"],
                        aws_secret_access_key=settings["S3_SECRET_ACCESS_KEY"], region_name="us-east-1",
                        config=Config(s3={"addressing_style": "path"}, signature_version="s3v4",
                                      proxies={}, retries={"max_attempts": 1}))


class Swift:
    """OpenStack Swift: strict about regions, no POST policy, no CORS and no lifecycle of a bucket."""

    def __init__(self, folder):
        self.folder = Path(folder)
        for attempt in range(3):  # a port may be taken
            try:
                self.settings = run_script("swift-s3", "start", folder, random.randrange(25000, 29990))
                return
            except RuntimeError:
                if attempt == 2:
                    raise

    def client(self):
        return client_of(self.settings)

    def close(self):
        run_script("swift-s3", "stop", self.folder)


FORGETTING_SECONDS = 30  # until Ceph waits for a dead gateway no more


class Ceph:
    """A RADOS gateway on an in-memory store. It starts in the background: about 10 s."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.port = free_port()
        self.starting = subprocess.Popen(
            [str(SCRIPTS / "ceph-s3"), "start", str(folder), str(self.port), str(free_port())],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.settings = None
        self.is_stopped = False

    def ready(self):
        """The server, which runs: what its gateway died of (it happens) is in its log, and costs one test, not all."""
        if self.settings is not None and not self.is_stopped and not self.has_gateway():
            print("the gateway of Ceph had died: started again")
            time.sleep(FORGETTING_SECONDS)
            self.start_gateway()
        if self.settings is None:
            out, err = self.starting.communicate(timeout=180)
            if self.starting.returncode != 0:
                raise RuntimeError(f"Ceph did not start: {err[-2000:]}")
            self.settings = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        return self

    def client(self):
        return client_of(self.ready().settings)

    def gateway_pid(self):
        return int((self.folder / "run/client.rgw.a.pid").read_text())

    def has_gateway(self):
        try:
            return is_alive(self.gateway_pid())
        except FileNotFoundError:
            return False

    def stop_gateway(self):
        """In order: after a kill -9 Ceph waits half a minute for the dead one before it changes a bucket. Now and then it
        hangs while it shuts down, though."""
        pid = self.gateway_pid()
        self.is_stopped = True
        os.kill(pid, signal.SIGTERM)
        try:
            wait_until(lambda: not is_alive(pid), 30, "the gateway stopped")
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            time.sleep(FORGETTING_SECONDS)

    def start_gateway(self):
        """Again. The objects are in the OSD's memory, so they are still there."""
        self.is_stopped = False
        subprocess.run(["radosgw", "-c", str(self.folder / "ceph.conf"), "-n", "client.rgw.a", "--no-mon-config"],
                       check=True, stderr=subprocess.DEVNULL, timeout=60)

    def close(self):
        if self.starting.poll() is None:
            self.starting.wait(180)
        run_script("ceph-s3", "stop", self.folder)

