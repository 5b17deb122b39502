"""A webhook on this machine that counts what it was sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from time import time
from typing import Any, NamedTuple

NO_ANSWER = 0  # of `choose`: the message is kept, and the connection is closed without an answer


class Post(NamedTuple):
    message_id: str
    document: dict[str, Any]
    headers: dict[str, str]
    received_at: float  # seconds since the epoch


class MessageSink(ThreadingHTTPServer):
    """`choose`: the status of the next answer. A message that is answered with 4xx or 5xx is not kept."""

    daemon_threads = True

    def __init__(self, choose: Callable[[], int] = lambda: 200) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.choose = choose
        self.posts: list[Post] = []
        self.refused = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: MessageSink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.choose()
        if status in (NO_ANSWER, 200):
            document = (
                json.loads(body) if self.headers["Content-Type"] == "application/json" else {"text": body.decode()}
            )
            self.server.posts.append(Post(self.headers["Idempotency-Key"], document, dict(self.headers), time()))
        else:
            self.server.refused += 1
        if status == NO_ANSWER:
            return
        self.send_response(status)
        if status // 100 == 3:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """No lines on standard error."""


@contextmanager
def serve_sink(choose: Callable[[], int] = lambda: 200) -> Iterator[MessageSink]:
    with MessageSink(choose) as sink:
        thread = Thread(target=lambda: sink.serve_forever(poll_interval=0.01), daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            sink.shutdown()
            thread.join()
