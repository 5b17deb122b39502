"""A server on loopback that takes BatchWriteItem as DynamoDB does, and misbehaves as a test tells it to.

Any other call is answered with nothing.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    number: int  # from 0
    headers: dict[str, str]
    body: bytes
    puts: list[Item]


@dataclass
class Told:
    """What the server does with a request, if not the usual."""

    status: int = 200
    answer: bytes | dict[str, Any] = field(default_factory=dict)
    stores: bool = True
    hangs_up: bool = False  # without an answer
    length: bool = True  # the answer says how long it is
    headers: dict[str, str] = field(default_factory=dict)


class TableServer:
    """`items` holds what was stored, by key; `asked` every request; `tell` decides what becomes of one."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}
        self.asked: list[Asked] = []
        self.tell: Callable[[Asked], Told | None] = lambda _: None
        self.connections = 0
        self.lock = threading.Lock()
        self.url = ""

    def take(self, headers: dict[str, str], body: bytes) -> Told:
        batches = (
            json.loads(body).get("RequestItems", {}).values() if "BatchWriteItem" in headers["X-Amz-Target"] else ()
        )
        puts = [request["PutRequest"]["Item"] for requests in batches for request in requests]
        with self.lock:
            asked = Asked(len(self.asked), headers, body, puts)
            self.asked.append(asked)
        told = self.tell(asked) or Told()
        left = told.answer.get("UnprocessedItems", {}) if isinstance(told.answer, dict) else {}
        kept_back = [request["PutRequest"]["Item"] for several in left.values() for request in several]
        if told.status == 200 and told.stores:
            with self.lock:
                self.items |= {(i["pk"]["S"], i["sk"]["S"]): i for i in puts if i not in kept_back}
        return told


@contextmanager
def serving() -> Iterator[TableServer]:
    table = TableServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            table.connections += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told = table.take(dict(self.headers.items()), body)
            if told.hangs_up:
                self.close_connection = True
                return
            answer = told.answer if isinstance(told.answer, bytes) else json.dumps(told.answer).encode()
            self.send_response(told.status)
            if told.length:
                self.send_header("Content-Length", str(len(answer)))
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class calls it that)
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A caller that hangs up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    table.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield table
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
