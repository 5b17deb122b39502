"""A host whose every port is open costs as much per finding as any other."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cascan.formats.first_seen import add_first_seen
from cascan.formats.records import Record
from cascan.model.inventory import PortKey, PortRecord
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.queries.current_findings import find_current_findings, find_current_findings_at
from cascan.queries.history import find_open_keys, list_port_spans, list_spans
from tests.support.scanned_network import World, xml

PORTS = tuple(range(1, 1_001))
ADDRESS = "10.0.0.1"
MOST_LOOKS_PER_PORT = 20  # at its record, whatever the number of findings


class Counted:
    """How often the key of any port record was read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = 0
        read: Callable[[PortRecord], PortKey] = vars(PortRecord)["key"].fget

        def count(port: PortRecord) -> PortKey:
            self.reads += 1
            return read(port)

        monkeypatch.setattr(PortRecord, "key", property(count))


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.scan(0, xml({ADDRESS: PORTS}))
    return world


def test_the_findings_of_a_tarpit_are_compared_with_its_ports_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    assert len(find_current_findings_at(world.table, ADDRESS, DEFAULT_VANTAGE)) > len(PORTS)
    assert len(list(find_current_findings(world.table))) > len(PORTS)
    assert counted.reads <= MOST_LOOKS_PER_PORT * len(PORTS)


def test_the_ages_of_a_tarpits_ports_are_read_once_a_batch(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [Record(finding=finding) for finding, _ in find_current_findings(world.table)]
    counted = Counted(monkeypatch)
    ages = [record.first_seen for record in add_first_seen(records, world.table)]
    assert sum(age is not None for age in ages) >= len(PORTS)
    assert counted.reads <= MOST_LOOKS_PER_PORT * len(PORTS)


def test_the_past_of_all_ports_is_that_of_each(world: World) -> None:
    world.scan(1, xml({ADDRESS: (22, 80)}))
    world.scan(2, xml({ADDRESS: (80, 443)}))
    looks = list(world.table.looks_until([ADDRESS], datetime(2100, 1, 1, tzinfo=UTC)))[::-1]
    assert len(looks) == 3
    keys = find_open_keys(looks)
    assert list_port_spans(looks) == [span for key in keys for span in list_spans(looks, key)]
