"""test_limits.py — how much one client may do: budgets that all nodes share, nginx's own limits, whose address counts."""
import concurrent.futures
import json
import socket
import time

import pytest

import http_client
from processes import free_port, wait_until

pytestmark = pytest.mark.alone

MISSING = "/api/files/0198c0de-0000-7000-8000-{:012x}/x.bin"
SECONDS = 8


def check_refusal(answer, budget=None):
    assert answer.status == 429, str(answer)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert json.loads(answer.body)["type"] == "urn:cloakroom:error:too_many"
    if budget:
        assert answer.headers["RateLimit-Policy"].startswith(f'"{budget}";q=')
        assert answer.headers["RateLimit"] == f'"{budget}";r=0;t={answer.headers["Retry-After"]}'


def test_two_nodes_accept_one_budget(new_stack):
    first = new_stack(RATE_DOWNLOADS="25/s burst 50")
    second = new_stack(stack={"like": first}, RATE_DOWNLOADS="25/s burst 50")
    path = first.upload()["url"]
    accepted, others = [], set()
    end = time.monotonic() + SECONDS

    def client(number):
        while time.monotonic() < end:
            answer = (first, second)[number % 2].get(path)
            if answer.status == 200:
                accepted.append((time.monotonic(), number % 2))
            elif answer.status == 429:
                time.sleep(0.01)
            else:
                others.add(answer.status)

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(client, range(4)))
    taken = max(when for when, _ in accepted) - start
    budget = 50 + 25 * taken
    print(f"accepted {len(accepted)} of a budget of {budget:.0f} in {taken:.2f} s")
    assert not others
    assert {node for _, node in accepted} == {0, 1}
    assert abs(len(accepted) - budget) <= 0.02 * budget
    # somebody else is not concerned
    assert second.get(path, user="service").status == 200
    assert second.get(path, user="bob").status == 404


def test_uploads_over_the_budget_keep_nothing(new_stack):
    stack = new_stack(RATE_UPLOADS="3/h")
    for number in range(3):
        stack.upload(name=f"{number}.bin")
    for answer in (stack.put(b"one more"), stack.post_form([("a.bin", b"one more")])):
        check_refusal(answer, "uploads")
    assert len(stack.rows()) == 3
    assert len(stack.objects()) == 3
    assert stack.put(b"of another", user="bob").status == 201
    for _ in range(5):
        assert stack.put(b"of the service", user="service").status == 201


def test_a_refusal_for_misses_does_not_tell_what_is_there(new_stack):
    stack = new_stack(RATE_MISSES="5/h")
    own, foreign = stack.upload(), stack.upload(user="bob")
    for number in range(4):
        assert stack.get(MISSING.format(number)).status == 404
    assert stack.get(foreign["url"]).status == 404
    refused = [stack.get(path) for path in (MISSING.format(9), foreign["url"], own["url"], "/api/files/no-id/x.bin",
                                            f"/api/attachments/{foreign['id']}")]
    for answer in refused:
        check_refusal(answer, "misses")
    shown = {(a.status, json.dumps({**a.json(), "request_id": ""}),
              tuple(sorted((k, v) for k, v in a.headers.items() if k not in ("X-Request-Id", "Date"))))
             for a in refused}
    assert len(shown) == 1, shown
    assert stack.get(foreign["url"], user="bob").status == 200


def test_links_and_strangers_are_counted_by_their_address(new_stack):
    stack = new_stack(RATE_DOWNLOADS_ADDRESS="4/h", LINK_SECRET="link-secret-of-the-tests-0123456789")
    made = stack.upload()
    link = json.loads(stack.call("POST", f"/api/attachments/{made['id']}/link-token", body=b"").body)["url"]  # one
    for _ in range(3):
        assert stack.get(link, user=None).status == 200
    check_refusal(stack.get(link, user=None), "downloads")
    check_refusal(stack.get(made["url"]), "downloads")  # the same address


def test_a_budget_that_cannot_be_counted_stops_nobody(new_stack):
    stack = new_stack(RATE_DOWNLOADS="2/h", RATE_UPLOADS="2/h")
    path = stack.upload()["url"]
    stack.sql("ALTER TABLE cloakroom.rate_limits RENAME TO elsewhere")
    for _ in range(6):
        assert stack.get(path).status == 200
        assert stack.put(b"still taken").status == 201
    assert "rate_limit.off" in stack.worker.text()


def test_the_job_runner_forgets_full_budgets(new_stack):
    stack = new_stack()
    stack.sql("INSERT INTO cloakroom.rate_limits (key, downloads) VALUES ('u:old', now() - interval '1 s'),"
              " ('u:new', now() + interval '1 h')")
    stack.jobs.stop()
    stack.start_jobs()
    for _ in range(100):
        left = stack.sql("SELECT key FROM cloakroom.rate_limits")
        if left == [("u:new",)]:
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {left}")


