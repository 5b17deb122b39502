"""What a person reads: text of scanned hosts is shown, and moves nothing."""

from __future__ import annotations

import io
import json
import sys

import pytest

from cascan_cli.output.text import Progress, print_json, printable

HOSTILE = "\x1b[2J\x9b31m\r\n=cmd|calc é"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_control_characters_are_shown_and_never_sent() -> None:
    assert printable(HOSTILE) == r"\x1b[2J\x9b31m\r\n=cmd|calc é"


@pytest.mark.parametrize("out", [Terminal(), io.StringIO()])
def test_json_says_the_same_in_a_terminal_and_piped(out: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out)
    print_json({"banner": HOSTILE})
    assert json.loads(out.getvalue()) == {"banner": HOSTILE}
    assert ("\x9b" in out.getvalue()) is not out.isatty()


def test_progress_is_shown_to_a_terminal_alone_and_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with Progress() as progress:
            progress.show("2 of 3 shards")
        assert ("2 of 3 shards" in stream.getvalue()) is shown
        assert not shown or stream.getvalue().endswith("\r\x1b[2K")
