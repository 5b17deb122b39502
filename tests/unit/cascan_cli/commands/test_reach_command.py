"""`cascan reach`: the matrix of ports and vantages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cascan.model.vantage import Vantage
from cascan_cli.commands import reach
from cascan_cli.main import main
from tests.support.builders import NOW
from tests.support.command_world import open_world
from tests.support.scanned_network import World, xml

NOON, ONE, TWO = (f"2026-03-01T{hour}:00:00Z" for hour in (12, 13, 14))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """The stack sees 22 and 80, the office 22 and then nothing; the lab has not looked, and a vantage is gone."""
    world = World(tmp_path)

    open_world(monkeypatch, world, reach)
    world.table.put_vantage(Vantage(name="lab", queues={}))
    world.table.put_vantage(Vantage(name="old", queues={}, removed_at=NOW))
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
    world.scan(1, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}), vantage="office")
    world.scan(2, xml({"10.0.0.2": (22,)}), vantage="office")
    return world


class Printed:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> list[list[str]]:
        assert main(["reach", *words]) == code
        out, self.err = self.capsys.readouterr()
        return [line.split("\t") for line in out.splitlines()]


@pytest.fixture
def printed(world: World, capsys: pytest.CaptureFixture[str]) -> Printed:
    assert world.table.hosts_by_address
    capsys.readouterr()
    return Printed(capsys)


def test_each_port_that_is_open_from_somewhere_has_a_row_and_each_vantage_a_cell(printed: Printed) -> None:
    assert printed("10.0.0.1") == [
        ["10.0.0.1", "", "tcp/22", f"open {NOON}", "not covered", f"host not up {TWO}"],
        ["10.0.0.1", "", "tcp/80", f"open {NOON}", "not covered", f"host not up {TWO}"],
    ]
    assert printed("10.0.0.1", "--at", "2026-03-01T13:30Z") == [
        ["10.0.0.1", "", "tcp/22", f"open {NOON}", "not covered", f"open {ONE}"],
        ["10.0.0.1", "", "tcp/80", f"open {NOON}", "not covered", f"closed {ONE}"],
    ]


def test_a_port_that_is_named_has_a_row_whatever_its_states(printed: Printed) -> None:
    closed = [["10.0.0.2", "", "tcp/23", f"closed {NOON}", "not covered", f"closed {TWO}"]]
    assert printed("10.0.0.2", "--port", "23") == closed
    assert printed("10.0.0.2:23") == closed
    uncovered = printed("10.0.0.2", "--port", "udp/53", "--port", "5000")
    assert [row[2:] for row in uncovered] == [[port, *["not covered"] * 3] for port in ("tcp/5000", "udp/53")]
    assert [row[3:] for row in printed("10.0.0.2:22", "--stale", "1h")] == [["not covered"] * 3]


def test_json_says_where_vantages_differ(printed: Printed, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reach", "10.0.0.2", "--port", "22", "--port", "80", "--json"]) == 0
    same, absent = json.loads(capsys.readouterr().out)
    assert (same["protocol"], same["port"], same["differs"]) == ("tcp", 22, False)
    assert [(seen["vantage"], seen["state"]) for seen in same["vantages"]] == [
        ("default", "open"),
        ("lab", "not covered"),
        ("office", "open"),
    ]
    assert same["vantages"][0]["service"]["name"] == "ssh"
    assert same["vantages"][1]["look"] is None
    assert absent["differs"] is False
    assert main(["reach", "10.0.0.1", "--json"]) == 0
    assert [row["differs"] for row in json.loads(capsys.readouterr().out)] == [True, True]


def test_a_name_stands_for_each_address_that_bears_it(world: World, printed: Printed) -> None:
    run = {"resolved": {"web.example.test": ("10.0.0.4", "10.0.0.5")}}
    world.scan(3, xml({"10.0.0.5": (443,), "10.0.0.4": (443,)}, asked="443"), target="web.example.test", count=1, **run)
    assert [row[:3] for row in printed("WEB.example.test")] == [
        ["10.0.0.4", "web.example.test", "tcp/443"],
        ["10.0.0.5", "web.example.test", "tcp/443"],
    ]


def test_what_cannot_be_answered_says_why(printed: Printed) -> None:
    assert printed("nowhere.example.test", code=2) == []
    assert "no address in the inventory has this name" in printed.err
    assert printed("10.0.0.7") == []
    assert "no port of 10.0.0.7 that matches was open from any vantage" in printed.err
    assert printed("10.0.0.1:22", "--port", "23", code=2) == []
    assert printed("10.0.0.1", "--port", "ssh", code=2) == []
