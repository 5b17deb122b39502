"""`cascan messages mute|unmute|mutes`, on a stack in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.limits import MAX_ACTIVE_MUTES
from cascan.messages.work import MessageWork
from cascan.model.mute import MuteSource, StoredMute
from cascan_cli.commands import mutes
from cascan_cli.main import main
from cascan_cli.output.principals import LOCAL_ACCOUNT
from tests.fakes.cascades import MemoryRequestQueue
from tests.fakes.mutes import MemoryMutes
from tests.support.command_world import run_json

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Any:
    stack = SimpleNamespace(mutes=MemoryMutes(), message_queue=MemoryRequestQueue(), submitter="AIDAANN")

    @contextmanager
    def open_stack(_: Any) -> Iterator[Any]:
        yield stack

    monkeypatch.setattr(mutes, "open_stack", open_stack)
    monkeypatch.setattr(mutes, "utc_now", lambda: NOON)
    return stack


def test_a_mute_is_stored_listed_and_ended(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = run_json("messages mute --network 10.0.0.7/24 fd00::1 --for 2h --reason firewall", capsys)
    assert (made["networks"], made["until"], made["by"]) == (
        ["10.0.0.0/24", "fd00::1/128"],
        "2026-11-02T14:00:00.000Z",
        "AIDAANN",
    )
    assert run_json("messages mutes", capsys) == [made]
    assert main(["messages", "mutes"]) == 0
    assert "10.0.0.0/24" in capsys.readouterr().out
    ended = run_json(f"messages unmute {made['id']}", capsys)
    assert ended["until"] == "2026-11-02T12:00:00.000Z"
    (work,) = map(MessageWork.from_wire, stack.message_queue.sent)
    assert work.key == f"mute/{made['id']}"


def test_who_muted_on_this_machine_is_named(
    stack: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ann")
    stack.submitter = LOCAL_ACCOUNT
    run_json("messages mute --all --for 2h", capsys)
    assert main(["messages", "mutes"]) == 0
    assert "\tann" in capsys.readouterr().out


def test_a_closed_mute_is_not_listed_and_cannot_be_ended(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    made = run_json("messages mute --all --until 2026-11-02T13:00Z", capsys)
    mute = stack.mutes.mutes[made["id"]]
    assert (mute.networks, mute.owners, mute.series) == ((), (), ())
    assert stack.mutes.put_mute(replace(mute, closed_at=NOON, revision=2))
    assert run_json("messages mutes", capsys) == []
    assert [listed["state"] for listed in run_json("messages mutes --all", capsys)] == ["ended"]
    assert main(["messages", "unmute", made["id"]]) == 2
    assert "cascan messages mutes` lists them" in capsys.readouterr().err


@pytest.mark.parametrize(("hours", "state"), [((-1, 1), "active"), ((1, 2), "planned"), ((-2, -1), "ending")])
def test_the_state_of_a_mute_is_listed(
    stack: Any, capsys: pytest.CaptureFixture[str], hours: tuple[int, int], state: str
) -> None:
    begins_at, ends_at = (NOON + timedelta(hours=number) for number in hours)
    mute = StoredMute(mute_id="a", begins_at=begins_at, ends_at=ends_at, source=MuteSource.FILE, revision=1)
    assert stack.mutes.put_mute(mute)
    (listed,) = run_json("messages mutes", capsys)
    assert (listed["state"], listed["source"]) == (state, "file")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--network 10.0.0.0/33 --for 2h", "--network '10.0.0.0/33'"),
        ("--all --for 0h", "is over; give a time to come"),
        ("--all --for 91d", "at most 90 days"),
        ("--all --until 2026-11-02T11:00Z", "is over; give a time to come"),
        ("--all --for soon", "--for 'soon'"),
        ("--owner " + "a " * 51 + "--for 2h", "--owner: has 51 values, more than 50"),
        ("--all --for 2h --reason " + "a" * 301, "--reason: has 301 characters, more than 300"),
        ("--all", "one of the arguments --until --for is required"),
        ("--for 2h", "one of the arguments --network --owner --series --all is required"),
        ("--all --series nightly --for 2h", "not allowed with argument"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_stored(
    line: str, error: str, stack: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["messages", "mute", *line.split()])
    except SystemExit as exc:
        code = int(exc.code or 0)
    assert (code, stack.mutes.mutes) == (2, {})
    assert error in capsys.readouterr().err


def test_there_are_only_so_many_mutes(stack: Any, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(MAX_ACTIVE_MUTES):
        mute = StoredMute(mute_id=f"m{number}", begins_at=NOON, ends_at=NOON + timedelta(hours=1), revision=1)
        assert stack.mutes.put_mute(mute)
    assert main(["messages", "mute", "--all", "--for", "2h"]) == 2
    assert "at most 100 are possible" in capsys.readouterr().err
