"""s3_loads.py — the S3 store through the product, beside the very store asked directly, boto3 and the aws command."""
import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from load import Load
from measure import request, send_file, wrk
from stage import REPOSITORY

OBJECTS = 300  # of 20 kB, read once each while nginx's cache does not have them
LARGE_BYTES, HUGE_BYTES = 100_000_000, 500_000_000
CONNECTIONS = 8
LIFE_SECONDS = 3600
ONE_BY_ONE = 40  # small uploads of one client in a round


class S3Loads:
    """`products` are the pools of workers by DELIVERY."""

    def __init__(self, bench, products):
        self.bench, self.products, self.proxy = bench, products, products["proxy"]
        env = self.proxy.env
        self.bucket, self.store = env["S3_BUCKET"], env["S3_ENDPOINT"].rstrip("/")
        self.keys = {"AWS_ACCESS_KEY_ID": env["S3_ACCESS_KEY_ID"], "AWS_SECRET_ACCESS_KEY": env["S3_SECRET_ACCESS_KEY"],
                     "AWS_DEFAULT_REGION": "us-east-1"}
        self.client = boto3.client(
            "s3", endpoint_url=self.store, aws_access_key_id=env["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=env["S3_SECRET_ACCESS_KEY"], region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", proxies={}))
        folder = bench.stage.dir
        self.large, self.huge = folder / "s3-large", folder / "s3-huge"
        for path, size in ((self.large, LARGE_BYTES), (self.huge, HUGE_BYTES)):
            subprocess.run(["dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={size}", "iflag=count_bytes"],
                           check=True, stderr=subprocess.DEVNULL)

    # --- small pieces -----------------------------------------------------------------------------------------------

    def url(self, delivery, path):
        return f"http://127.0.0.1:{self.products[delivery].port}{path}"

    def straight(self, method, key):
        """Path and query of a signed URL."""
        operation = {"GET": "get_object", "PUT": "put_object"}[method]
        url = self.client.generate_presigned_url(operation, {"Bucket": self.bucket, "Key": key}, ExpiresIn=LIFE_SECONDS)
        return url[len(urlsplit(url).scheme) + 3 + len(urlsplit(url).netloc):]

    def upload(self, name, body):
        status, _, answer = request(self.proxy.port, "PUT", f"/api/upload/{name}", self.bench.identity, body)
        if status != 201:
            raise RuntimeError(f"S3 upload: {status} {answer[:300]!r}")
        return json.loads(answer)["url"]

    def fresh_objects(self, count):
        """Paths of objects that nobody has read yet."""
        body = self.bench.small_file.read_bytes()
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda _: self.upload("small.bin", body), range(count)))

    def fetch(self, url, follow=False):
        """MB/s of one download by curl."""
        words = ["curl", "-sS", "--fail", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", url]
        if follow:
            words.append("-L")
        done = subprocess.run([*words, "-H", self.bench.bearer] if "/api/" in url else words, check=True,
                              capture_output=True, text=True, timeout=120)
        size, seconds = done.stdout.split()
        if int(size) != LARGE_BYTES:
            raise RuntimeError(f"S3 download: {size} bytes of {LARGE_BYTES}")
        return {"rate": LARGE_BYTES / 1e6 / float(seconds)}

    # --- loads ------------------------------------------------------------------------------------------------------

    def small_cold(self, _):
        """New objects, each read for the first time. The store is slow enough for this client."""
        paths = self.fresh_objects(OBJECTS)
        start = time.monotonic()
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            answers = set(pool.map(lambda p: request(self.proxy.port, "GET", p, self.bench.identity)[0], paths))
        if answers != {200}:
            raise RuntimeError(f"S3 download, cold: {answers}")
        return {"rate": OBJECTS / (time.monotonic() - start)}

    def large_cold(self, number):
        self.newest = self.upload(f"large-{number}.bin", self.large.read_bytes())
        return self.fetch(self.url("proxy", self.newest))

    def one_by_one(self, put):
        """Small uploads of one client, the next when the last is answered."""
        start = time.monotonic()
        for i in range(ONE_BY_ONE):
            put(i)
        return {"rate": ONE_BY_ONE / (time.monotonic() - start)}

    @staticmethod
    def huge_rate(put):
        os.sync()  # nobody pays for another's dirty pages
        start = time.monotonic()
        put()
        return {"rate": HUGE_BYTES / 1e6 / (time.monotonic() - start)}

    def huge_put(self, number):
        return self.huge_rate(lambda: send_file(self.proxy.port, "PUT", f"/api/upload/huge-{number}.bin",
                                                [self.bench.bearer], self.huge))

    def huge_client(self, number):
        """The store's client alone: what boto3 and the aws command do."""
        os.sync()
        done = subprocess.run([REPOSITORY / "build/release/bench/s3_put", self.huge, f"client-huge-{number}"], check=True,
                              capture_output=True, text=True, timeout=180,
                              env={name: value for name, value in self.proxy.env.items() if name.startswith("S3_")})
        return {"rate": HUGE_BYTES / 1e6 / float(done.stdout)}

    def boto_file(self, path, key):
        self.client.upload_file(str(path), self.bucket, key, Config=TransferConfig())

    def huge_boto(self, number):
        return self.huge_rate(lambda: self.boto_file(self.huge, f"boto-huge-{number}"))

    def aws(self, path, key):
        subprocess.run(["/usr/bin/aws", "--endpoint-url", self.store, "s3", "cp", "--quiet", "--no-progress", str(path),
                        f"s3://{self.bucket}/{key}"], check=True, timeout=180,
                       env={**self.keys, "PATH": "/usr/bin:/bin", "HOME": str(self.bench.stage.dir)})

    def huge_aws(self, number):
        return self.huge_rate(lambda: self.aws(self.huge, f"aws-huge-{number}"))

    def loads(self):
        seconds, me, small = self.bench.options.seconds, (self.bench.bearer,), self.bench.small_file
        body = small.read_bytes()
        self.client.put_object(Bucket=self.bucket, Key="straight", Body=body)
        self.client.upload_file(str(self.large), self.bucket, "straight-large")
        one = self.fresh_objects(1)[0]

        def read(delivery):
            return lambda _: wrk(self.url(delivery, one), CONNECTIONS, seconds, headers=me)
        straight = "S3 GET straight"
        return [
            Load("S3 20 kB proxy cold", self.small_cold, straight),
            Load("S3 20 kB proxy warm", read("proxy"), straight),
            Load("S3 20 kB stream", read("stream"), straight),
            Load("S3 20 kB redirect", read("redirect"), straight),  # the 302 alone
            Load(straight, lambda _: wrk(self.store + self.straight("GET", "straight"), CONNECTIONS, seconds)),
            Load("S3 100 MB proxy cold", self.large_cold, "S3 100 MB straight", unit="MB/s"),
            Load("S3 100 MB proxy warm", lambda _: self.fetch(self.url("proxy", self.newest)), "S3 100 MB straight",
                 unit="MB/s"),
            Load("S3 100 MB stream", lambda _: self.fetch(self.url("stream", self.newest)), "S3 100 MB straight",
                 unit="MB/s"),
            Load("S3 100 MB redirect", lambda _: self.fetch(self.url("redirect", self.newest), follow=True),
                 "S3 100 MB straight", unit="MB/s"),
            Load("S3 100 MB straight", lambda _: self.fetch(self.store + self.straight("GET", "straight-large")),
                 unit="MB/s"),
            Load("S3 upload 20 kB", lambda _: self.one_by_one(lambda i: self.upload(f"{i}.bin", body)), "boto3 20 kB",
                 1.0, ["aws s3 cp 20 kB"]),
            Load("boto3 20 kB", lambda _: self.one_by_one(lambda i: self.boto_file(small, f"boto-{i}"))),
            Load("aws s3 cp 20 kB", self.aws_small),
            Load("S3 upload 500 MB", self.huge_put, "boto3 500 MB", 1.0, ["aws s3 cp 500 MB"], unit="MB/s"),
            Load("S3 client 500 MB", self.huge_client, "boto3 500 MB", 1.0, ["aws s3 cp 500 MB"], unit="MB/s"),
            Load("boto3 500 MB", self.huge_boto, unit="MB/s"),
            Load("aws s3 cp 500 MB", self.huge_aws, unit="MB/s"),
        ]

    def aws_small(self, _):
        start = time.monotonic()
        self.aws(self.bench.small_file, "aws-small")
        return {"rate": 1 / (time.monotonic() - start)}
