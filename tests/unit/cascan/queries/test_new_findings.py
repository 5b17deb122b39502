"""New findings, between scans that the real recording stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.model.scan import Scan, ScanState
from cascan.queries.finding_query import FindingQuery
from cascan.queries.select_findings import FindingPage, SelectedFindings
from tests.support.scanned_network import Hosts, World, xml


class Series(World):
    """Scans that are Done, each an hour after the one before."""

    def scan_hosts(self, hour: int, hosts: Hosts, *, ports: str = "1-100", **fields: Any) -> Scan:
        # Without a host that is up, nmap has nothing to say of the others
        self.scan(hour, xml(hosts, asked=ports), **fields)
        scan_id = derive_scan_id(f"scan at {hour}")
        self.table.scans[scan_id] = replace(self.table.scans[scan_id], state=ScanState.DONE)
        return self.table.scans[scan_id]

    def new_in(self, scan: Scan, query: FindingQuery | None = None) -> tuple[list[str], int]:
        selected = SelectedFindings(query or FindingQuery(new=True), scan, self.table)
        return [f"{finding.name} {finding.location}" for finding in selected], selected.first_covered


@pytest.fixture
def series(tmp_path: Path) -> Series:
    return Series(tmp_path)


def test_a_port_that_opened_since_the_last_scan_is_new(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": (22, 80)})
    scan = series.scan_hosts(1, {"10.0.0.1": (22, 23)})
    assert series.new_in(scan) == (["Open Port: 23 (ssh) tcp://10.0.0.1:23"], 0)


def test_a_port_that_the_last_scan_did_not_cover_is_not_new(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": (22, 80)}, ports="1-100")
    scan = series.scan_hosts(1, {"10.0.0.1": (22, 8080)}, ports="22,8080")
    assert series.new_in(scan) == ([], 1)


def test_a_host_that_was_not_up_in_the_last_scan_is_new(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": (22,)})
    scan = series.scan_hosts(1, {"10.0.0.1": (22,), "10.0.0.2": (22,)})
    names, _ = series.new_in(scan)
    assert names == ["Open Port: 22 (ssh) tcp://10.0.0.2:22", "Host: 10.0.0.2 10.0.0.2"]


def test_a_host_outside_the_targets_of_the_last_scan_is_not_new(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": (22,)}, target="10.0.0.1", count=1)
    scan = series.scan_hosts(1, {"10.0.0.1": (22,), "10.0.0.2": (22,)})
    assert series.new_in(scan) == ([], 2)


def test_other_series_and_other_vantages_are_not_the_scan_before(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": (22,)}, name="dmz")
    series.scan_hosts(1, {"10.0.0.1": (22,)}, vantage="office")
    scan = series.scan_hosts(2, {"10.0.0.1": (22,)})
    assert series.new_in(scan) == ([], 0)


def test_new_is_one_condition_of_a_query_among_others(series: Series) -> None:
    series.scan_hosts(0, {"10.0.0.1": ()})
    scan = series.scan_hosts(1, {"10.0.0.1": (22, 23)})
    query = FindingQuery(new=True, ports=frozenset({("tcp", 23)}))
    assert series.new_in(scan, query) == (["Open Port: 23 (ssh) tcp://10.0.0.1:23"], 0)


def test_pages_join_to_the_whole_list(series: Series) -> None:
    scan = series.scan_hosts(0, {"10.0.0.1": (22, 23, 24), "10.0.0.2": (22,)})
    whole = [finding.id for finding in SelectedFindings(FindingQuery(), scan, series.table)]
    joined, after = list[str](), ""
    while True:
        page = FindingPage(SelectedFindings(FindingQuery(), scan, series.table), limit=4, after=after)
        listed = [finding.id for finding in page]
        assert len(listed) <= 4
        joined += listed
        if not page.next:
            break
        after = page.next
    assert joined == whole
    assert len(whole) == 6


def test_a_cursor_of_another_list_is_an_error(series: Series) -> None:
    scan = series.scan_hosts(0, {"10.0.0.1": (22,)})
    page = FindingPage(SelectedFindings(FindingQuery(), scan, series.table), limit=1, after="strange")
    with pytest.raises(LookupError):
        list(page)
