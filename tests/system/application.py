"""application.py — a stand-in for the application that nginx asks (auth_request): it answers as told and remembers."""
import http.server
import threading
from http.cookies import SimpleCookie


class Application:
    """`sessions`: sid -> user. `granted`: (user, attachment id), or (user, address), that it lets in. `refused`: ids for which it says 403."""

    def __init__(self):
        self.sessions, self.granted, self.refused, self.asked = {}, set(), set(), []
        application = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                application.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                cookie = SimpleCookie(self.headers.get("Cookie", "")).get("sid")
                user = application.sessions.get(cookie.value if cookie else None)
                file = self.headers.get("X-Attachment-Id", "")
                service = "service-token" in self.headers.get("Authorization", "")
                self.send_response(403 if file in application.refused else 204 if user or service else 401)
                if user:
                    self.send_header("X-Remote-User", user)
                if application.granted & {(user, file), (user, self.headers.get("X-Original-URI"))}:
                    self.send_header("X-Cloakroom-Access", "granted")
                # what sessions of frameworks say; nginx must keep the answer all the same
                self.send_header("Set-Cookie", "sid=renewed; HttpOnly")
                self.send_header("Cache-Control", "no-store")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/cloakroom/access"

    def forget(self):
        self.asked.clear()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
