"""recording_proxy.py — stands between nginx and the store: what is asked, how many bytes come back, on how many connections."""
import socket
import threading


class RecordingProxy:
    """`with RecordingProxy(port) as proxy`: passes bytes on unchanged, but for header lines (`inject`) put into answers."""

    def __init__(self, port, inject=()):
        self.target, self.inject = port, b"".join(line.encode() + b"\r\n" for line in inject)
        self.status = None  # set, as b"301": what answers have in the place of their own
        self.connections = self.answered = 0
        self.seen = b""
        self.sockets = []
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        for s in self.sockets:
            s.close()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            store = socket.create_connection(("127.0.0.1", self.target))
            for s in (client, store):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self.sockets += [client, store]
            threading.Thread(target=self.carry, args=(client, store, self.note_request), daemon=True).start()
            threading.Thread(target=self.carry, args=(store, client, self.note_answer), daemon=True).start()

    def carry(self, source, sink, note):
        try:
            while block := source.recv(1 << 18):
                sink.sendall(note(block))
        except OSError:
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def note_request(self, block):
        with self.lock:
            self.seen += block
        return block

    def note_answer(self, block):
        with self.lock:
            self.answered += len(block)
        if (self.inject or self.status) and block.startswith(b"HTTP/1.1 "):
            first, _, rest = block.partition(b"\r\n")
            if self.status:
                first = b"HTTP/1.1 " + self.status + b" Changed"
            return first + b"\r\n" + self.inject + rest
        return block

    def forget(self):
        with self.lock:
            self.seen, self.answered, self.connections = b"", 0, 0

    def requests(self):
        """(request line, {lower-case name: value}) of each; all GETs, which have no body."""
        with self.lock:
            heads = self.seen.decode("latin-1").split("\r\n\r\n")
        found = []
        for head in filter(None, heads):
            line, *rest = head.split("\r\n")
            found.append((line, {k.lower(): v for k, v in (h.split(": ", 1) if ": " in h else (h.rstrip(":"), "")
                                                           for h in rest)}))
        return found
