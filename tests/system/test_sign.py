"""test_sign.py — `cloakroom sign`: a presigned URL made by hand, and what it says when there is none."""
import json
import subprocess
from urllib.parse import parse_qs, urlsplit

from processes import own

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89"


def fetch(url):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-D", "-", url], capture_output=True, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_it_prints_a_url_that_works(s3):
    made = s3.upload(PNG, "Bild ä.png")
    head, body = fetch(s3.tool("sign", made["id"]).stdout.strip())
    assert body == PNG and head.startswith("http/1.1 200")
    assert "content-type: image/png" in head
    assert "content-disposition: inline; filename=\"bild _.png\"; filename*=utf-8''bild%20%c3%a4.png" in head


def test_options_change_the_name_the_life_and_the_place(s3):
    made = s3.upload(PNG, "a.png")
    before = json.loads(s3.tool("sign", made["id"], "--json").stdout)
    assert before["id"] == made["id"] and before["method"] == "GET" and before["expires_at"].endswith("Z")
    url = s3.tool("sign", made["id"], "--download", "--filename", "neu/e.png", "--expires", "77", "--endpoint",
                  "internal").stdout.strip()
    assert parse_qs(urlsplit(url).query)["X-Amz-Expires"] == ["77"]
    assert url.startswith(s3.settings["S3_ENDPOINT"] + "/")
    head, body = fetch(url)
    assert body == PNG and 'content-disposition: attachment; filename="neu_e.png"' in head


def test_the_public_endpoint_is_signed_by_default(s3):
    made = s3.upload(PNG, "a.png")
    s3.settings["S3_PUBLIC_ENDPOINT"] = "https://files.example.com"
    try:
        assert s3.tool("sign", made["id"]).stdout.startswith("https://files.example.com/")
        assert s3.tool("sign", made["id"], "--endpoint", "internal").stdout.startswith(s3.settings["S3_ENDPOINT"] + "/")
    finally:
        del s3.settings["S3_PUBLIC_ENDPOINT"]


def test_exit_codes_say_what_is_wrong(s3, local):
    made = s3.upload(PNG, "a.png")
    absent = made["id"][:-4] + ("0000" if made["id"][-4:] != "0000" else "1111")
    done = s3.tool("sign", absent, check=False)
    assert done.returncode == 1 and done.stdout == "" and "no attachment" in done.stderr
    for words in (["not-an-id"], [], [made["id"], "--expires", "0"], [made["id"], "--expires", "604801"],
                  [made["id"], "--endpoint", "moon"]):
        done = s3.tool("sign", *words, check=False)
        assert done.returncode == 2 and done.stdout == "" and done.stderr, words
    on_disk = local.upload(b"text", "ä.txt")
    done = local.tool("sign", on_disk["id"], check=False)
    assert done.returncode == 1 and done.stdout == "" and "local disk" in done.stderr
    assert on_disk["url"] in done.stderr  # what to use instead


def test_keys_may_come_from_a_shared_credentials_file(s3, world):
    """The tool and the real store; the workers are wired by the same function."""
    made = s3.upload(PNG, "a.png")
    path = own(world.folder("keys")) / "credentials"
    kept = dict(s3.settings)
    path.write_text("[default]\naws_access_key_id = wrong\naws_secret_access_key = wrong\n[files]\n"
                    f"aws_access_key_id = {kept['S3_ACCESS_KEY_ID']}\naws_secret_access_key = {kept['S3_SECRET_ACCESS_KEY']}\n")
    own(path)
    try:
        del s3.settings["S3_ACCESS_KEY_ID"], s3.settings["S3_SECRET_ACCESS_KEY"]
        done = s3.tool("sign", made["id"], check=False)
        assert done.returncode == 78 and "AWS_SHARED_CREDENTIALS_FILE" in done.stderr
        s3.settings.update(AWS_SHARED_CREDENTIALS_FILE=str(path), AWS_PROFILE="files")
        done = s3.tool("sign", made["id"])
        assert fetch(done.stdout.strip())[1] == PNG
        assert kept["S3_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr
        s3.settings["AWS_PROFILE"] = "absent"
        done = s3.tool("sign", made["id"], check=False)
        assert done.returncode == 75 and "profile 'absent'" in done.stderr
    finally:
        s3.settings.clear()
        s3.settings.update(kept)
