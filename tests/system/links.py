"""links.py — the token of a signed link as another program makes it, and what may differ between two cloaked answers."""
import base64
import hmac
import re
import time
import uuid

SECRET = "link-secret-of-the-tests-0123456789"


def link(attachment_id, secret=SECRET, ttl=600, user="", ip=""):
    """"?link=TOKEN", for the end of an address. `ttl` may be negative."""
    def field(text):
        return len(text.encode()).to_bytes(2, "big") + text.encode()
    head = bytes([1, (1 if user else 0) | (2 if ip else 0)]) + int(time.time() + ttl).to_bytes(5, "big")
    key = hmac.digest(secret.encode(), b"cloakroom link token v1", "sha256")
    mac = hmac.digest(key, head + uuid.UUID(attachment_id).bytes + field(user) + field(ip), "sha256")
    return "?link=" + base64.urlsafe_b64encode(head + mac).decode()


def shape(raw):
    """The bytes of an answer without what differs between any two."""
    raw = re.sub(rb"\r\nDate: [^\r]*", b"", raw)
    for request in set(re.findall(rb"\r\nX-Request-Id: ([^\r]*)", raw)):
        raw = raw.replace(request, b"REQ")
    return raw
