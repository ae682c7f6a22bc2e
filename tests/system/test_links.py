"""test_links.py — signed links as users and sysadmins meet them: made, used, bound, expired, rotated, and never logged."""
import json
import subprocess
import time

import pytest

from links import SECRET, link
from processes import own

DATA = b"bytes behind a link"
POST = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def linking(world):
    return world.stack({"LINK_SECRET": SECRET}).start()


def make(stack, made, user="alice", **wish):
    return stack.call("POST", f"/api/attachments/{made['id']}/link-token", user, POST, json.dumps(wish) if wish else None)


@pytest.mark.parametrize("where", ["linking", "s3", "s3_redirect"])
def test_a_link_opens_the_file_for_whoever_has_it(request, new_stack, where):
    if where == "linking":
        stack = request.getfixturevalue(where)
    else:
        like = request.getfixturevalue("s3")
        more = {"DELIVERY": "redirect"} if where == "s3_redirect" else {}
        stack = new_stack(stack={"like": like}, LINK_SECRET=SECRET, **more)
    made = stack.upload(DATA, "ä b.txt")
    answer = make(stack, made, expires_in=77)
    assert answer.status == 201 and answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["url"] == made["url"] + "?link=" + body["token"] and body["expires_at"].endswith("Z")
    opened = stack.get(body["url"], None)
    if where == "s3_redirect":
        assert opened.status == 302 and "no-store" in opened.headers["Cache-Control"]
        life = int(opened.headers["Location"].partition("X-Amz-Expires=")[2].partition("&")[0])
        assert 70 <= life <= 77
    else:
        assert opened.status == 200 and opened.body == DATA
        [kept] = opened.headers.get_all("Cache-Control")
        assert kept.startswith("private, max-age=") and 70 <= int(kept.rpartition("=")[2]) <= 77
        assert stack.get(body["url"], None, {"Range": "bytes=0-4"}).body == DATA[:5]
    assert opened.headers.get_all("Referrer-Policy") == ["no-referrer"]
    head = stack.get(body["url"], None, method="HEAD")
    assert head.status in (200, 302) and head.headers.get_all("Referrer-Policy") == ["no-referrer"]


def test_our_token_and_that_of_another_program_are_the_same(linking):
    made = linking.upload(DATA)
    body = make(linking, made, expires_in=50).json()
    expires = time.mktime(time.strptime(body["expires_at"], "%Y-%m-%dT%H:%M:%S.000Z")) - time.timezone
    assert any(link(made["id"], ttl=expires - time.time() + d) == "?link=" + body["token"] for d in (0, 0.5, -0.5))


def test_a_link_ends_by_itself(linking):
    made = linking.upload(DATA)
    url = make(linking, made, expires_in=2).json()["url"]
    assert linking.get(url, None).status == 200
    time.sleep(2.1)
    assert linking.get(url, None).status == 401
    assert linking.get(url, "alice").body == DATA, "a bad link is like none"
    assert linking.get(url, "mallory").status == 404


def test_a_bound_link_is_for_one_user_or_address(linking):
    made = linking.upload(DATA)
    for_bob = make(linking, made, user_id="bob").json()["url"]
    assert linking.get(for_bob, "bob").body == DATA
    assert linking.get(for_bob, "mallory").status == 404 and linking.get(for_bob, None).status == 401
    assert linking.get(make(linking, made, ip="127.0.0.1").json()["url"], None).body == DATA
    elsewhere = make(linking, made, ip="192.0.2.7").json()["url"]
    for headers in ({}, {"X-Forwarded-For": "192.0.2.7", "X-Real-IP": "192.0.2.7", "Remote-Addr": "192.0.2.7"}):
        assert linking.get(elsewhere, None, headers).status == 401


def test_wishes_that_cannot_be_met_are_400(linking):
    made = linking.upload(DATA)
    for wish in ({"expires_in": 604801}, {"expires_in": 0}, {"expires_in": "1"}, {"ip": "nowhere"}, {"user_id": ""  "\n"}):
        answer = make(linking, made, **wish)
        assert answer.status == 400 and next(iter(wish)) in answer.json()["detail"], wish


def test_a_secret_is_changed_in_two_steps(new_stack, linking):
    made = linking.upload(DATA)
    old = make(linking, made).json()["url"]
    later = new_stack(stack={"like": linking}, LINK_SECRET="the-next-secret-0123456789", LINK_SECRET_PREVIOUS=SECRET)
    assert later.get(old, None).body == DATA
    new = make(later, made).json()["url"]
    assert later.get(new, None).body == DATA and linking.get(new, None).status == 401
    last = new_stack(stack={"like": linking}, LINK_SECRET="the-next-secret-0123456789")
    assert last.get(new, None).body == DATA and last.get(old, None).status == 401


