"""clamd.py — a real clamd with signatures made here, and files that it finds, or cannot look into."""
import io
import zipfile
from pathlib import Path

from servers import run_script

# In two halves, or a scanner on a developer's machine would find this file.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
SIGNATURE = "Eicar-Test-Signature.UNOFFICIAL"


class Clamd:
    def __init__(self, folder, *settings):
        """`settings`: names and values for clamd.conf, in turn."""
        self.folder, self.words = Path(folder), settings
        self.start()

    def start(self):
        self.socket = run_script("clamd", "start", self.folder, *self.words)["CLAMD_SOCKET"]

    def stop(self):
        run_script("clamd", "stop", self.folder)

    def signatures(self, number, text=""):
        """From now on `text` is found in any file."""
        run_script("clamd", "signatures", self.folder, number, *([text] if text else []))

    def pid(self):
        return int((self.folder / "run/clamd.pid").read_text())

    def reloaded(self):
        return (self.folder / "run/clamd.log").read_text(errors="replace").count("Database correctly reloaded")


def zipped(data, name="a.com"):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def encrypted_zip():
    """What says of itself that it is encrypted; nobody can look whether it is."""
    data = bytearray(zipped(EICAR))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)
