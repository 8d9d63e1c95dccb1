"""A loopback server in front of Elasticsearch that can lose requests, lose answers, or turn requests away."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Fate = Literal["pass", "lose request", "lose answer", "answer too late"] | int
"""What becomes of a request; a number is answered in Elasticsearch's stead, as that status.

``answer too late`` is what a proxy makes of a slow answer: the request is carried out and answered with 504.
"""


@contextmanager
def forwarder(target: str, fate: Callable[[str, str, bytes], Fate]) -> Iterator[str]:
    """The URL of a server that asks ``fate(method, path, body)`` about each request before it forwards it."""
    host, port = urlsplit(target).hostname or "", urlsplit(target).port

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            decided = fate(self.command, self.path, body)
            if decided == "lose request":
                self.close_connection = True
                return
            if isinstance(decided, int):
                self.answer(decided, b'{"error": {"type": "turned_away", "reason": "by the test"}}', "application/json")
                return
            connection = http.client.HTTPConnection(host, port, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content, kind = response.read(), response.getheader("content-type", "")
            connection.close()
            if decided == "lose answer":
                self.close_connection = True
                return
            if decided == "answer too late":
                self.answer(504, b"<h1>Gateway Time-out</h1>", "text/html")
                return
            self.answer(response.status, content, kind)

        def answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = forward

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
