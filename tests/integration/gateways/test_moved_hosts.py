"""Hosts that swap their addresses, and one that goes: recorded in the fake and in DynamoDB alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.scanned_network import World
from tests.unit.on_report_stored.test_hosts_that_move import LAPTOP, MAC, PRINTER, Seen, report


def test_a_swap_gives_two_moves_and_the_true_changes(table: Any, tmp_path: Path) -> None:
    world = World(tmp_path)
    world.table = table
    world.scan(1, report(Seen("10.0.0.1", LAPTOP, (22, 80)), Seen("10.0.0.2", PRINTER)), request=MAC)
    swapped = report(Seen("10.0.0.2", LAPTOP, (22, 81)), Seen("10.0.0.1", PRINTER))
    assert world.scan(2, swapped, request=MAC) == [
        "HostMoved 10.0.0.1",
        "PortOpened 10.0.0.2:81",
        "PortClosed 10.0.0.2:80",
        "HostMoved 10.0.0.2",
    ]
    without_printer = report(Seen("10.0.0.2", LAPTOP, (22, 81)))
    assert world.scan(3, without_printer, request=MAC) == []
    assert world.scan(4, without_printer, request=MAC) == ["HostGone 10.0.0.1"]
