"""Where records of finished tasks go: an HTTP endpoint on loopback that remembers whose came, and how often."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """`got` counts what came, by the id that the sender gives a record."""

    def __init__(self) -> None:
        self.got: Counter[str] = Counter()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                receiver.got[self.headers["webhook-id"]] += 1
                try:
                    self.send_response(200)
                    self.end_headers()
                except OSError:
                    pass  # who sent it is dead

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer no more."""
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
