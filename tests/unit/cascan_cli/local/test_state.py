"""The state directory: private, fixed to one port, and clear about what is damaged."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from cascan_cli.errors import DiskFull, StateUnreadable
from cascan_cli.local import endpoint as endpoint_module
from cascan_cli.local.state import Deployment, Running, StateDir, default_root

DEPLOYMENT = Deployment(
    "f00d", ("functions", "template.yaml"), {"AllowedTargets": "127.0.0.1"}, {"RequestQueueUrl": "http://127.0.0.1:1/q"}
)


def test_the_directory_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    it = StateDir(tmp_path / "a" / "b")

    assert it.root.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)

    assert StateDir(tmp_path / "open").root.stat().st_mode & 0o777 == 0o700


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StateDir(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)

    with pytest.raises(StateUnreadable, match=r"belongs to another user \(uid \d+\)\. .*--state-dir"):
        StateDir(tmp_path)


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    endpoint = StateDir(tmp_path / "a").endpoint()

    assert StateDir(tmp_path / "a").endpoint() == endpoint
    assert (tmp_path / "a" / "secret").stat().st_mode & 0o777 == 0o600
    assert len(endpoint.secret) == 43
    assert StateDir(tmp_path / "b").endpoint().secret != endpoint.secret


def test_of_two_commands_at_once_both_have_the_secret_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter(["a" * 43, "b" * 43])
    quicker: list[str] = []

    def slowly(_: int) -> str:
        own = next(made)
        if not quicker:  # another command is quicker
            quicker.append("")
            quicker.append(StateDir(tmp_path).endpoint().secret)
        return own

    monkeypatch.setattr(secrets, "token_urlsafe", slowly)
    assert StateDir(tmp_path).endpoint().secret == "b" * 43
    assert quicker[1] == "b" * 43


@pytest.mark.parametrize("content", [b"", b"short", b"a" * 44, b"\xff" * 43, b"a b" * 14 + b"c"])
def test_a_damaged_secret_is_named_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)

    with pytest.raises(StateUnreadable, match=r"secret is damaged: .*cascan local down.*delete that file"):
        StateDir(tmp_path).endpoint()


def test_a_state_of_a_version_without_a_secret_gets_one_and_keeps_its_port(tmp_path: Path) -> None:
    (tmp_path / "machine.json").write_text('{"port": 23456}')

    endpoint = StateDir(tmp_path).endpoint()

    assert (endpoint.port, len(endpoint.secret)) == (23456, 43)


@pytest.mark.parametrize(("exit_status", "is_kept"), [("0", True), ("137", False), (None, False)])
def test_the_secret_changes_when_somebody_else_may_have_listened_meanwhile(
    tmp_path: Path, exit_status: str | None, *, is_kept: bool
) -> None:
    it = StateDir(tmp_path)
    secret = it.endpoint().secret
    (it.objects / "bucket").mkdir()
    if exit_status is not None:
        it.exit_status.write_text(exit_status)

    it.begin_run()

    assert (it.endpoint().secret == secret) is is_kept


def test_what_an_earlier_version_left_open_to_others_is_closed(tmp_path: Path) -> None:
    for name in ("emulator/state", "emulator/objects/bucket", "home", "tmp", "logs/tasks"):
        (tmp_path / name).mkdir(parents=True)
    files = [tmp_path / name for name in ("machine.json", "emulator/objects/bucket/report.xml", "logs/emulator.log")]
    files[0].write_text('{"port": 23456}')
    for file in files[1:]:
        file.write_text("what nmap wrote")
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("not ours")
    (tmp_path / "tmp" / "link").symlink_to(outside)
    for path in (outside, *tmp_path.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)

    StateDir(tmp_path).begin_run()

    left = {str(path): oct(path.stat().st_mode) for path in tmp_path.rglob("*") if not path.is_symlink()}
    assert {path: mode for path, mode in left.items() if not mode.endswith("00")} == {}
    assert outside.stat().st_mode & 0o777 == 0o755  # a link leads out of the directory


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_whatever_the_umask_is_nothing_is_open_to_others(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        it = StateDir(tmp_path / "state")
        it.endpoint()
        it.write_deployment(DEPLOYMENT)
        it.write_running(Running(42, "2026-01-31T00:00:00Z"))
        (it.objects / "bucket").mkdir(0o700)
        it.begin_run()
    finally:
        os.umask(before)

    assert {path for path in it.root.rglob("*") if path.stat().st_mode & 0o077} == set()


def test_the_default_follows_xdg_and_ignores_a_relative_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert default_root() == tmp_path / "xdg" / "cascan"

    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert default_root() == tmp_path / "home" / ".local" / "state" / "cascan"


def test_the_port_is_chosen_once(tmp_path: Path) -> None:
    port = StateDir(tmp_path).port()

    assert 1024 <= port <= 65535
    assert StateDir(tmp_path).port() == port


def test_the_port_is_none_that_the_kernel_hands_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for first in (20_100, 30_000):
        range_file = tmp_path / str(first)
        range_file.write_text(f"{first}\t60999\n")
        monkeypatch.setattr(endpoint_module, "EPHEMERAL_RANGE", range_file)
        assert 20_000 <= StateDir(tmp_path / f"below-{first}").port() < first
    range_file.write_text("1024 65535")  # then any will do
    assert StateDir(tmp_path / "any").port() >= 1024


def test_a_taken_port_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        monkeypatch.setattr(endpoint_module, "LOWEST_PORT", taken)
        monkeypatch.setattr(endpoint_module, "_first_ephemeral_port", lambda: taken + 1)
        assert StateDir(tmp_path).port() != taken


def test_of_two_commands_at_once_both_go_by_the_port_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen: list[int] = []

    def slowly(_host: str) -> int:
        chosen.append(2_000 + len(chosen))
        own = chosen[-1]
        if len(chosen) == 1:  # another command is quicker
            assert StateDir(tmp_path).port() == 2_001
        return own

    monkeypatch.setattr(endpoint_module, "find_free_port", slowly)
    assert StateDir(tmp_path).port() == 2_001
    assert chosen == [2_000, 2_001]
    assert [path.name for path in tmp_path.glob("machine.json*")] == ["machine.json"]


def test_what_is_kept_reads_back(tmp_path: Path) -> None:
    it = StateDir(tmp_path)
    assert it.deployment() is None
    assert it.running() is None

    it.write_deployment(DEPLOYMENT)
    it.write_running(Running(42, "2026-01-31T00:00:00Z"))

    again = StateDir(tmp_path)
    assert again.deployment() == DEPLOYMENT
    assert again.running() == Running(42, "2026-01-31T00:00:00Z")
    again.delete_running()
    assert again.running() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"port": "many"}', '{"port": 0}', "\x00\xff"])
def test_a_damaged_file_is_named_with_the_way_out(tmp_path: Path, content: str) -> None:
    damaged = StateDir(tmp_path)
    (tmp_path / "machine.json").write_text(content)

    with pytest.raises(StateUnreadable, match=r"machine\.json is damaged: .* --state-dir"):
        damaged.port()


@pytest.mark.parametrize("name", ["deployment", "running"])
def test_a_record_with_missing_fields_is_damaged(tmp_path: Path, name: str) -> None:
    it = StateDir(tmp_path)
    (tmp_path / f"{name}.json").write_text("{}")

    with pytest.raises(StateUnreadable, match=rf"{name}\.json is damaged"):
        getattr(it, name)()


def test_a_directory_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StateUnreadable, match=r"file/state cannot be used: .*--state-dir"):
        StateDir(tmp_path / "file" / "state")


def test_after_a_clean_end_the_deployment_counts(tmp_path: Path) -> None:
    it = StateDir(tmp_path)
    it.write_deployment(DEPLOYMENT)
    (it.objects / "bucket").mkdir()
    it.exit_status.write_text("0")

    it.begin_run()

    assert it.deployment() == DEPLOYMENT
    assert not it.needs_rebuild()


@pytest.mark.parametrize("exit_status", [None, "", "137"])
def test_after_any_other_end_nothing_is_deployed_and_the_tables_are_behind(
    tmp_path: Path, exit_status: str | None
) -> None:
    it = StateDir(tmp_path)
    it.write_deployment(DEPLOYMENT)
    (it.objects / "bucket").mkdir()
    if exit_status is not None:
        it.exit_status.write_text(exit_status)

    it.begin_run()

    assert it.deployment() is None
    assert it.needs_rebuild()
    it.mark_rebuilt()
    assert not it.needs_rebuild()


def test_where_the_disk_is_full_scratch_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it = StateDir(tmp_path)
    left = it.tmp / "ministack-lambda-function"
    left.mkdir()
    monkeypatch.setattr(
        "shutil.disk_usage",
        lambda _: SimpleNamespace(free=3_500_000 if left.exists() else 10**9),
    )

    it.begin_run()

    assert not left.exists()


def test_a_disk_without_room_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = SimpleNamespace(free=3_500_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)

    with pytest.raises(DiskFull, match=r"has 3 MB left, and the stack needs 64 MB.*--state-dir"):
        StateDir(tmp_path).begin_run()


def test_an_exit_status_is_that_of_one_run(tmp_path: Path) -> None:
    it = StateDir(tmp_path)
    it.exit_status.write_text("0")
    it.begin_run()
    it.write_deployment(DEPLOYMENT)

    it.begin_run()  # the run between was killed with its keeper, which writes the status

    assert it.deployment() is None


def test_what_was_saved_during_a_deployment_that_nobody_finished_is_not_used(tmp_path: Path) -> None:
    it = StateDir(tmp_path)
    (it.objects / "bucket").mkdir()
    (it.emulator_state / "cloudformation.json").write_text("half a stack")
    it.exit_status.write_text("0")
    it.deploying.touch()

    it.begin_run()

    assert list(it.emulator_state.iterdir()) == []
    assert it.needs_rebuild()
    assert not it.deploying.exists()


@pytest.mark.parametrize(("saved_at", "used"), [((1000, 1000), True), ((3000, 1000), False), ((3000, 3000), False)])
def test_a_snapshot_counts_after_a_kill_if_it_is_of_one_moment(
    tmp_path: Path, saved_at: tuple[int, int], used: bool
) -> None:
    it = StateDir(tmp_path)
    it.started.touch()
    os.utime(it.started, (2000, 2000))
    for name, at in zip(("dynamodb", "sqs"), saved_at, strict=True):
        (it.emulator_state / f"{name}.json").write_text("{}")
        os.utime(it.emulator_state / f"{name}.json", (at, at))

    it.begin_run()

    assert any(it.emulator_state.iterdir()) is used


def test_drafts_of_commands_that_were_killed_are_removed(tmp_path: Path) -> None:
    it = StateDir(tmp_path)
    with subprocess.Popen(["true"]) as gone:
        pass
    for pid in (gone.pid, os.getpid()):
        (tmp_path / f"deployment.json.{pid}.1").write_text("{")

    it.begin_run()

    assert [path.name for path in tmp_path.glob("*.json.*")] == [f"deployment.json.{os.getpid()}.1"]


def test_a_new_directory_needs_no_rebuild(tmp_path: Path) -> None:
    it = StateDir(tmp_path)

    it.begin_run()

    assert not it.needs_rebuild()
