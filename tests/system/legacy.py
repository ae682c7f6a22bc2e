"""legacy.py — an old application: its table, its folder of uploads, and what it knows of them."""
import hashlib
import json
import random
from pathlib import Path

from processes import own

STRIP = "/uploads/"


class LegacyApp:
    """Messages in app.messages of the stack's own database, each with a JSON list of files below `root`."""

    def __init__(self, stack, messages, files_each=1, root=None, seed=1):
        self.stack, self.root = stack, Path(root or stack.dir / "legacy")
        self.sha = {}  # path -> hex
        random.seed(seed)
        rows = []
        for i in range(1, messages + 1):
            files = []
            for j in range(files_each):
                path = f"{i % 50:02}/{i}-{j}.txt"
                data = f"bytes {i} {j} ".encode() * random.randint(1, 40)
                self.write(path, data)
                files.append({"url": STRIP + path, "name": f"file {i} {j}.txt", "size": len(data)})
            rows.append((f"r{i % 7}", f"u{i % 5}", json.dumps(files)))
        self.own()
        stack.sql("CREATE SCHEMA IF NOT EXISTS app; DROP TABLE IF EXISTS app.messages; CREATE TABLE app.messages"
                  " (id bigserial PRIMARY KEY, room text, author text, at timestamptz, files text)")
        for start in range(0, len(rows), 1000):
            part = rows[start:start + 1000]
            stack.sql("INSERT INTO app.messages (room, author, at, files) VALUES "
                      + ",".join(["(%s, %s, '2019-05-06 07:08:09+00', %s)"] * len(part)),
                      *(value for row in part for value in row))

    def write(self, path, data):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.sha[path] = hashlib.sha256(data).hexdigest()

    def own(self):
        own(self.root)
        for p in self.root.rglob("*"):
            own(p)

    def mapping(self, **changes):
        """The file of a mapping; whole members may be replaced."""
        mapping = {
            "name": "messages",
            "source": {"postgresql": {"schema": "app", "key": "id", "query": "SELECT * FROM messages"}},
            "files": "row.files",
            "fields": {"path": "file.url", "filename": "file.name", "size": "file.size", "message_id": "row.id",
                       "dialog_id": "row.room", "uploader_id": "row.author", "created_at": "row.at"},
            "bytes": {"root": str(self.root), "strip": STRIP, "percent_encoded": True},
            "mode": "copy", **changes}
        path = self.stack.dir / "mapping.json"
        path.write_text(json.dumps(mapping))
        return path


def backfill(stack, mapping, *words, code=0):
    """The summary, and the failures, of a run that ends with `code`."""
    done = stack.tool("backfill", str(mapping), "--json", *words, check=False, timeout=900)
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    return lines[-1], lines[:-1]


def result_of(stack):
    """What a run is for, whatever ids it gave: message, path, and the file with all that is known of it."""
    return stack.sql("SELECT b.message_id, b.path, a.message_id, a.dialog_id, a.uploader_id, a.filename, a.mime_type,"
                     " a.size_bytes, encode(a.sha256, 'hex'), a.created_at, a.status"
                     " FROM backfilled b JOIN attachments a ON a.id = b.attachment_id ORDER BY 1, 2")
