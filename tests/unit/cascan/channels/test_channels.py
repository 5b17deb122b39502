"""A webhook and a command: one try each, and what came of it."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace

from cascan.channels.command import CommandChannel
from cascan.channels.webhook import WebhookChannel
from cascan.model.message import Delivery, DeliveryState, OutgoingMessage
from tests.support.message_sink import NO_ANSWER, serve_sink

MESSAGE = OutgoingMessage(message_id="m-1", key="exposure/abc", title="Confirmed", body='{"title": "Confirmed"}')


def send(url: str, timeout_s: float = 5) -> Delivery:
    return WebhookChannel(url, timeout_s=timeout_s).send(MESSAGE)


def test_a_message_is_posted_with_its_id() -> None:
    with serve_sink() as sink:
        assert send(sink.url) == Delivery(DeliveryState.DELIVERED)
    post = sink.posts[0]
    assert (post.message_id, post.document) == ("m-1", {"title": "Confirmed"})
    assert post.headers["X-Cascan-Thread"] == "exposure/abc"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (204, DeliveryState.DELIVERED),
        (302, DeliveryState.REFUSED),
        (404, DeliveryState.REFUSED),
        (429, DeliveryState.BUSY),
        (503, DeliveryState.BUSY),
        (504, DeliveryState.UNKNOWN),
        (NO_ANSWER, DeliveryState.UNKNOWN),
    ],
)
def test_the_answer_says_what_came_of_it(status: int, state: DeliveryState) -> None:
    with serve_sink(lambda: status) as sink:
        assert send(sink.url).state is state


def test_where_nothing_listens_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    delivery = send(f"http://127.0.0.1:{port}/")
    assert (delivery.state, "no connection to 127.0.0.1" in delivery.reason) == (DeliveryState.BUSY, True)


def test_an_answer_that_never_ends_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                try:
                    while True:
                        connection.recv(65_536)
                        connection.sendall(b"H")
                except OSError:
                    return

        thread = Thread(target=drip, daemon=True)
        thread.start()
        assert send(f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_s=0.2).state is DeliveryState.UNKNOWN
        thread.join(5)


def test_a_certificate_that_no_one_vouches_for_is_not_talked_to() -> None:
    with serve_sink() as sink:
        delivery = send(sink.url.replace("http:", "https:"))
    assert (delivery.state, sink.posts) == (DeliveryState.BUSY, [])
    assert WebhookChannel("https://127.0.0.1/")._build_connection()._context.verify_mode is ssl.CERT_REQUIRED  # type: ignore[attr-defined]


def test_a_url_with_a_problem_is_refused_without_being_quoted() -> None:
    with pytest.raises(ValueError, match="has to begin with https") as problem:
        WebhookChannel("http://hooks.example.com/secret")
    assert "secret" not in str(problem.value)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://example.com/\u00fc", "not ASCII"),
        ("https://b\u00fccher.example/", "not ASCII"),
        (f"https://{'a' * 64}.example/", "longer than 63"),
        ("https://a..example/", "is empty"),
    ],
)
def test_a_url_that_cannot_be_sent_is_refused_before_it_is_used(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        WebhookChannel(url)


def test_an_id_that_no_header_can_hold_is_escaped() -> None:
    message = replace(MESSAGE, key="schedule/n\u00e4chtlich \u65e5/2026-03-01T03:00:00Z", message_id="a\r\nX-Forged: 1")
    with serve_sink() as sink:
        assert WebhookChannel(sink.url).send(message) == Delivery(DeliveryState.DELIVERED)
    headers = sink.posts[0].headers
    assert headers["X-Cascan-Thread"] == "schedule/n%C3%A4chtlich %E6%97%A5/2026-03-01T03:00:00Z"
    assert headers["Idempotency-Key"] == "a%0D%0AX-Forged: 1"
    assert "X-Forged" not in headers


# ---- commands

WRITE = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"


def run(*code: str, timeout_s: float = 20) -> Delivery:
    return CommandChannel([sys.executable, "-c", *code], timeout_s=timeout_s).send(MESSAGE)


def test_a_command_reads_the_message_on_its_standard_input(tmp_path: Path) -> None:
    path = tmp_path / "a file; rm -rf x"
    assert run(WRITE, str(path)) == Delivery(DeliveryState.DELIVERED)
    assert json.loads(path.read_text()) == {
        "message_id": "m-1",
        "key": "exposure/abc",
        "title": "Confirmed",
        "content_type": "application/json",
        "body": '{"title": "Confirmed"}',
    }


def test_a_command_has_no_credentials_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    run("import os, sys, pathlib; pathlib.Path(sys.argv[1]).write_text(str(dict(os.environ)))", str(tmp_path / "env"))
    assert "secret" not in (tmp_path / "env").read_text()


def test_a_command_that_fails_says_why() -> None:
    failed = run("import sys; sys.exit('no such pager\\x1b')")
    assert failed == Delivery(DeliveryState.REFUSED, f"{sys.executable} ended with 1: no such pager")
    assert run("raise SystemExit(75)").state is DeliveryState.BUSY


def test_a_command_that_does_not_end_may_have_sent_the_message() -> None:
    assert run("import sys; sys.stdin.read(); import time; time.sleep(60)", timeout_s=1).state is DeliveryState.UNKNOWN


def test_a_command_that_does_not_exist_has_sent_nothing() -> None:
    assert CommandChannel(["/nonexistent/page"]).send(MESSAGE).state is DeliveryState.BUSY