def test_nginx_refuses_a_flood_before_it_asks_the_worker(new_stack):
    stack = new_stack(NGINX_LIMIT_REQUESTS="1/m burst 4", CORS_ORIGINS="https://app.example.com")
    answers = [stack.get(MISSING.format(n)) for n in range(7)]
    assert [a.status for a in answers] == [404] * 5 + [429] * 2
    check_refusal(answers[-1])
    assert answers[-1].headers["Cache-Control"] == "no-store"
    preflight = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PUT"}
    for answer in (stack.put(b"not even spooled"), stack.get("/readyz", user=None), stack.get("/healthz", user=None),
                   stack.call("OPTIONS", "/api/upload/x", None, preflight)):
        check_refusal(answer)


def test_an_ipv4_client_is_one_also_on_a_socket_for_both_families(new_stack):
    both = free_port()
    stack = new_stack(NGINX_LIMIT_REQUESTS="1/m burst 1", stack={"server": f"listen [::]:{both} ipv6only=off;"})

    def ask(port, source):
        return http_client.call(port, "GET", "/healthz", source=source).status

    assert [ask(both, "127.0.0.2") for _ in range(3)] == [200, 200, 429]
    assert ask(stack.port, "127.0.0.2") == 429
    assert ask(both, "127.0.0.3") == 200 and ask(stack.port, "127.0.0.3") == 200


def test_nginx_limits_what_one_address_does_at_once(new_stack):
    stack = new_stack(NGINX_LIMIT_CONNECTIONS="2")
    path = stack.upload()["url"]
    head = "".join(f"{k}: {v}\r\n" for k, v in stack.identity("alice").items())
    slow, refused = [], []

    def full():
        # one more: a request that has been answered may be counted for a moment still, and be why an earlier one was refused
        slow.append(socket.create_connection(("127.0.0.1", stack.port)))
        slow[-1].sendall(f"PUT /api/upload/slow.bin HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 1000\r\n\r\nx".encode())
        answer = stack.get(path)
        if answer.status != 200:
            refused.append(answer)
        return len(refused) >= 3

    try:
        wait_until(full, 10, "two slow ones are counted")
        check_refusal(refused[-1])
    finally:
        for one in slow:
            one.close()
    wait_until(lambda: stack.get(path).status == 200, 10, "their end is counted")


def test_a_flood_of_links_is_refused_where_the_application_is_asked(new_stack):
    stack = new_stack(AUTH="header", AUTH_REQUEST="/who", LINK_SECRET="link-secret-of-the-tests-0123456789",
                      NGINX_LIMIT_REQUESTS="1/m burst 1",
                      stack={"server": "location = /who { internal; return 401; }"})
    path = MISSING.format(1) + "?link=forged"
    answers = [stack.get(path, user=None) for _ in range(4)]
    assert [a.status for a in answers] == [401, 401, 429, 429]
    check_refusal(answers[-1])


@pytest.mark.parametrize("where", ["worker", "nginx"])
def test_the_client_is_the_last_address_that_no_trusted_proxy_wrote(new_stack, where):
    limits = {"RATE_MISSES_ADDRESS": "2/h"} if where == "worker" else {"NGINX_LIMIT_REQUESTS": "1/m burst 1"}
    stack = new_stack(TRUSTED_PROXIES="127.0.0.0/8, 10.1.0.0/16", AUTH="none", JWT_SECRET=None, **limits)

    def ask(forwarded):
        return stack.get(MISSING.format(1), user=None, headers={"X-Forwarded-For": forwarded}).status

    assert [ask("192.0.2.1") for _ in range(3)] == [404, 404, 429]
    assert ask("198.51.100.1, 192.0.2.1") == 429           # the client's own words before it do not count
    assert ask("192.0.2.1, 10.1.2.3") == 429               # a trusted proxy behind it is passed over
    assert ask("192.0.2.2") == 404
    assert [ask(f"2001:db8:1:2::{n}") for n in range(1, 4)] == [404, 404, 429]  # one household
    assert ask("2001:db8:1:3::1") == 404


def test_without_trusted_proxies_nobody_chooses_his_address(new_stack):
    stack = new_stack(RATE_MISSES_ADDRESS="2/h")
    answers = [stack.get(MISSING.format(n), headers={"X-Forwarded-For": f"192.0.2.{n}", "X-Real-IP": "192.0.2.9"})
               for n in range(3)]
    assert [a.status for a in answers] == [404, 404, 429]
