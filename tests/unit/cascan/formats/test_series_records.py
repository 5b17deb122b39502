"""A series is exported again and again: what was looked at and is gone is closed, and nothing else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from cascan.formats import series_records
from cascan.formats.records import Record
from cascan.formats.registry import render_records
from cascan.formats.series_records import Series
from cascan.ids import derive_scan_id
from cascan.model.scan import Outcome, ScanState
from cascan.queries.finding_query import FindingQuery
from tests.support.builders import a_request
from tests.support.defectdojo import DefectDojo
from tests.support.scanned_network import World, at, xml
from tests.support.varied_findings import EXPORT

EVERYTHING = FindingQuery()
NETWORK = a_request(targets=("10.0.0.0/29",), parameters=("-p", "1-100"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def scan(world: World, hour: int, report: bytes, outcome: Outcome = Outcome.COMPLETE, **fields: object) -> None:
    world.scan(hour, report, **{"request": NETWORK} | fields)
    scan_id = derive_scan_id(f"scan at {hour}")
    ended = replace(world.table.scans[scan_id], state=ScanState.DONE, outcome=outcome, finished_at=at(hour))
    world.table.scans[scan_id] = ended


def select(world: World, query: FindingQuery = EVERYTHING) -> list[Record]:
    return list(Series("lan", world.table).select_records(query))


def ports(records: list[Record]) -> dict[str, bool]:
    """The open ports by their place, and whether the newest scan looked there."""
    return {r.finding.location: r.is_covered for r in records if r.finding.category == "Open Port"}


def test_what_the_newest_scan_did_not_look_at_stays_and_says_so(world: World) -> None:
    scan(world, 0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
    smaller = a_request(targets=("10.0.0.1",), parameters=("-p", "22"))
    scan(world, 1, xml({"10.0.0.1": (22,)}, asked="22", total=1), target="10.0.0.1", count=1, request=smaller)
    assert ports(select(world)) == {
        "tcp://10.0.0.1:22": True,
        "tcp://10.0.0.1:80": False,
        "tcp://10.0.0.2:22": False,
    }
    assert all(bool(record.note) is not record.is_covered for record in select(world))


def test_what_any_newer_scan_looked_at_in_vain_is_left_out(world: World) -> None:
    """The newest scan is a small one; the one before saw that the port is closed."""
    small = a_request(targets=("10.0.0.2",), parameters=("-p", "22"))
    scan(world, 0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
    scan(world, 1, xml({"10.0.0.1": (22,)}))
    scan(world, 2, xml({"10.0.0.2": (22,)}, asked="22", total=1), target="10.0.0.2", count=1, request=small)
    assert ports(select(world)) == {"tcp://10.0.0.2:22": True, "tcp://10.0.0.1:22": False}


def test_other_series_and_scans_that_run_are_not_read(world: World) -> None:
    scan(world, 0, xml({"10.0.0.1": (22,)}))
    scan(world, 1, xml({"10.0.0.1": (80,)}), name="other")
    world.scan(2, xml({"10.0.0.1": (99,)}), request=NETWORK)
    assert ports(select(world)) == {"tcp://10.0.0.1:22": True}


def test_a_scan_that_a_newer_complete_one_repeated_is_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in range(5):
        scan(
            world, hour, xml({"10.0.0.1": (22, 80)[: 2 - hour % 2]}), Outcome.COMPLETE if hour < 4 else Outcome.PARTIAL
        )
    monkeypatch.setattr(series_records, "MAX_EXPORTED_SERIES_SCANS", 2)
    series = Series("lan", world.table)
    assert ports(list(series.select_records(EVERYTHING)))
    assert series.unread == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"targets": ("web.example",)},
        {"parameters": ("-sU", "-p", "53")},
        {"parameters": ("-Pn", "web")},
        {"targets": ()},
    ],
)
def test_a_repeated_scan_is_read_where_it_may_have_looked_elsewhere(world: World, fields: dict[str, object]) -> None:
    request = replace(NETWORK, **fields)
    scan(world, 0, xml({"10.0.0.1": (22,)}), request=request)
    scan(world, 1, xml({}, total=1), request=request, target="10.0.0.7", count=1)
    assert ports(select(world)) == {"tcp://10.0.0.1:22": False}


def test_scans_beyond_the_limit_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_records, "MAX_EXPORTED_SERIES_SCANS", 1)
    for hour in range(3):
        scan(world, hour, xml({"10.0.0.1": (22,)}), Outcome.PARTIAL)
    series = Series("lan", world.table)
    list(series.select_records(EVERYTHING))
    assert series.unread == 2


def test_a_filter_selects_from_old_scans_too(world: World) -> None:
    scan(world, 0, xml({"10.0.0.1": (22, 80)}))
    scan(world, 1, xml({}, asked="22", total=1), target="10.0.0.7", count=1, request=a_request(targets=("10.0.0.7",)))
    query = FindingQuery(ports=frozenset({("tcp", 80)}))
    assert ports(select(world, query)) == {"tcp://10.0.0.1:80": False}


def test_a_hundred_scans_leave_no_duplicate_in_defectdojo_and_close_what_is_gone_alone(world: World) -> None:
    """Ports open and close; every third scan looks at one host or a part of the ports only."""
    chance = random.Random(7)  # noqa: S311 - the same scans in every run
    hosts = [f"10.0.0.{number}" for number in range(1, 7)]
    truth: set[tuple[str, int]] = set()  # what is open
    believed: set[tuple[str, int]] = set()  # what a scan that looked there last saw
    dojo = DefectDojo()
    for hour in range(100):
        truth ^= {(chance.choice(hosts), chance.choice((22, 80, 99)))}
        targets = hosts if hour % 3 else [chance.choice(hosts)]
        asked = {22, 80, 99} if hour % 4 else {22}
        seen = {place for place in truth if place[0] in targets and place[1] in asked}
        believed = {place for place in believed if place[0] not in targets or place[1] not in asked} | seen
        report = {host: tuple(sorted(port for address, port in seen if address == host)) for host in targets}
        request = a_request(targets=tuple(targets), parameters=("-p", ",".join(map(str, sorted(asked)))))
        text = xml(report, asked=",".join(map(str, sorted(asked))), total=len(targets))
        ends = {"target": "10.0.0.0/29"} if len(targets) > 1 else {"target": targets[0], "count": 1}
        scan(world, hour, text, request=request, **ends)
        dojo.reimport(b"".join(render_records("defectdojo", select(world), EXPORT)))
        active = {uid for uid in dojo.active if dojo.findings[uid]["vuln_id_from_tool"] == "open-port"}
        places = {(e["host"], e["port"]) for uid in active for e in dojo.findings[uid]["endpoints"]}
        assert places == believed, f"scan {hour}"
    assert dojo.duplicates == 0
    assert sum(finding["vuln_id_from_tool"] == "open-port" for finding in dojo.findings.values()) <= 18
