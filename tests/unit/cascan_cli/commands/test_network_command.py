"""`cascan network`: what it stores in a stack's table and in the bucket, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.limits import MAX_IDENTITY_NETWORKS
from cascan_cli.commands import network
from cascan_cli.main import main
from tests.fakes import MemoryOperatorRecords, MemoryScanTable

ADD = ["network", "add", "10.0.3.0/24", "--identity", "mac"]


@pytest.fixture
def records() -> MemoryOperatorRecords:
    return MemoryOperatorRecords()


@pytest.fixture
def table(records: MemoryOperatorRecords, monkeypatch: pytest.MonkeyPatch) -> MemoryScanTable:
    table = MemoryScanTable()

    @contextmanager
    def access(_: Any) -> Iterator[Any]:
        yield SimpleNamespace(table=table, operator_records=records)

    monkeypatch.setattr(network, "open_stack", access)
    return table


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    capsys.readouterr()
    assert main(["network", "list", "--json"]) == 0
    networks: list[dict[str, str]] = json.loads(capsys.readouterr().out)
    return networks


def test_networks_are_added_changed_listed_and_removed(
    table: MemoryScanTable, records: MemoryOperatorRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*ADD[:-1], "name"]) == 0
    assert main(["network", "add", "2001:db8::/64", "--identity", "address"]) == 0
    assert main(ADD) == 0
    assert listed(capsys) == [
        {"network": "10.0.3.0/24", "identity": "mac"},
        {"network": "2001:db8::/64", "identity": "address"},
    ]
    assert table.stored_networks is not None
    assert table.stored_networks.version == 3
    assert json.loads(records.get("networks.json") or b"")["version"] == 3
    assert main(["network", "remove", "10.0.3.0/24"]) == 0
    assert [network["network"] for network in listed(capsys)] == ["2001:db8::/64"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["add", "10.0.3.7/24", "--identity", "mac"], "'10.0.3.7/24' is not a network such as 10.0.3.0/24"),
        (["remove", "10.0.3.0/24"], "nothing is stored for 10.0.3.0/24"),
    ],
)
def test_a_wrong_network_is_refused_and_nothing_is_stored(
    table: MemoryScanTable, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["network", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert table.stored_networks is None


def test_the_number_of_networks_has_a_limit(table: MemoryScanTable, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(MAX_IDENTITY_NETWORKS):
        assert main(["network", "add", f"10.0.{number}.0/24", "--identity", "mac"]) == 0
    assert main(["network", "add", "10.1.0.0/24", "--identity", "mac"]) == 2
    assert f"may have {MAX_IDENTITY_NETWORKS}" in capsys.readouterr().err


def test_of_two_commands_at_the_same_moment_one_fails(
    table: MemoryScanTable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(table, "put_network_identities", lambda _stored: False)
    assert main(ADD) == 3
    assert "at the same moment" in capsys.readouterr().err