def test_a_secret_may_come_from_a_file(new_stack, linking, world):
    path = world.dir / "link-secret"
    path.write_text(SECRET + "\n")
    own(path)
    made = linking.upload(DATA)
    stack = new_stack(stack={"like": linking}, LINK_SECRET_FILE=path)
    assert stack.get(made["url"] + link(made["id"]), None).body == DATA


def test_without_a_secret_there_are_no_links(local):
    made = local.upload(DATA)
    answer = make(local, made)
    assert answer.status == 409 and "LINK_SECRET" in answer.json()["detail"]
    assert make(local, {"id": "00000000-0000-7000-8000-000000000000"}).status == 409
    assert local.get(made["url"] + link(made["id"], secret=""), None).status == 401


def test_tokens_are_in_none_of_our_logs(linking):
    made = linking.upload(DATA)
    good = make(linking, made).json()
    for url in (good["url"], made["url"] + link(made["id"], ttl=-5), made["url"] + "?link=" + good["token"][:-1]):
        linking.logged(linking.get(url, None))
    logs = linking.all_logs()
    assert "event=link.made" in logs["worker.log"] and made["id"] in logs["worker.log"]
    for name, text in logs.items():
        if name != "nginx-access.log":   # the site's own: docs/operations.md has a log_format without arguments
            assert good["token"][:20] not in text, name


def test_the_documented_log_format_has_no_token(new_stack, world):
    text = (world.app / "share/doc/cloakroom/docs/operations.md").read_text()
    lines = text.partition("log_format cloakroom")[2].partition("```")[0]
    stack = new_stack(stack={"http": "log_format cloakroom" + lines.replace("/var/log/nginx/access.log", "NAME").replace(
        "NAME", str(world.dir / "documented.log"))}, LINK_SECRET=SECRET)
    made = stack.upload(DATA)
    url = make(stack, made).json()["url"]
    assert stack.get(url, None, {"Referer": stack.url + url}).status == 200
    log = (world.dir / "documented.log").read_text()
    assert made["id"] in log and url.partition("?link=")[2][:20] not in log


# --- by hand ----------------------------------------------------------------------------------------------------------

def test_the_tool_makes_a_link(linking):
    made = linking.upload(DATA, "ä.txt")
    url = linking.tool("sign", made["id"], "--link").stdout.strip()
    assert url.startswith(made["url"] + "?link=") and linking.get(url, None).body == DATA
    body = json.loads(linking.tool("sign", made["id"], "--link", "--expires", "60", "--user", "bob", "--ip", "127.0.0.1",
                                   "--download", "--json").stdout)
    assert set(body) == {"id", "method", "url", "token", "expires_at"} and body["url"].endswith("&download=1")
    assert linking.get(body["url"], None).status == 401
    opened = linking.get(body["url"], "bob")
    assert opened.body == DATA and opened.headers["Content-Disposition"].startswith("attachment")


def test_the_tool_says_why_there_is_no_link(linking, local):
    made = linking.upload(DATA)
    for words in (["--expires", "604801"], ["--ip", "nowhere"], ["--endpoint", "internal"], ["--filename", "x"]):
        done = linking.tool("sign", made["id"], "--link", *words, check=False)
        assert done.returncode == 2 and done.stdout == "" and done.stderr, words
    done = linking.tool("sign", made["id"], "--user", "bob", check=False)
    assert done.returncode == 2 and "--link" in done.stderr
    assert linking.sql("UPDATE attachments SET status = 'quarantined' WHERE id = %s", made["id"]) == 1
    done = linking.tool("sign", made["id"], "--link", check=False)
    assert done.returncode == 1 and "quarantine" in done.stderr
    done = local.tool("sign", local.upload(DATA)["id"], "--link", check=False)
    assert done.returncode == 78 and "LINK_SECRET" in done.stderr


def test_bad_settings_are_named(local):
    for settings, name in (({"LINK_SECRET": "short"}, "LINK_SECRET"), ({"LINK_SECRET_PREVIOUS": SECRET}, "LINK_SECRET_PREVIOUS"),
                           ({"LINK_EXPIRES": "9", "LINK_MAX_EXPIRES": "8"}, "LINK_EXPIRES")):
        done = subprocess.run([local.app / "bin/cloakroom-fcgi", "--check-config"], env={**local.env, **settings},
                              capture_output=True, text=True, timeout=20)
        assert done.returncode == 78 and done.stderr.startswith(name + ": "), done.stderr
        assert "short" not in done.stdout + done.stderr.replace("shorter", "")
