"""`cascan vantage`: what it stores in a stack's table and in the bucket, and what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.limits import MAX_VANTAGES
from cascan.model.scan import ScanState
from cascan.model.vantage import Vantage
from cascan_cli.commands import vantage
from cascan_cli.commands.scan import build_request
from cascan_cli.main import main
from cascan_cli.parser.build_parser import build_parser
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.support.builders import a_scan

QUEUE = "https://sqs.eu-central-1.amazonaws.com/1/prod-vantage-office-connect"
ADD = ["vantage", "add", "office", "--connect-queue", QUEUE]


@pytest.fixture
def records() -> MemoryOperatorRecords:
    return MemoryOperatorRecords()


@pytest.fixture
def table(records: MemoryOperatorRecords, monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, operator_records=records, is_local=False)

    monkeypatch.setattr(vantage, "open_stack", access)
    return table


def test_add_stores_the_vantage_in_the_table_and_beside_the_operators_other_records(
    table: MemoryScanTable, records: MemoryOperatorRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--network", "10.0.0.0/8", "--ipv6", "--description", "third floor"]
    assert main([*ADD, *options]) == 0

    stored = table.vantages_by_name["office"]
    assert (stored.queues, stored.networks, stored.has_ipv6) == ({"connect": QUEUE}, ("10.0.0.0/8",), True)
    assert stored.description == "third floor"
    assert list(records.names("vantages/")) == ["vantages/office.json"]
    assert "--vantage office" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["default", "--raw-queue", QUEUE], "'default' is the stack itself"),
        (["express", "--raw-queue", QUEUE], "'express' is reserved"),
        (["Office", "--raw-queue", QUEUE], "'Office' is no name: 1 to 32 of"),
        (["lab", "--namespace", "lab"], "--namespace: only the stack of this machine"),
        (["office"], "--connect-queue, --raw-queue: give the URL of at least one"),
        (["office", "--raw-queue", QUEUE, "--network", "10.0.0.1/8"], "--network: vantage office: 10.0.0.1/8"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_stored(
    arguments: list[str], sentence: str, table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vantage", "add", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not table.vantages_by_name


def test_a_stack_has_a_limited_number_of_vantages_and_one_of_them_may_be_changed(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(MAX_VANTAGES):
        table.put_vantage(Vantage(name=f"v{number}", queues={"raw": QUEUE}))

    assert main(ADD) == 2
    assert f"has {MAX_VANTAGES} vantages" in capsys.readouterr().err
    assert main(["vantage", "add", "v0", "--raw-queue", QUEUE, "--description", "moved"]) == 0
    assert table.vantages_by_name["v0"].description == "moved"


def test_list_has_the_stack_itself_and_no_removed_vantage(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str]
) -> None:
    main(ADD)
    main(["vantage", "add", "house", "--raw-queue", QUEUE])
    main(["vantage", "remove", "house"])
    capsys.readouterr()

    assert main(["vantage", "list"]) == 0
    rows = [line.split("\t")[:3] for line in capsys.readouterr().out.splitlines()]
    assert rows == [["default", "express, connect, raw", ""], ["office", "connect", "not stated"]]
    assert table.vantages_by_name["house"].removed_at is not None


def test_remove_is_refused_while_scans_need_the_workers_unless_it_is_forced(
    table: MemoryScanTable, records: MemoryOperatorRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    main(ADD)
    for scan_id, place, state in (
        ("a" * 16, "office", ScanState.SCANNING),
        ("b" * 16, "office", ScanState.DONE),
        ("c" * 16, "default", ScanState.SCANNING),
    ):
        table.create_scan(a_scan(scan_id=scan_id, vantage=place, state=state))
    capsys.readouterr()

    assert main(["vantage", "remove", "office"]) == 2
    assert f"1 scan of it not ended yet: {'a' * 16}; wait" in capsys.readouterr().err
    assert table.vantages_by_name["office"].removed_at is None
    assert main(["vantage", "remove", "office", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "office", "openScans": ["a" * 16]}
    assert b"removed_at" in (records.get("vantages/office.json") or b"")
    assert main(["vantage", "remove", "office"]) == 2
    assert "there is no vantage 'office'" in capsys.readouterr().err


def test_the_vantages_of_a_scan_are_those_of_the_command() -> None:
    parser = build_parser()
    args = parser.parse_args(["scan", "10.0.0.1", "--vantage", "default", "--vantage", "office"])
    args.nmap_arguments = []
    assert build_request(args)["vantage"] == ["default", "office"]
    args = parser.parse_args(["scan", "10.0.0.1"])
    args.nmap_arguments = []
    assert "vantage" not in build_request(args)
