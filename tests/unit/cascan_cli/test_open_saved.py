"""A command that only reads uses the saved table, and a stack is started when it needs more."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cascan.aws import clients
from cascan.aws.tables.items import scan_item
from cascan.model.scan import Outcome, ScanState
from cascan_cli.errors import CliError
from cascan_cli.local import deployment
from cascan_cli.local.save_table import EMULATOR_FILE, save_table
from cascan_cli.local.state import StateDir
from cascan_cli.stack import open as open_module
from cascan_cli.stack.open import StackGateways, open_stack
from tests.support.builders import SCAN_ID, a_scan
from tests.support.emulated_table import EmulatedTable

TABLE = "scan-table"
OUTPUTS = {"ScanTableName": TABLE, "ReportBucketName": "bucket", "RequestQueueUrl": "http://127.0.0.1/queue"}


class LocalStacks:
    """Counts the stacks that are started, each of which answers every read with nothing."""

    def __init__(self) -> None:
        self.started = 0
        self.running = 0

    @contextmanager
    def open(self, _: Namespace) -> Iterator[StackGateways]:
        self.started += 1
        self.running += 1
        clients.use_token("http://127.0.0.1:9", "secret", lambda *_: b"{}")
        yield StackGateways(OUTPUTS, stays_up=False)
        self.running -= 1


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStacks]:
    stacks = LocalStacks()
    monkeypatch.setattr(open_module, "_open_local", stacks.open)
    monkeypatch.setattr(deployment, "find_current_outputs", lambda *_: OUTPUTS)
    for name in ("AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "NO_PROXY"):
        monkeypatch.setenv(name, "")
    yield stacks
    clients._token_endpoints.clear()
    clients.forget()


def save_scan(folder: Path, state: ScanState, *, message_in_s: float | None = None) -> None:
    """The state directory of a stack that has ended in order, with a scan in this state."""
    directory = StateDir(folder)
    (directory.emulator_state / EMULATOR_FILE).write_text("{}")
    table = EmulatedTable(TABLE)
    outcome = Outcome.COMPLETE if state is ScanState.DONE else None
    table.put([scan_item(a_scan(state=state, outcome=outcome))])
    at = None if message_in_s is None else time.time() + message_in_s
    save_table(table.tables, at, directory.emulator_state, directory.saved_table, time.monotonic() + 60)
    directory.exit_status.write_text("0")


def arguments(folder: Path, run: str, action: str | None = None) -> Namespace:
    return Namespace(stack=None, state_dir=folder, run=run, action=action)


def test_a_command_that_only_reads_starts_no_stack(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.DONE)
    with open_stack(arguments(tmp_path, "scans")) as stack:
        assert [scan.scan_id for scan in stack.table.list_scans(5)] == [SCAN_ID]
        assert stack.table.get_scan("absent") is None
    assert stacks.started == 0


def test_a_suspended_scan_waits_for_resume_and_not_for_a_stack(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.SUSPENDED)
    with open_stack(arguments(tmp_path, "scans")):
        pass
    assert stacks.started == 0


def test_a_stack_is_started_to_go_on_with_a_scan_that_is_under_way(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.SCANNING)
    with open_stack(arguments(tmp_path, "scans")):
        assert stacks.running == 1


def test_a_stack_is_started_to_go_on_with_the_messages_of_its_queues(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.DONE, message_in_s=-5)
    with open_stack(arguments(tmp_path, "scans")):
        assert stacks.running == 1


def test_no_stack_is_started_for_a_message_that_comes_again_after_its_end(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.DONE, message_in_s=600)
    with open_stack(arguments(tmp_path, "scans")):
        assert stacks.running == 0


def test_a_stack_is_started_when_the_deployment_is_not_current(
    tmp_path: Path, stacks: LocalStacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_scan(tmp_path, ScanState.DONE)
    monkeypatch.setattr(deployment, "find_current_outputs", lambda *_: None)
    with open_stack(arguments(tmp_path, "scans")):
        assert stacks.running == 1


@pytest.mark.parametrize("run", ["scan", "wait", "delete", "schedule"])
def test_a_command_that_does_more_than_read_gets_a_stack_at_once(tmp_path: Path, stacks: LocalStacks, run: str) -> None:
    save_scan(tmp_path, ScanState.DONE)
    with open_stack(arguments(tmp_path, run, "pause")):
        assert stacks.running == 1


def test_of_a_command_with_several_actions_only_some_read(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.DONE)
    with open_stack(arguments(tmp_path, "schedule", "list")):
        assert stacks.running == 0


def test_a_request_that_the_file_cannot_answer_goes_to_a_stack_and_so_does_all_after_it(
    tmp_path: Path, stacks: LocalStacks
) -> None:
    save_scan(tmp_path, ScanState.DONE)
    with open_stack(arguments(tmp_path, "scans")) as stack:
        assert stack.table.get_scan(SCAN_ID) is not None
        with pytest.raises(KeyError, match="Items"):  # which that stack does not answer
            list(stack.table._table.query(KeyConditionExpression="pk = :pk", ExpressionAttributeValues={}))
        assert (stacks.started, stacks.running) == (1, 1)
        assert stack.table.get_scan(SCAN_ID) is None
    assert (stacks.started, stacks.running) == (1, 0)


def test_a_read_after_a_failed_start_tries_to_start_a_stack_again(
    tmp_path: Path, stacks: LocalStacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_scan(tmp_path, ScanState.DONE)

    def fail(_: Namespace) -> None:
        raise CliError("the disk is full")

    with open_stack(arguments(tmp_path, "scans")) as stack:
        with monkeypatch.context() as patch:
            patch.setattr(open_module, "_open_local", fail)
            with pytest.raises(CliError, match="disk"):
                stack.start()
        stack.start()
    assert stacks.started == 1


def test_a_command_that_needs_reports_or_queues_gets_a_stack_for_them(tmp_path: Path, stacks: LocalStacks) -> None:
    save_scan(tmp_path, ScanState.DONE)
    with open_stack(arguments(tmp_path, "report")) as stack:
        assert stacks.started == 0
        assert stack.reports
        assert stack.request_queue
        assert (stacks.started, stacks.running) == (1, 1)
    assert stacks.running == 0
