"""The findings of a scan over several vantages include the ports whose state differs by vantage."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.queries import reachability_findings
from cascan.queries.read_findings import read_findings
from tests.support.builders import a_scan
from tests.support.scanned_network import World, at, xml

MEMBERS = (derive_scan_id("scan at 0"), derive_scan_id("scan at 1"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """The stack sees 22 and 80 open; the office, an hour later, only 22, and not the second host."""
    world = World(tmp_path)
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
    world.scan(1, xml({"10.0.0.1": (22,)}), vantage="office")
    return world


def a_parent() -> Scan:
    parent = a_scan(scan_id=derive_scan_id("parent"), requested_at=at(0), vantage="")
    return replace(parent, members=MEMBERS, finished_at=at(1))


def differences(world: World, scan: Scan) -> list[Finding]:
    return [finding for finding in read_findings(scan, world.table) if finding.category == "Reachability"]


def test_each_port_that_a_vantage_sees_otherwise_is_one_finding_with_the_states(world: World) -> None:
    found = differences(world, a_parent())
    assert [(finding.location, finding.attributes["states"]) for finding in found] == [
        ("tcp://10.0.0.1:80", {"default": "open", "office": "closed"}),
        ("tcp://10.0.0.2:22", {"default": "open", "office": "host not up"}),
    ]
    assert found[0].description == "Port 80 (tcp) is open from default, closed from office."
    assert found == differences(world, a_parent())  # the same ids whenever they are read
    opened = [finding for finding in read_findings(a_parent(), world.table) if finding.category == "Open Port"]
    assert len(opened) == 4


def test_looks_of_other_scans_and_ports_that_a_member_did_not_cover_say_nothing(world: World) -> None:
    world.scan(2, xml({"10.0.0.1": (22, 80)}), vantage="office")
    assert len(differences(world, a_parent())) == 2
    world.scan(3, xml({"10.0.0.1": (22, 443)}, asked="22,443"), target="10.0.0.1", count=1)
    parent = replace(a_parent(), members=(derive_scan_id("scan at 3"), MEMBERS[1]), finished_at=at(3))
    world.table.scans[MEMBERS[1]] = replace(world.table.scans[MEMBERS[1]], vantage="office")
    assert [finding.attributes["port"] for finding in differences(world, parent)] == []


def test_what_the_express_function_saw_of_a_member_counts_under_its_own_vantage(world: World) -> None:
    world.scan(2, xml({"10.0.0.1": (22, 81)}), vantage="express")
    scan_id = derive_scan_id("scan at 2")
    world.table.scans[scan_id] = replace(world.table.scans[scan_id], vantage="default", express_vantage="express")
    parent = replace(a_parent(), members=(scan_id, MEMBERS[1]), finished_at=at(2))
    states = {finding.attributes["port"]: finding.attributes["states"] for finding in differences(world, parent)}
    assert states == {81: {"express": "open", "office": "closed"}}


def test_nothing_is_said_of_a_scan_that_runs_or_has_one_member_left(world: World) -> None:
    assert differences(world, replace(a_parent(), finished_at=None)) == []
    world.table.scans.pop(MEMBERS[1])
    assert differences(world, a_parent()) == []


def test_the_number_of_compared_ports_is_limited(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reachability_findings, "MAX_REACHABILITY_PORTS", 2)
    assert [finding.location for finding in differences(world, a_parent())] == ["tcp://10.0.0.1:80"]
