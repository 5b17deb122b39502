"""`cascan messages set|show|list|retry|test`, on a stack in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from cascan.messages.work import MessageWork
from cascan.model.message import AttemptState, MessageAttempt, MessageThread, Statement, Step, StoredChannels
from cascan.model.mute import MuteSource
from cascan_cli.commands import messages
from cascan_cli.main import main
from tests.fakes import MemoryOperatorRecords
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes
from tests.support.command_world import run_json

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
URL = "https://hooks.example.com/T0/secret"
FILE = f"channels:\n  team: {{webhook: '{URL}', format: slack}}\n  pager: {{command: [/bin/page]}}\n"


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    stack = SimpleNamespace(
        messages=MemoryMessageThreads(),
        message_queue=MemoryRequestQueue(),
        mutes=MemoryMutes(),
        operator_records=MemoryOperatorRecords(),
        submitter="AIDAANN",
        is_local=True,
    )

    @contextmanager
    def open_stack(_: Any) -> Iterator[Any]:
        yield stack

    monkeypatch.setattr(messages, "open_stack", open_stack)
    monkeypatch.setattr(messages, "utc_now", lambda: NOON)
    monkeypatch.chdir(tmp_path)
    Path("channels.yaml").write_text(FILE)
    return stack


def park(stack: Any, key: str, state: AttemptState, channel: str = "team", **notice: str) -> None:
    attempt = MessageAttempt(
        statement=Statement(step=Step.CONFIRMED),
        state=state,
        message_id="m-1",
        number=1,
        at=NOON,
        title="Confirmed: 10.0.0.9",
        reason="hooks.example.com answered 404",
        notice=notice,
    )
    assert stack.messages.put_thread(MessageThread(key=key, channel=channel, attempt=attempt, revision=1))


def list_sent(stack: Any) -> list[MessageWork]:
    return [MessageWork.from_wire(body) for body in stack.message_queue.sent]


def test_a_file_is_stored_and_shown_without_its_secrets(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stored = run_json("messages set channels.yaml", capsys)
    assert (stored["version"], [one["name"] for one in stored["channels"]]) == (1, ["team", "pager"])
    assert run_json("messages set", capsys)["version"] == 1  # the same file
    shown = run_json("messages show", capsys)
    assert [(one["name"], one["end"]) for one in shown] == [("team", "webhook"), ("pager", "command")]
    assert main(["messages", "show"]) == 0
    assert "secret" not in json.dumps(shown) + capsys.readouterr().out
    assert stack.messages.channels().stored_by == "AIDAANN"


def test_a_file_is_recorded_for_a_rebuild_and_its_mutes_are_stored(
    stack: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("channels.yaml").write_text(f"{FILE}mutes: [{{until: '2026-11-03T12:00:00Z'}}]")
    assert run_json("messages set", capsys)["version"] == 1
    (recorded,) = stack.operator_records.names("channels")
    assert msgspec.json.decode(stack.operator_records.get(recorded), type=StoredChannels) == stack.messages.channels()
    assert [mute.source for mute in stack.mutes.list_mutes()] == [MuteSource.FILE]
    Path("channels.yaml").write_text(f"{FILE}mutes: [{{until: '2027-11-03T12:00:00Z'}}]")
    assert main(["messages", "set"]) == 2
    assert "lasts longer than 90 days" in capsys.readouterr().err
    assert stack.messages.channels().version == 1


def test_a_wrong_file_is_refused_with_its_line(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    Path("channels.yaml").write_text("channels:\n  team: {}\n")
    assert main(["messages", "set"]) == 2
    assert "channels.yaml: line 2: channels.team: has no end" in capsys.readouterr().err
    assert stack.messages.channels() is None


def test_a_deployed_stack_takes_no_secret_and_no_command(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stack.is_local = False
    assert main(["messages", "set"]) == 2
    errors = capsys.readouterr().err
    assert "`parameter: /<stack name>/messages/team`" in errors
    assert "commands run on one machine alone" in errors


def test_what_has_not_arrived_is_listed_with_the_reason(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_json("messages list", capsys) == []
    park(stack, "exposure/a", AttemptState.PARKED)
    park(stack, "exposure/b", AttemptState.WAITING, channel="pager")
    listed = run_json("messages list", capsys)
    assert [(one["key"], one["state"]) for one in listed] == [("exposure/a", "parked"), ("exposure/b", "waiting")]
    assert [one["key"] for one in run_json("messages list --channel pager", capsys)] == ["exposure/b"]
    assert main(["messages", "list"]) == 0
    assert "answered 404" in capsys.readouterr().out


def test_what_is_parked_or_unknown_is_sent_again_with_its_notice(
    stack: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    park(stack, "exposure/a", AttemptState.PARKED)
    park(stack, "scan/x/partial", AttemptState.UNKNOWN, title="Scheduled scan is partial")
    park(stack, "exposure/c", AttemptState.WAITING)
    assert len(run_json("messages retry", capsys)) == 2
    works = list_sent(stack)
    assert [(work.key, work.channel, work.retries) for work in works] == [
        ("exposure/a", "team", True),
        ("scan/x/partial", "team", True),
    ]
    assert [work.notice for work in works] == [{}, {"title": "Scheduled scan is partial"}]
    assert main(["messages", "retry", "exposure/c"]) == 2
    assert "no such message is parked" in capsys.readouterr().err


def test_a_channel_is_tried_with_a_message_of_its_own(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["messages", "test"]) == 2
    assert "there are no channels" in capsys.readouterr().err
    run_json("messages set", capsys)
    tested = run_json("messages test team", capsys)
    (work,) = list_sent(stack)
    assert (work.key, work.channel, tested["channels"]) == (tested["key"], "team", ["team"])
    assert work.notice["title"].startswith("A message of cascan")
    assert main(["messages", "test", "nobody"]) == 2
    assert "there are team, pager" in capsys.readouterr().err


def test_a_channel_of_apprise_needs_this_machine_the_library_and_its_file(
    stack: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "apprise.yaml"
    Path("channels.yaml").write_text(f"channels: {{family: {{apprise: {config}}}}}")

    def set_channels() -> str:
        capsys.readouterr()
        assert main(["messages", "set"]) == 2
        return capsys.readouterr().err

    monkeypatch.setattr(messages, "find_spec", lambda _: None)
    assert "channels.family.apprise: Apprise is not installed" in set_channels()
    monkeypatch.setattr(messages, "find_spec", lambda name: name)
    assert f"there is no file {config}" in set_channels()
    config.write_text("urls: []")
    stack.is_local = False
    assert "Apprise runs on one machine alone" in set_channels()
    stack.is_local = True
    assert run_json("messages set", capsys)["channels"][0]["end"] == "apprise"


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ("apprise: apprise.yaml", "channels.a.apprise: has to be the whole path"),
        ("apprise: /a.yaml, format: slack", "channels.a.format: has to be text"),
        ("apprise: /a.yaml, topic: true", "channels.a: has apprise and topic"),
    ],
)
def test_a_wrong_channel_of_apprise_is_refused(
    stack: Any, capsys: pytest.CaptureFixture[str], fields: str, problem: str
) -> None:
    Path("channels.yaml").write_text(f"channels: {{a: {{{fields}}}}}")
    assert main(["messages", "set"]) == 2
    assert problem in capsys.readouterr().err
    assert stack.messages.channels() is None
