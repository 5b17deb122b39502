"""`python -m tests.exposure_month.unconfirmed`: when a reader is sent what only raw sockets can confirm, in real time.

It needs root and nmap, and takes about two minutes. On a stack of this machine, a UDP scan shows a port
that nothing expects. No connect scan can confirm it, so the message is `unconfirmed`, at most 90 seconds
after the report was recorded. A second UDP scan confirms it in the same thread, and two without the port
resolve it. Prints the times. Exit code 1: they are too long, or the messages are others.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread

from tests.e2e.cascan_command import Cascan, stack_up
from tests.support.message_sink import MessageSink, serve_sink

ADDRESS = "127.0.0.1"
TOLD_WITHIN_S = 90
LONGEST_WAIT_S = 150
FILE = "expected:\n- {who: 127.0.0.0/8, ports: [1-65535]}\n"  # TCP
STEPS = ["unconfirmed", "confirmed", "resolved"]


@contextmanager
def answer_datagrams() -> Iterator[int]:
    """A UDP port that answers whatever it gets: nmap sees it open."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((ADDRESS, 0))
        thread = Thread(target=_answer, args=(server,), daemon=True)
        thread.start()
        yield server.getsockname()[1]


def _answer(server: socket.socket) -> None:
    while True:
        try:
            _, sender = server.recvfrom(1_500)
            server.sendto(b"here", sender)
        except OSError:
            return


class Watch:
    """A stack, a sink, and the moments of what happened."""

    def __init__(self, cascan: Cascan, sink: MessageSink) -> None:
        self.cascan, self.sink = cascan, sink
        self.seconds: dict[str, float] = {}

    def scan(self, port: int) -> float:
        """The moment at which the scan had ended, whose report was recorded before."""
        ran = self.cascan("scan", ADDRESS, "--json", nmap=("-n", "-Pn", "-sU", "-p", str(port)))
        if ran.code:
            sys.exit(ran.err)
        return datetime.fromisoformat(ran.json["scan"]["finishedAt"]).timestamp()

    def await_message(self, number: int, since: float) -> None:
        """Wait for the message, and note how long after `since` it arrived."""
        end = time.monotonic() + LONGEST_WAIT_S
        while len(self.sink.posts) < number and time.monotonic() < end:
            time.sleep(0.1)
        if len(self.sink.posts) >= number:
            self.seconds[self.sink.posts[number - 1].document["step"]] = round(time.time() - since, 1)


def main() -> int:
    if os.geteuid() != 0:
        sys.exit("a UDP scan needs root")
    with tempfile.TemporaryDirectory() as folder, serve_sink() as sink:
        path = Path(folder)
        (path / "exposure.yaml").write_text(FILE)
        (path / "channels.yaml").write_text(f"channels: {{sink: {{webhook: '{sink.url}'}}}}\n")
        with stack_up(Cascan(path / "state")) as cascan:
            for command, file in (("exposure apply", "exposure.yaml"), ("messages set", "channels.yaml")):
                ran = cascan(command, str(path / file))
                if ran.code:
                    sys.exit(ran.err)
            watch = Watch(cascan, sink)
            run_scans(watch)
    steps = [post.document["step"] for post in sink.posts]
    threads = len({post.document["key"] for post in sink.posts})
    print(json.dumps({"steps": steps, "threads": threads, "seconds": watch.seconds}))
    is_in_time = watch.seconds.get("unconfirmed", LONGEST_WAIT_S) <= TOLD_WITHIN_S
    return 0 if (steps, threads) == (STEPS, 1) and is_in_time else 1


def run_scans(watch: Watch) -> None:
    with answer_datagrams() as port:
        watch.await_message(1, watch.scan(port))
        watch.await_message(2, watch.scan(port))
    watch.scan(port)
    time.sleep(1)  # a look carries nmap's time, in whole seconds
    watch.await_message(3, watch.scan(port))


if __name__ == "__main__":
    sys.exit(main())
