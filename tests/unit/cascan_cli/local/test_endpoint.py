"""Who listens on the port is known before the secret is sent."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cascan_cli.local.endpoint import Endpoint, Listener
from cascan_cli.local.guard import HOST, NONCE_HEADER, TOKEN_HEADER, compute_proof

SECRET = "s" * 43


class Somebody(http.server.BaseHTTPRequestHandler):
    """Answers 200 with what `knows` makes of the nonce, and notes what it heard."""

    knows = ""
    heard: list[str]

    def do_GET(self) -> None:
        type(self).heard.append(str(self.headers))
        body = compute_proof(self.knows, (self.headers[NONCE_HEADER] or "").encode())
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def somebody(knows: str) -> Iterator[tuple[Endpoint, list[str]]]:
    """Where somebody listens who knows this; and what they heard."""
    handler = type("Handler", (Somebody,), {"knows": knows, "heard": []})
    with http.server.HTTPServer((HOST, 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield Endpoint(server.server_address[1], SECRET), handler.heard  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            serving.join()


@pytest.mark.parametrize(("knows", "listener"), [(SECRET, Listener.GUARD), ("a guess", Listener.SOMEBODY)])
def test_only_who_knows_the_secret_can_prove_it_and_nobody_hears_it(knows: str, listener: Listener) -> None:
    with somebody(knows) as (endpoint, heard):
        assert endpoint.listener() is listener
        assert heard
        assert not [headers for headers in heard if SECRET in headers or TOKEN_HEADER in headers.lower()]


def test_an_earlier_proof_is_of_no_use() -> None:
    with somebody(SECRET) as (endpoint, heard):
        endpoint.listener()
        endpoint.listener()
        assert len(set(heard)) == 2


def test_where_nobody_listens_there_is_nobody() -> None:
    with http.server.HTTPServer((HOST, 0), Somebody, bind_and_activate=False) as server:
        server.server_bind()  # taken, and closed
        assert Endpoint(server.server_address[1], SECRET).listener() is Listener.NOBODY


def test_a_request_carries_the_secret_and_a_representation_does_not() -> None:
    with somebody(SECRET) as (endpoint, heard):
        status, _ = endpoint.request("GET", "/")
        assert status == 200
        assert f"{TOKEN_HEADER}: {SECRET}" in heard[0]
        assert SECRET not in repr(endpoint)
