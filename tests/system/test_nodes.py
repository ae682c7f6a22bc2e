"""test_nodes.py — two hosts that share nothing but one database, one bucket and the settings: any answers any request."""
import concurrent.futures
import hashlib
import os
import random
import urllib.request
from pathlib import Path

import pytest

import http_client
from processes import wait_until
from stack import MIB

REQUESTS = 1000
CLIENTS = 4


def second_node(new_stack, first, **settings):
    """Of `first` only the database and the settings: a disk, a cache, a socket and a job runner of its own."""
    node = new_stack(stack={"like": first}, start=False, **settings)
    node.settings["UPLOAD_STORAGE_PATH"] = str(node.dir / "files")
    node.start()
    node.start_jobs()
    return node


@pytest.fixture
def nodes(new_stack):
    first = new_stack(stack={"s3": True})
    return first, second_node(new_stack, first)


def cached_files(node):
    return [p for p in Path(node.settings["NGINX_CACHE_PATH"]).rglob("*") if p.is_file()]


class Client:
    """Does one thing after another, each time at the other node, and knows what the answer must be."""

    def __init__(self, nodes, number):
        self.nodes, self.user, self.turn, self.messages = nodes, f"user{number}", number, 0
        self.random = random.Random(f"nodes {number}")
        self.files = {}     # id -> (attachment, bytes)
        self.linked = {}    # message -> ids
        self.done = {}

    def call(self, method, path, headers=None, body=None, user=None):
        self.turn += 1
        node = self.nodes[self.turn % len(self.nodes)]
        return node.call(method, path, user or self.user, headers, body)

    def any_file(self):
        return self.files[self.random.choice(list(self.files))]

    def upload(self):
        data = self.random.randbytes(self.random.choice([1, 0, 5000, 100_000, 300_000]))
        if self.random.random() < 0.5:
            answer = self.call("PUT", "/api/upload/file.bin", body=data)
            made = answer.json()
        else:
            body, kind = http_client.form([("file.bin", data)])
            answer = self.call("POST", "/api/upload", {"Content-Type": kind}, body)
            made = answer.json()[0]
        assert answer.status == 201, str(answer)
        assert made["sha256"] == hashlib.sha256(data).hexdigest()
        self.files[made["id"]] = (made, data)

    def download(self):
        made, data = self.any_file()
        answer = self.call("GET", made["url"])
        assert answer.status == 200 and answer.body == data, str(answer)

    def part(self):
        made, data = self.any_file()
        if len(data) < 2:
            return self.download()
        first = self.random.randrange(len(data) - 1)
        last = self.random.randrange(first, len(data))
        answer = self.call("GET", made["url"], {"Range": f"bytes={first}-{last}"})
        assert answer.status == 206 and answer.body == data[first:last + 1], str(answer)

    def unchanged(self):
        made, _ = self.any_file()
        etag = self.call("HEAD", made["url"]).headers["ETag"]
        assert self.call("GET", made["url"], {"If-None-Match": etag}).status == 304

    def metadata(self):
        made, data = self.any_file()
        seen = self.call("GET", "/api/attachments/" + made["id"]).json()
        assert seen["sha256"] == made["sha256"] and seen["size"] == len(data) and seen["url"] == made["url"]

    def link(self):
        loose = [i for i in self.files if not any(i in ids for ids in self.linked.values())]
        if not loose:
            return self.upload()
        chosen = loose[:3]
        self.messages += 1
        message = f"{self.user}-{self.messages}"
        body = '{"message_id": "%s", "attachment_ids": ["%s"]}' % (message, '", "'.join(chosen))
        answer = self.call("POST", "/api/attachments/link", {"Content-Type": "application/json"}, body)
        assert answer.status == 200, str(answer)
        self.linked[message] = chosen

    def batch(self):
        if not self.linked:
            return self.link()
        messages = self.random.sample(list(self.linked), min(3, len(self.linked)))
        answer = self.call("GET", "/api/attachments?message_ids=" + ",".join(messages))
        assert {a["id"] for a in answer.json()} == {i for m in messages for i in self.linked[m]}, str(answer)

    def delete(self):
        if self.linked and self.random.random() < 0.5:
            message = self.random.choice(list(self.linked))
            assert self.call("DELETE", "/api/messages/" + message, user="service").status in (200, 204)
            gone = self.linked.pop(message)
        else:
            gone = [i for i in self.files if not any(i in ids for ids in self.linked.values())][:1]
            if not gone:
                return self.upload()
            assert self.call("DELETE", "/api/attachments/" + gone[0]).status == 204
        for one in gone:
            made, _ = self.files.pop(one)
            assert self.call("GET", made["url"]).status == 404

    def work(self, least):
        while self.turn < least:
            steps = [self.upload] if not self.files else self.random.choices(
                [self.upload, self.download, self.part, self.unchanged, self.metadata, self.link, self.batch, self.delete],
                [5, 6, 6, 3, 4, 3, 4, 2])
            steps[0]()
        return self.turn


def test_a_thousand_requests_alternating_between_two_nodes(nodes):
    clients = [Client(nodes, n) for n in range(CLIENTS)]
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        sent = sum(pool.map(lambda c: c.work(c.turn + REQUESTS // CLIENTS), clients))
    assert sent >= REQUESTS
    shares = [len([r for r in node.requests_logged() if r["route"] not in ("^/readyz", "/readyz")]) for node in nodes]
    assert min(shares) > REQUESTS // 3, "both took their part"
    for node in nodes:
        bad = [r for r in node.requests_logged() if int(r["status"]) >= 500 and "readyz" not in r["route"]]
        assert not bad, bad
    # what is left is exactly what the clients know of, and either node has every byte of it
    left = {i: f for c in clients for i, f in c.files.items()}
    assert {str(i) for (i,) in nodes[0].sql("SELECT id::text FROM attachments")} == set(left)
    wait_until(lambda: len(nodes[0].objects()) == len(left), 30, "deleted objects are gone from the bucket")
    for client in clients:
        for made, data in client.files.values():
            for node in nodes:
                assert node.get(made["url"], client.user).body == data
    for node in nodes:
        stored = [p for p in Path(node.settings["UPLOAD_STORAGE_PATH"]).rglob("*") if p.is_file()]
        assert not stored, "nothing stays on a node's own disk"


def test_a_deleted_file_leaves_the_cache_of_every_node(nodes):
    small, large = nodes[0].upload(os.urandom(9000)), nodes[1].upload(os.urandom(17 * MIB))
    for node in nodes:
        for made in (small, large):
            assert node.get(made["url"]).status == 200
        wait_until(lambda: len(cached_files(node)) == 1 + 5, 10, "copies on both nodes")
    for made in (small, large):
        assert nodes[0].call("DELETE", "/api/attachments/" + made["id"]).status == 204
    for node in nodes:
        wait_until(lambda: not cached_files(node), 20, "the copies of every node are purged")


def test_a_link_made_by_one_node_works_whatever_becomes_of_it(new_stack):
    first = new_stack(stack={"s3": True}, DELIVERY="redirect")
    node = second_node(new_stack, first, DELIVERY="redirect")
    data = os.urandom(70_000)
    made = first.upload(data, "Bild ä.bin")
    links = [one.get("/api/attachments/" + made["id"]).json()["data_url"] for one in (first, node)]
    assert links[0].split("?")[0] == links[1].split("?")[0]
    first.worker.stop()
    for link in links:
        with urllib.request.urlopen(link) as answer:
            assert answer.read() == data
            assert "filename*=UTF-8''Bild%20%C3%A4.bin" in answer.headers["Content-Disposition"]
    assert node.get(made["url"]).status == 302
