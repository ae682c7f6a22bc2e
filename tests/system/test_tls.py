"""test_tls.py — the store behind TLS with an authority of its own: every delivery, both styles of address, and mistrust."""
import hashlib
import http.client
import json
import os
import socket
import ssl
from urllib.parse import urlsplit

import pytest

from processes import wait_until
from servers import TlsFront
from stack import MIB
from test_check import bad, findings


@pytest.fixture(scope="module")
def front(world):
    world.start_ceph()
    made = TlsFront(world.folder("tls"), world.ceph.ready().port)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["path", "virtual"])
def tls(request, world, front):
    """`host`: what requests for objects name as their Host."""
    bucket = "tls-" + request.param
    settings = {**world.s3_settings(bucket), "S3_ENDPOINT": front.url, "S3_CA_FILE": front.ca,
                "S3_ADDRESSING": request.param}
    stack = world.stack(settings, hosts=["s3.localhost", bucket + ".s3.localhost"]).start()
    stack.host = ("" if request.param == "path" else bucket + ".") + urlsplit(front.url).netloc
    yield stack
    stack.stop()
    world.stacks.remove(stack)


def fetch(front, url, method="GET", body=None, headers=None):
    """Status and body, as a browser that trusts the authority would get them; every name is this machine."""
    target = urlsplit(url)
    connection = http.client.HTTPSConnection(target.hostname, target.port, timeout=30)
    plain = socket.create_connection(("127.0.0.1", target.port), timeout=30)
    context = ssl.create_default_context(cafile=front.ca)
    connection.sock = context.wrap_socket(plain, server_hostname=target.hostname)
    connection.request(method, f"{target.path}?{target.query}", body, headers or {})
    answer = connection.getresponse()
    got = answer.status, answer.read()
    connection.close()
    return got


def answers(stack):
    try:
        return stack.get("/healthz", user=None).status == 200
    except OSError:
        return False


def test_nginx_fetches_over_tls_and_sends_every_size_and_range(tls, front):
    for size in (0, 10_000, 17 * MIB + 5):
        data = os.urandom(size)
        made = tls.upload(data, "ä b.bin")
        answer = tls.get(made["url"])
        assert answer.status == 200 and answer.body == data
        assert not size or tls.get(made["url"], headers={"Range": "bytes=-5"}).body == data[-5:]
        if size:
            read = wait_until(lambda one=made: front.asked_for(tls.key_of(one), "GET"), 10, "the front logs an answer it has sent")
            assert {host for host, _ in read} == {tls.host}
    tls.assert_whole()


def test_over_https_too_the_payload_hash_is_that_of_the_body(tls, front):
    data = os.urandom(5000)
    made = tls.upload(data)
    put = wait_until(lambda: front.asked_for(tls.key_of(made), "PUT"), 10, "the front logs an answer it has sent")
    assert [hashed for _, hashed in put] == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize("delivery", ["redirect", "stream"])
def test_other_deliveries_go_over_tls_too(tls, new_stack, front, delivery):
    stack = new_stack(stack={"like": tls, "hosts": tls.hosts}, DELIVERY=delivery)
    data = os.urandom(300_000)
    made = tls.upload(data)
    answer = stack.get(made["url"])
    if delivery == "stream":
        assert answer.status == 200 and answer.body == data
        return
    url = answer.headers["Location"]
    assert url.startswith(f"https://{tls.host}/")
    assert fetch(front, url) == (200, data)
    assert fetch(front, url[:-1] + ("0" if url[-1] != "0" else "1"))[0] == 403


@pytest.mark.parametrize("provider", ["swift", "ceph"], ids=["PUT", "POST"])
def test_a_direct_upload_goes_over_tls(tls, new_stack, front, provider):
    stack = new_stack(stack={"like": tls, "hosts": tls.hosts}, S3_PROVIDER=provider)
    data = os.urandom(4000)
    asked = stack.call("POST", "/api/direct-uploads", body=json.dumps({"filename": "a.bin", "size": len(data)}))
    assert asked.status == 201, str(asked)
    ticket = asked.json()
    if ticket["method"] == "PUT":
        status, _ = fetch(front, ticket["url"], "PUT", data, ticket["headers"])
    else:
        edge = "----tls-test"
        parts = "".join(f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                        for name, value in ticket["fields"].items())
        body = (parts + f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n').encode()
        status, _ = fetch(front, ticket["url"], "POST", body + data + f"\r\n--{edge}--\r\n".encode(),
                          {"Content-Type": f"multipart/form-data; boundary={edge}"})
    assert status in (200, 201, 204)
    made = stack.call("POST", f"/api/direct-uploads/{ticket['id']}/complete")
    assert made.status == 201, str(made)
    assert stack.get(made.json()["url"]).body == data


@pytest.mark.parametrize("what", ["authority", "name"])
def test_nginx_and_the_worker_refuse_a_store_that_they_cannot_trust(tls, new_stack, front, what):
    made = tls.upload(b"secret", "a.txt")
    wrong = {"S3_CA_FILE": front.other_ca}
    if what == "name":
        wrong = {"S3_ENDPOINT": front.url.replace("s3.localhost", "127.0.0.1"), "S3_ADDRESSING": "path"}
    stack = new_stack(stack={"like": tls, "hosts": tls.hosts}, start=False, **wrong)
    stack.start_worker()
    stack.start_nginx()
    wait_until(lambda: answers(stack), 10, "nginx answers")
    wait_until(lambda: front.asked_for(tls.key_of(made), "PUT"), 10, "the front logs an answer it has sent")
    before = len(front.asked())
    answer = stack.get(made["url"])
    assert answer.status == 502 and answer.headers["Content-Type"] == "application/problem+json", str(answer)
    refused = stack.put(b"bytes")
    assert refused.status == 502 and refused.json()["type"].endswith(":store"), str(refused)
    assert stack.logged(refused)["detail"].startswith("cannot trust the store: SSL")
    assert len(front.asked()) == before, "nothing was asked of a stranger"
    found = findings(stack, code=1)["s3.endpoint"]
    assert found["verdict"] == "failure" and "cannot trust the store" in found["text"]
    assert "S3_CA_FILE" in found["remedy"]


def test_check_finds_nothing_wrong_over_tls(tls):
    found = findings(tls)
    assert not [name for name, verdict in bad(found).items() if verdict == "failure"], found
    assert found["s3.presigned_put"]["verdict"] == "ok" and found["s3.unsigned_payload"]["verdict"] == "ok"
