"""The findings of a scan with members are theirs."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.queries.read_findings import read_findings
from tests.support.scanned_network import World, xml


def test_a_scan_with_members_has_the_findings_of_each(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.scan(0, xml({"10.0.0.1": (22,)}), vantage="inside")
    world.scan(1, xml({"10.0.0.1": (80,)}), vantage="outside")
    members = (derive_scan_id("scan at 1"), derive_scan_id("scan at 0"))
    scan = replace(world.table.scans[members[0]], scan_id="p" * 16, members=members)

    ports = [finding.attributes.get("port") for finding in read_findings(scan, world.table)]
    assert [port for port in ports if port] == [80, 22, 22, 80]  # theirs, then those that differ by vantage
    alone = read_findings(world.table.scans[members[1]], world.table)
    assert [port for finding in alone if (port := finding.attributes.get("port"))] == [22]
