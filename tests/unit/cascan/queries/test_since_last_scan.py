"""What the earlier scan of a series had, and this one does not, is resolved only if this one looked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.findings.by_host import group_by_host
from cascan.ids import derive_scan_id
from cascan.model.reason import Reason, ReasonCode, Reasons
from cascan.model.scan import Scan, ScanState
from cascan.queries import since_last_scan
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import GoneFindings, SinceLastScan, Standing, find_earlier_scan
from tests.support.builders import a_request
from tests.support.scanned_network import World, at, xml

BEFORE = {"10.0.0.1": (22, 80), "10.0.0.2": (22,)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.scan(0, xml(BEFORE))
    end(world, 0)
    return world


def end(world: World, hour: int) -> Scan:
    scan_id = derive_scan_id(f"scan at {hour}")
    scan = replace(world.table.scans[scan_id], state=ScanState.DONE, finished_at=at(hour))
    world.table.scans[scan_id] = scan
    return scan


def compare(world: World, scan: Scan) -> tuple[list[tuple[str, str]], GoneFindings]:
    """The places of findings that the earlier scan does not have, with how they stand to it; and what is gone."""
    since = SinceLastScan.open(scan, world.table)
    compared = list(since.compare(read_findings_by_vantage(scan, world.table)))
    others = [(finding.location, str(standing)) for _, finding, standing in compared if standing is not Standing.KNOWN]
    return others, since.judge_gone()


def places(gone: GoneFindings) -> tuple[list[str], list[str]]:
    return (
        [finding.location for _, finding in gone.resolved if finding.category == "Open Port"],
        [finding.location for _, finding in gone.not_covered if finding.category == "Open Port"],
    )


def test_a_port_that_closed_and_a_host_that_is_gone_are_resolved(world: World) -> None:
    world.scan(1, xml({"10.0.0.1": (22, 443)}, asked="1-500"))
    new, gone = compare(world, end(world, 1))
    assert new == [("tcp://10.0.0.1:443", "not covered")]  # the earlier scan asked ports 1 to 100
    assert places(gone) == (["tcp://10.0.0.1:80", "tcp://10.0.0.2:22"], [])


def test_a_port_is_new_if_the_earlier_scan_asked_it_and_it_was_closed(world: World) -> None:
    world.scan(1, xml(BEFORE | {"10.0.0.2": (22, 99)}))
    assert compare(world, end(world, 1))[0] == [("tcp://10.0.0.2:99", "new")]


def test_a_port_that_the_scan_did_not_ask_and_a_host_that_it_did_not_reach_are_not_covered(world: World) -> None:
    world.scan(1, xml({"10.0.0.1": (22,)}, asked="22", total=1), target="10.0.0.1", count=1)
    new, gone = compare(world, end(world, 1))
    assert new == []
    assert places(gone) == ([], ["tcp://10.0.0.1:80", "tcp://10.0.0.2:22"])


def test_a_finding_at_a_port_that_is_still_open_is_resolved_only_by_a_scan_with_the_same_options(world: World) -> None:
    earlier = world.table.scans[derive_scan_id("scan at 0")]
    _, finding = next(read_findings_by_vantage(earlier, world.table))
    attributes = finding.attributes | {"port": 22, "protocol": "tcp"}
    port = replace(finding, id="of a script", category="SSH", fingerprint="ab" * 16, attributes=attributes)
    world.table.put_findings(earlier.scan_id, group_by_host([port]))
    world.scan(1, xml(BEFORE))
    same = end(world, 1)
    assert [finding.category for _, finding in compare(world, same)[1].resolved] == ["SSH"]
    other = replace(same, request=a_request(parameters=("-sT",)))
    assert [finding.category for _, finding in compare(world, other)[1].not_covered] == ["SSH"]


def test_without_an_earlier_scan_of_the_series_that_is_done_nothing_is_new(world: World) -> None:
    world.scan(1, xml({"10.0.0.1": (22,)}), name="other")
    scan = end(world, 1)
    assert find_earlier_scan(world.table, scan) is None
    assert compare(world, scan) == ([], GoneFindings())


def test_an_earlier_scan_that_is_too_large_is_not_compared(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(since_last_scan, "MAX_COMPARED_FINDINGS", 0)
    world.scan(1, xml({"10.0.0.1": (443,)}, asked="1-500"))
    scan = end(world, 1)
    earlier = world.table.scans[derive_scan_id("scan at 0")]
    earlier = replace(earlier, findings=replace(earlier.findings, count=1))
    world.table.scans[earlier.scan_id] = earlier
    since = SinceLastScan.open(scan, world.table)
    assert since.is_too_large
    assert compare(world, scan) == ([], GoneFindings())


def test_findings_beyond_the_limit_are_counted_and_not_taken_to_be_resolved(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(since_last_scan, "MAX_GONE_FINDINGS", 1)
    world.scan(1, xml({}))
    gone = compare(world, end(world, 1))[1]
    assert len(gone.resolved) + len(gone.not_covered) == 1
    assert gone.unlisted > 0


def test_members_are_compared_vantage_by_vantage(world: World) -> None:
    for hour, ports in ((1, (22,)), (2, (22,)), (3, ())):
        vantage = "office" if hour != 2 else "default"
        world.scan(hour, xml({"10.0.0.1": ports}), vantage=vantage, name="member")
    members = [[end(world, 2).scan_id, end(world, 1).scan_id], [end(world, 2).scan_id, end(world, 3).scan_id]]
    parents = []
    for hour, ids in zip((4, 5), members, strict=True):
        scan_id = derive_scan_id(f"parent {hour}")
        plain = world.table.scans[ids[0]]
        parent = replace(plain, scan_id=scan_id, name="all", vantage="", members=tuple(ids), requested_at=at(hour - 4))
        world.table.scans[scan_id] = replace(parent, finished_at=at(hour))
        parents.append(world.table.scans[scan_id])
    gone = compare(world, parents[1])[1]
    assert [(vantage, f.location) for vantage, f in gone.resolved if f.category == "Open Port"] == [
        ("office", "tcp://10.0.0.1:22")
    ]


@pytest.mark.parametrize("where", [{"port": 22, "protocol": "tcp"}, {"port": None, "protocol": None}])
def test_what_scripts_found_is_not_covered_by_a_scan_in_which_the_host_timed_out(world: World, where: Any) -> None:
    earlier = world.table.scans[derive_scan_id("scan at 0")]
    _, finding = next(read_findings_by_vantage(earlier, world.table))
    attributes = finding.attributes | where
    of_script = replace(finding, id="of a script", category="SSH", fingerprint="ab" * 16, attributes=attributes)
    world.table.put_findings(earlier.scan_id, group_by_host([of_script]))
    world.scan(1, xml(BEFORE))
    scan = end(world, 1)
    timed_out = Reasons.of([Reason.of(ReasonCode.HOST_TIMED_OUT, "10.0.0.1", "it has no ports")])
    unlisted = replace(timed_out, listed=())  # the host may be the one that is counted
    for reasons in (timed_out, unlisted):
        gone = compare(world, replace(scan, reasons=reasons))[1]
        assert [finding.category for _, finding in gone.not_covered] == ["SSH"]
    elsewhere = Reasons.of([Reason.of(ReasonCode.HOST_TIMED_OUT, "10.0.0.2", "it has no ports")])
    gone = compare(world, replace(scan, reasons=elsewhere))[1]
    assert [finding.category for _, finding in gone.resolved] == ["SSH"]
