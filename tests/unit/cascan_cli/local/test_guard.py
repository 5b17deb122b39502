"""The guard alone, in front of an application that answers everybody: what passes, what does not, and what is said."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree as ET

import ministack
import pytest

from cascan_cli.local.emulator import GUARD
from cascan_cli.local.guard import PROOF_PATH, RESERVED_BYTES, SAVE_FAILED, Guard, _SaveFailures, compute_proof

SECRET, HOST = "s" * 43, "127.0.0.1:4566"
OWN = [(b"host", HOST.encode()), (b"x-amz-security-token", SECRET.encode())]
Header = tuple[bytes, bytes]


class Application:
    """Answers everybody, and lets every page read it, as the emulator does."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope["type"])
        shared = [(b"Access-Control-Allow-Origin", b"*"), (b"access-control-expose-headers", b"*"), (b"etag", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": shared})
        await send({"type": "http.response.body", "body": b"answered"})


class Guarded:
    """An application behind the guard."""

    def __init__(self) -> None:
        self.application = Application()
        self._guard = Guard(self.application, SECRET, HOST)

    def call(
        self, headers: list[Header], path: str = "/", kind: str = "http", method: str = "GET"
    ) -> list[dict[str, Any]]:
        """The events that the caller gets."""
        events: list[dict[str, Any]] = []

        async def send(event: Any) -> None:
            events.append(event)

        async def receive() -> Any:
            raise AssertionError("a call that is refused is not read")

        scope: Any = {"type": kind, "path": path, "headers": headers, "method": method}
        asyncio.run(self._guard(scope, receive, send))
        return events


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def without(name: bytes) -> list[Header]:
    return [header for header in OWN if header[0] != name]


REFUSED: dict[str, list[Header]] = {
    "no secret": without(b"x-amz-security-token"),
    "an empty secret": [*without(b"x-amz-security-token"), (b"x-amz-security-token", b"")],
    "the beginning of the secret": [*without(b"x-amz-security-token"), (b"x-amz-security-token", SECRET[:-1].encode())],
    "a secret that is no ASCII": [*without(b"x-amz-security-token"), (b"x-amz-security-token", b"\xff" * 43)],
    "the secret beside another": [*OWN, (b"x-amz-security-token", b"another")],
    "no Host": without(b"host"),
    "another Host": [*without(b"host"), (b"host", b"rebind.example:4566")],
    "another name of loopback": [*without(b"host"), (b"host", b"localhost:4566")],
    "another port": [*without(b"host"), (b"host", b"127.0.0.1")],
    "two Hosts": [*OWN, (b"host", b"rebind.example")],
    "an Origin": [*OWN, (b"origin", b"http://other.example")],
    "the Origin of a file": [*OWN, (b"origin", b"null")],
    "its own Origin": [*OWN, (b"origin", f"http://{HOST}".encode())],
    "a preflight": [*OWN, (b"access-control-request-method", b"PUT")],
    "a page that is shown": [*OWN, (b"sec-fetch-mode", b"navigate")],
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("path", ["/", "/_ministack/reset", "/_ministack/health", f"{PROOF_PATH}/"])
def test_a_call_that_is_not_the_owners_does_not_reach_the_emulator(
    guarded: Guarded, headers: list[Header], path: str
) -> None:
    start, body = guarded.call(headers, path)
    assert start["status"] == 403
    assert b"answered" not in body["body"]
    assert guarded.application.calls == []


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED.keys())
def test_nor_does_a_socket(guarded: Guarded, headers: list[Header]) -> None:
    assert [event["type"] for event in guarded.call(headers, kind="websocket")] == ["websocket.close"]
    assert guarded.application.calls == []


def test_the_owners_call_is_answered_and_no_page_may_read_the_answer(guarded: Guarded) -> None:
    start, body = guarded.call(OWN)
    assert (start["status"], body["body"]) == (200, b"answered")
    assert start["headers"] == [(b"etag", b"1")]


@pytest.mark.parametrize(
    ("free", "length", "stored"),
    [(RESERVED_BYTES + 10, 10, True), (RESERVED_BYTES + 9, 10, False), (0, 0, False)],
)
def test_an_object_without_room_on_the_disk_is_not_accepted(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, free: int, length: int, stored: bool
) -> None:
    monkeypatch.setattr("cascan_cli.local.guard.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    start, body = guarded.call([*OWN, (b"content-length", b"%d" % length)], "/bucket/key", method="PUT")
    assert (start["status"] == 200) is stored
    assert stored or b"<Code>ServiceUnavailable</Code>" in body["body"]
    assert guarded.call(OWN)[0]["status"] == 200  # reading and deleting go on


@pytest.mark.parametrize(
    ("logger", "message", "failed"),
    [
        ("persistence", "Persistence: failed to save %s: %s", True),
        ("s3", "Failed to persist S3 object %s/%s: %s", True),
        ("s3", "S3: something else about %s %s %s", False),
    ],
)
def test_what_the_emulator_could_not_save_is_noticed(logger: str, message: str, failed: bool) -> None:
    failures = _SaveFailures()
    handler = failures.listen()
    try:
        logging.getLogger(logger).error(message, *["x"] * message.count("%s"))
        assert failures.any is failed
    finally:
        for name in ("persistence", "s3"):
            logging.getLogger(name).removeHandler(handler)


def test_the_sentences_that_are_listened_for_are_those_of_the_emulator() -> None:
    folder = Path(ministack.__file__).parent
    sources = "".join((folder / name).read_text() for name in ("core/persistence.py", "services/s3.py")).lower()
    assert [sentence for sentence in SAVE_FAILED if f'"{sentence}' not in sources] == []


def test_the_server_starts_and_ends_the_emulator_without_a_secret(guarded: Guarded) -> None:
    guarded.call([], kind="lifespan")
    assert guarded.application.calls == ["lifespan"]


def test_who_asks_for_a_proof_gets_it_without_the_secret_and_nothing_else(guarded: Guarded) -> None:
    nonce = b"n" * 32
    asked = [*without(b"x-amz-security-token"), (b"x-cascan-nonce", nonce)]
    start, body = guarded.call(asked, PROOF_PATH)
    assert (start["status"], body["body"]) == (200, compute_proof(SECRET, nonce))
    assert SECRET.encode() not in body["body"]
    assert guarded.application.calls == []


@pytest.mark.parametrize("foreign", ["another Host", "an Origin", "no Host"])
def test_not_even_a_proof_is_for_a_page(guarded: Guarded, foreign: str) -> None:
    start, _ = guarded.call(REFUSED[foreign], PROOF_PATH)
    assert start["status"] == 403


def test_two_proofs_differ() -> None:
    assert len({compute_proof(secret, nonce) for secret in ("a", "b") for nonce in (b"1", b"2")}) == 4


def test_a_refusal_is_read_by_the_sdk_of_every_protocol(guarded: Guarded) -> None:
    stranger = REFUSED["no secret"]
    for header in ((b"x-amz-target", b"DynamoDB_20120810.ListTables"), (b"content-type", b"application/json")):
        _, body = guarded.call([*stranger, header])
        error = json.loads(body["body"])
        assert error["__type"] == "AccessDeniedException"
        assert "does not carry the secret" in error["message"]
    _, body = guarded.call(stranger)
    error = ET.fromstring(body["body"])  # noqa: S314 - our own
    assert error.findtext("Error/Code") == "AccessDenied"
    assert "does not carry the secret" in (error.findtext("Error/Message") or "")


def test_each_reason_is_logged_once_however_often_somebody_tries(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(3):
        for headers in REFUSED.values():
            guarded.call(headers)
    logged = capsys.readouterr().err
    assert len(logged.splitlines()) == 3
    assert SECRET not in logged


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_it_does_not_start(secret: str | None) -> None:
    environment = {"GATEWAY_PORT": "1"} | ({} if secret is None else {"AWS_SESSION_TOKEN": secret})
    started = subprocess.run(
        [sys.executable, "-P", GUARD], env=environment, capture_output=True, text=True, check=False, cwd=os.sep
    )
    assert started.returncode == 1
    assert "AWS_SESSION_TOKEN is empty" in started.stderr
