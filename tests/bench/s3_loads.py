"""s3_loads.py — the S3 store through the product, beside the very store asked directly with URLs that boto3 signed."""
import json
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from load import Load
from measure import request, wrk

OBJECTS = 400  # of 20 kB, read once each while nginx's cache does not have them
LIFE_SECONDS = 3600


class S3Loads:
    def __init__(self, bench):
        self.bench, self.product = bench, bench.stage.s3
        env = self.product.env
        self.bucket = env["S3_BUCKET"]
        self.client = boto3.client(
            "s3", endpoint_url=env["S3_ENDPOINT"], aws_access_key_id=env["S3_ACCESS_KEY_ID"],
            aws_secret_access_key=env["S3_SECRET_ACCESS_KEY"], region_name=env.get("S3_REGION", "us-east-1"),
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", proxies={}))
        self.store = env["S3_ENDPOINT"].rstrip("/")
        self.url = f"http://127.0.0.1:{self.product.port}"

    def straight(self, method, key):
        """Path and query of a signed URL."""
        operation = {"GET": "get_object", "PUT": "put_object"}[method]
        url = self.client.generate_presigned_url(operation, {"Bucket": self.bucket, "Key": key}, ExpiresIn=LIFE_SECONDS)
        return url[len(urlsplit(url).scheme) + 3 + len(urlsplit(url).netloc):]

    def fresh_objects(self):
        """Paths of objects that nobody has read yet."""
        headers = {**self.bench.identity, "Content-Type": self.bench.form_type}
        body = self.bench.form_file.read_bytes()

        def upload(_):
            status, _, answer = request(self.product.port, "POST", "/api/upload", headers, body)
            if status != 201:
                raise RuntimeError(f"S3 upload: {status} {answer[:300]!r}")
            return json.loads(answer)[0]["url"]
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(upload, range(OBJECTS)))

    def once(self):
        """New objects, each read for the first time. The store is slow enough for this client."""
        paths = self.fresh_objects()
        start = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            answers = set(pool.map(lambda p: request(self.product.port, "GET", p, self.bench.identity)[0], paths))
        if answers != {200}:
            raise RuntimeError(f"S3 download, cold: {answers}")
        return {"rate": OBJECTS / (time.monotonic() - start)}

    def loads(self):
        seconds, me = self.bench.options.seconds, (self.bench.bearer,)
        posted = {"headers": me, "method": "POST", "body": self.bench.form_file, "body_type": self.bench.form_type}
        small = self.bench.small_file
        self.client.put_object(Bucket=self.bucket, Key="straight", Body=small.read_bytes())
        one = self.fresh_objects()[0]
        return [
            Load("S3 upload 20 kB", lambda _: wrk(f"{self.url}/api/upload", 8, seconds, **posted), "S3 PUT straight"),
            Load("S3 PUT straight", lambda _: wrk(self.store + self.straight("PUT", "written"), 8, seconds,
                                                  method="PUT", body=small)),
            Load("S3 download, cold", lambda _: self.once(), "S3 GET straight"),
            Load("S3 download, warm", lambda _: wrk(self.url + one, 8, seconds, headers=me), "S3 GET straight"),
            Load("S3 GET straight", lambda _: wrk(self.store + self.straight("GET", "straight"), 8, seconds)),
        ]
