"""What a command's end says of its scan."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest

from cascan.model.cascade import StoredChild
from cascan.model.finding import Finding, Severity
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.model.shard import Progress, ShardState
from cascan.queries.describe_detail import describe_detail
from cascan.queries.scan_progress import summarize_shards
from cascan_cli.errors import BadInput, CliError
from cascan_cli.output.findings import print_findings
from cascan_cli.output.progress import describe_live
from cascan_cli.output.scan import scan_exit_code
from cascan_cli.stack.find_scan import find_scan
from cascan_cli.stack.follow import own_port_note, repeat_note, wait_for_cascade
from cascan_cli.stack.open import StackGateways
from tests.fakes import MemoryScanTable
from tests.fakes.cascades import MemoryCascadeTable
from tests.support.builders import NOW, a_request, a_scan, a_shard


@pytest.mark.parametrize(
    ("scan", "code"),
    [
        ({"state": ScanState.DONE, "outcome": Outcome.COMPLETE}, 0),
        ({"state": ScanState.DONE, "outcome": Outcome.PARTIAL}, 1),
        ({"state": ScanState.DONE, "outcome": Outcome.NOTHING_ANSWERED}, 1),
        ({"state": ScanState.DONE, "outcome": Outcome.UNRESOLVED}, 1),
        ({"state": ScanState.ERRORED, "shards": 0, "shards_open": 0}, 2),
        ({"state": ScanState.ERRORED, "outcome": Outcome.FAILED}, 3),
        ({"state": ScanState.SCANNING}, 1),
        ({"state": ScanState.CANCELLED}, 1),
        ({"state": ScanState.SUSPENDED}, 0),
    ],
)
def test_the_exit_code_says_whether_the_answer_is_whole(scan: dict[str, Any], code: int) -> None:
    assert scan_exit_code(a_scan(**scan)) == code


@pytest.fixture
def table() -> MemoryScanTable:
    table = MemoryScanTable()
    for day, (scan_id, name) in enumerate(
        [("aaaa222222222222", "lan"), ("aaab222222222222", "lan"), ("bbbb222222222222", "dmz")], start=1
    ):
        table.create_scan(a_scan(scan_id=scan_id, name=name, requested_at=NOW.replace(day=day)))
    return table


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("latest", "bbbb222222222222"),
        ("lan", "aaab222222222222"),
        ("aaaa222222222222", "aaaa222222222222"),
        ("aaab", "aaab222222222222"),
    ],
)
def test_a_scan_is_found_by_its_id_the_beginning_of_it_or_its_series(
    table: MemoryScanTable, asked: str, found: str
) -> None:
    assert find_scan(table, asked).scan_id == found


@pytest.mark.parametrize(
    ("asked", "sentence"), [("aaa", "2 scans begin with 'aaa'"), ("nope", "there is no scan 'nope'")]
)
def test_a_name_that_fits_no_scan_or_several_is_refused(table: MemoryScanTable, asked: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        find_scan(table, asked)


class Ending:
    """A stack that ends with its command: a scan, its child, and a grandchild that ends at the third look."""

    stays_up = False

    def __init__(self) -> None:
        self.table, self.cascades, self.looks = MemoryScanTable(), MemoryCascadeTable(), 0
        ids = ("aaaa222222222222", "bbbb222222222222", "cccc222222222222")
        for scan_id in ids:
            self.table.create_scan(a_scan(scan_id=scan_id, state=ScanState.DONE, request=a_request(cascades={})))
        for parent, child in pairwise(ids):
            stored = StoredChild(key="rule/a", rule="rule", scan_id=child, name="", scan_type="nmap")
            self.cascades.stored[parent] = {stored.key: stored}
        self.last = ids[-1]
        self.table.scans[self.last] = a_scan(scan_id=self.last, state=ScanState.SCANNING)
        get = self.table.get_scan

        def look(scan_id: str) -> Scan | None:
            self.looks += scan_id == self.last
            if self.looks > 2:
                self.table.scans[self.last] = a_scan(scan_id=self.last, state=ScanState.DONE)
            return get(scan_id)

        self.table.get_scan = look  # type: ignore[method-assign]


def test_a_command_whose_stack_ends_with_it_waits_for_the_whole_cascade() -> None:
    stack = Ending()
    assert wait_for_cascade(stack.table.scans["aaaa222222222222"], cast("StackGateways", stack), 20, []) == 2
    assert stack.looks == 3


def test_a_stack_that_stays_up_is_not_waited_for() -> None:
    stack = Ending()
    stack.stays_up = True
    assert wait_for_cascade(stack.table.scans["aaaa222222222222"], cast("StackGateways", stack), 20, []) == 0


def test_a_cascade_that_takes_too_long_is_an_error() -> None:
    stack = Ending()
    stack.looks = -10_000
    with pytest.raises(CliError, match="the cascade has not ended after"):
        wait_for_cascade(stack.table.scans["aaaa222222222222"], cast("StackGateways", stack), 0.05, [])


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ([], ""),
        ([None], ""),
        (
            [Progress(task="Connect Scan", percent=42, hosts_done=3, hosts_up=3, open_ports=1, addresses_done=5)],
            "Connect Scan 42 %, 5 of 9 addresses done, 3 up, 1 open port so far",
        ),
        (
            [Progress(task="NSE", percent=5), Progress(task="NSE", percent=90)],
            "NSE 5 to 90 %, 0 of 9 addresses done, 0 up",
        ),
        (
            [Progress(task="NSE", percent=5, hosts_up=1), Progress(task="Ping Scan", percent=5, hosts_up=1), None],
            "2 shards run 5 %, 0 of 9 addresses done, 2 up",
        ),
    ],
)
def test_running_shards_say_how_far_they_are(told: list[Progress | None], line: str) -> None:
    shards = [a_shard(number=n, state=ShardState.RUNNING, progress=progress) for n, progress in enumerate(told)]
    assert describe_live(a_scan(addresses=9), summarize_shards(shards)) == line


def a_finding(
    category: str = "Open Port", severity: Severity = Severity.LOW, name: str = "x", **attributes: Any
) -> Finding:
    return Finding(
        id=name,
        fingerprint=name,
        parsed_at=NOW,
        name=name,
        description="",
        category=category,
        severity=severity,
        osi_layer="NETWORK",
        location="",
        attributes=attributes,
    )


def test_a_repeated_idempotency_key_says_that_nothing_was_scanned_again() -> None:
    assert repeat_note(a_scan(cause_id="m-1"), "m-1") == ""
    assert "already sent under its idempotencyKey" in repeat_note(a_scan(cause_id="m-1"), "m-2")


@pytest.mark.parametrize(
    ("own_port", "address", "is_noted"),
    [
        (4566, "127.0.0.1", True),
        (4566, "::1", True),
        (4566, "10.0.0.1", False),
        (4567, "127.0.0.1", False),
        (None, "::1", False),
    ],
)
def test_the_stack_itself_among_the_open_ports_of_this_machine_is_pointed_out(
    own_port: int | None, address: str, is_noted: bool
) -> None:
    findings = [a_finding(port=4566, ip_addresses=[address])]
    note = own_port_note(findings, StackGateways({}, stays_up=True, own_port=own_port))
    assert (note == "port 4566 is the local stack itself") is is_noted


def test_findings_are_listed_by_severity_then_address_as_a_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_findings(
        [
            a_finding(name="far", severity=Severity.LOW, ip_addresses=["10.0.0.10"]),
            a_finding(name="near", severity=Severity.LOW, ip_addresses=["10.0.0.9"]),
            a_finding(name="worst", severity=Severity.HIGH, ip_addresses=["10.0.0.200"]),
            a_finding(name="foreign", severity=Severity.INFORMATIONAL, ip_addresses="10.0.0.1"),
        ]
    )
    out, err = capsys.readouterr()
    assert [line.split("\t")[3] for line in out.splitlines()] == ["worst", "near", "far", "foreign"]
    assert "1 HIGH, 2 LOW, 1 INFORMATIONAL" in err


@pytest.mark.parametrize(
    ("finding", "detail"),
    [
        (a_finding(serviceProduct="nginx", serviceVersion="1.22"), "nginx 1.22"),
        (a_finding(title="Welcome"), "Welcome"),
        (a_finding("Host", operating_system="Linux 5"), "Linux 5"),
        (a_finding("Open Port", operating_system="Linux 5"), ""),
        (
            a_finding("TLS", subject={"commonName": "a.example"}, not_after="2026-03-31T00:00:00Z"),
            "a.example until 2026-03-31, 30 days left",
        ),
        (a_finding("TLS", subject="odd", not_after="2026-03-02T11:00:00Z"), "until 2026-03-02, 1 day left"),
        (a_finding("TLS", not_after="2026-03-01T11:00:00Z"), "expired today"),
        (a_finding("TLS", not_after="2026-02-26T23:00:00Z"), "expired 3 days ago"),
        (a_finding("TLS", not_after="in spring"), "until in spring"),
        (a_finding("HTTP", server=["nginx", "Apache"]), "nginx, Apache"),
        (a_finding("HTTP", risky_methods=list("abcdefgh"), path="/"), "a, b, c, d, e, f and 2 more"),
        (a_finding("Open Port", serviceProduct="OpenSSH", service_details={"extrainfo": "x"}), "OpenSSH (x)"),
        (a_finding("FTP", banner="220 ready\r\n220 second line"), "220 ready"),
        (a_finding("Vulnerability", cvss=9.8), "CVSS 9.8"),
        (a_finding("HTTP", title={"odd": 1}, server=[None, {"a": 1}]), ""),
    ],
)
def test_the_detail_is_what_the_name_of_the_finding_does_not_say(finding: Finding, detail: str) -> None:
    assert describe_detail(finding, NOW) == detail


def test_latest_passes_over_a_request_that_was_refused(table: MemoryScanTable) -> None:
    refused = a_scan(scan_id="cccc222222222222", name="dmz", shards=0, shards_open=0, requested_at=NOW.replace(day=20))
    table.create_scan(refused)
    assert find_scan(table, "latest").scan_id == find_scan(table, "dmz").scan_id == "bbbb222222222222"
    assert find_scan(table, "cccc").scan_id == refused.scan_id
