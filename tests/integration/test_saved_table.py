"""What the commands that only read ask of the table: the saved table answers it as the emulator does."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cascan.aws import clients
from cascan.aws.dynamodb.connection import Connection
from cascan_cli.local.save_table import EMULATOR_FILE, save_table
from cascan_cli.local.saved_table import SavedTable
from cascan_cli.stack import open as open_module
from tests.integration.handlers.conftest import moto_clients  # noqa: F401 - a fixture
from tests.integration.handlers.stack import TABLE
from tests.integration.test_command_permissions import (  # noqa: F401 - a fixture
    READERS,
    DeployedStack,
    deployed,
    prepare,
)
from tests.support.emulated_table import EmulatedTable

Call = tuple[str, bytes]
NOT_FROM_THE_TABLE = ("check 10.0.0.1", "cost 10.0.0.1")
FOR_RUNNING_SCANS = ("wait SCANNED --fail-on new", "watch SCANNED")


def test_the_saved_table_answers_every_read_of_the_commands_that_only_read(
    deployed: DeployedStack,  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepare(deployed)
    calls: list[Call] = []
    send, record = Connection.send, deployed.recorder.record

    def record_send(connection: Connection, operation: str, body: bytes) -> None:
        calls.append((operation, body))
        send(connection, operation, body)

    def record_call(service: str, operation: str, request: dict[str, Any], *, code: str = "") -> None:
        if service == "dynamodb":
            calls.append((operation, msgspec.json.encode(request)))
        record(service, operation, request, code=code)

    monkeypatch.setattr(Connection, "send", record_send)
    monkeypatch.setattr(deployed.recorder, "record", record_call)
    readers = [line for line in READERS if line not in (*NOT_FROM_THE_TABLE, *FOR_RUNNING_SCANS)]
    without_reads = []
    for line in readers:
        before = len(calls)
        deployed.run(line)
        if len(calls) == before:
            without_reads.append(line)
    assert without_reads == []
    asked = dict.fromkeys(calls)
    emulated, saved = copy_table(tmp_path)
    for operation, body in asked:
        content = saved.answer(operation, body)
        assert content is not None, (operation, body)
        assert json.loads(content) == emulated.call(operation, json.loads(body)), (operation, body)
    saved.close()


def copy_table(folder: Path) -> tuple[EmulatedTable, SavedTable]:
    """The table of the deployed stack in the emulator, and saved for reading."""
    emulated = EmulatedTable(TABLE)
    items = clients.dynamodb().scan(TableName=TABLE)["Items"]
    emulated.put(msgspec.json.decode(msgspec.json.encode(items)))
    (folder / EMULATOR_FILE).write_text("{}")
    save_table(emulated.tables, None, folder, folder / "table.sqlite", time.monotonic() + 60)
    return emulated, SavedTable(folder / "table.sqlite")


def test_every_command_that_only_reads_is_among_those_that_a_reader_may_call() -> None:
    """The policy for readers grants reads alone, and a test of it runs these commands."""
    runs = {line.split()[0] for line in READERS}
    names = {"exposure_check": "exposure", "exposure_init": "exposure", "exposure_plan": "exposure"}
    names |= {"exposures": "exposure", "mutes": "messages"}
    assert {names.get(run, run) for run, _ in open_module.READERS} <= runs
