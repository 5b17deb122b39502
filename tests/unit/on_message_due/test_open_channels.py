"""The stored file of channels: what it says is read without YAML, unless another version stored it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from cascan.messages.channel_settings import ChannelFile
from cascan.messages.read_channels import read_channels, to_stored_channels
from on_message_due.open_channels import read_stored_file

FUNCTIONS = Path(__file__).parents[3] / "functions"
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
TEXT = """\
consoleUrl: https://cascan.example.com/
certificateDays: [30]
channels:
  payments: {webhook: "https://hooks.example.com/x", format: slack, severity: medium, owners: [ann]}
  pager: {command: [/usr/local/bin/page, --urgent], unconfirmed: always, template: "${title}"}
mutes:
  - {hosts: [10.0.0.0/24], from: 2026-12-01T22:00:00Z, until: 2026-12-02T06:00:00Z, why: firewall}
"""
STORED = to_stored_channels(TEXT, version=1, stored_at=NOW, stored_by="ann")
READ_IN_A_NEW_PROCESS = """
import sys
import msgspec
from on_message_due.app import wire
from cascan.model.message import StoredChannels
from on_message_due.open_channels import read_stored_file
file = read_stored_file(msgspec.json.decode(sys.stdin.buffer.read(), type=StoredChannels))
print(len(file.channels), 'yaml' in sys.modules)
"""


def test_what_the_file_says_is_stored_with_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cascan.messages.read_channels.read_channels", lambda _: ChannelFile())
    assert read_stored_file(STORED) == read_channels(TEXT)
    assert len(read_stored_file(STORED).channels) == 2


@pytest.mark.parametrize("parsed", ["", "{", '{"channels": [{"name": "a", "format": "unheard of"}]}'])
def test_the_text_is_read_if_another_version_stored_the_file(parsed: str) -> None:
    assert read_stored_file(replace(STORED, parsed=parsed)) == read_channels(TEXT)


def test_the_function_and_its_file_are_read_without_yaml() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", READ_IN_A_NEW_PROCESS],
        input=msgspec.json.encode(STORED),
        env={"PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        check=True,
    )
    assert printed.stdout.split() == [b"2", b"False"]
