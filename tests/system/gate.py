"""gate.py — a door before a server: open it forwards bytes, hanging it takes connections and never says a word."""
import selectors
import socket
import threading

from processes import free_port


class Gate:
    """Listens on `port`. hang() keeps what is connected and what comes, in silence; pass_again() cuts both and lets
    new connections through."""

    def __init__(self, target_port):
        self.target = ("127.0.0.1", target_port)
        self.port = free_port()
        self.hanging = False
        self.selector = selectors.DefaultSelector()
        self.peers = {}
        self.waker, wake = socket.socketpair()
        self.selector.register(wake, selectors.EVENT_READ)
        self.wake = wake
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.lock = threading.Lock()
        self.closing = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def hang(self):
        with self.lock:
            self.hanging = True
            self.selector.unregister(self.listener)
            for s in self.peers:
                self.selector.unregister(s)

    def pass_again(self):
        with self.lock:
            for s in list(self.peers):
                s.close()
            self.peers.clear()
            # what waits in the backlog is cut off, too: the kernel would hold it for a server that is back
            self.listener.close()
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            self.selector.register(self.listener, selectors.EVENT_READ)
            self.hanging = False
        self.waker.send(b".")

    def close(self):
        self.closing = True
        self.waker.send(b".")
        self.thread.join(10)
        for s in (self.listener, self.waker, self.wake, *self.peers):
            s.close()

    def run(self):
        while not self.closing:
            events = self.selector.select(1)
            with self.lock:
                for key, _ in events:
                    if key.fileobj is self.wake:
                        self.wake.recv(100)
                    elif self.hanging:
                        break
                    elif key.fileobj is self.listener:
                        self.connect()
                    elif key.fileobj in self.peers:
                        self.forward(key.fileobj)

    def connect(self):
        client, _ = self.listener.accept()
        try:
            server = socket.create_connection(self.target, 5)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def forward(self, source):
        try:
            data = source.recv(1 << 18)
            if data:
                self.peers[source].sendall(data)
                return
        except OSError:
            pass
        for s in (source, self.peers[source]):
            self.selector.unregister(s)
            del self.peers[s]
            s.close()
