"""A worker of the raw lane says at its start when raw sockets are not to be had, and a connect worker never asks."""

from __future__ import annotations

import logging

import pytest

from on_shard_queued import worker

ENVIRONMENT = {
    "SHARD_QUEUE_URL": "https://sqs.test/queue",
    "RETURNED_SHARD_QUEUE_URL": "https://sqs.test/returned",
    "WORKER_SLOTS": "1",
    "SCAN_TABLE": "scans",
    "REPORT_BUCKET": "reports",
    "ALLOWED_TARGETS": "10.0.0.0/8",
    "DENIED_TARGETS": "",
    "NMAP_COMMAND": "/usr/bin/nmap --datadir x",
    "IDLE_EXIT_S": "1",
    "SHARD_TIMEOUT_S": "60",
    "AWS_DEFAULT_REGION": "eu-central-1",
}


class NothingToDo:
    """In place of the loop over the queue."""

    stopping = ""

    def __init__(self, *_: object, **__: object) -> None: ...

    def run(self) -> None: ...

    def stop(self, *_: object) -> None: ...


@pytest.mark.parametrize(("lane", "said"), [("raw", 1), ("connect", 0)])
def test_the_reason_and_the_remedy_are_in_the_log(
    lane: str, said: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name, value in (ENVIRONMENT | {"LANE": lane}).items():
        monkeypatch.setenv(name, value)
    asked: list[str] = []

    def why_not_raw(nmap: str) -> str:
        asked.append(nmap)
        return "run: setcap"

    monkeypatch.setattr(worker, "find_raw_socket_problem", why_not_raw)
    monkeypatch.setattr(worker, "Drain", NothingToDo)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with caplog.at_level(logging.ERROR):
        assert worker.main() == 0
    assert asked == ["/usr/bin/nmap"] * said
    assert [record.__dict__.get("reason") for record in caplog.records] == ["run: setcap"] * said
