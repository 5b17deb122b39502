"""Values with every field set, so that a field lost on the way shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from cascan.events import ScanPlanned, ShardQueued
from cascan.ids import derive_finding_id, derive_scan_id
from cascan.model.finding import Finding, Severity
from cascan.model.inventory import Change, ChangeKind, HostRecord, HostUpdate, PortCoverage, PortRecord, Sighting
from cascan.model.request import ScanRequest, ScanType
from cascan.model.scan import Counts, Outcome, Scan, ScanState
from cascan.model.shard import Lane, NmapRun, Shard, ShardClosing, ShardState, TargetSlice

AT = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
SCAN_ID = derive_scan_id("example")

REQUEST = ScanRequest(
    name="büro",
    targets=("10.0.0.0/24", "db.example.internal"),
    exclude=("10.0.0.13",),
    parameters=("-sV", "-p", "22,443"),
    scan_type=ScanType.NMAP_PRIVILEGED,
    labels={"team": "soc"},
    annotations={"why": 'a "quoted" reason'},
    cascades={"matchLabels": {"a": "b"}, "depth": [1, 2.5, None, True]},
    active_deadline_seconds=600,
    authorization="CHG-1234",
    contact="soc@example.org",
)

RUN = NmapRun(
    argv=("nmap", "-sT", "-oX", "report.xml"),
    exit_code=0,
    stopped="deadline",
    stderr="Warning: \x1b[31mü",
    addresses=2,
    resolved={"db.example.internal": ("10.0.0.5", "10.0.0.6")},
    unresolved=("gone.example",),
    refused=("8.8.8.8 is outside the scope",),
    started_at=AT,
    finished_at=AT + timedelta(minutes=1),
)

CLOSING = ShardClosing(
    state=ShardState.RECORDED,
    outcome=Outcome.COMPLETE,
    severities={"HIGH": 1, "INFORMATIONAL": 2},
    categories={"Open Port": 2, "odd #name: -- ü.x": 1},
    findings=3,
    hosts_up=2,
    changes={"PortOpened": 2},
)


def a_scan(key: str = "example", **changes: Any) -> Scan:
    """A scan under way with two open shards."""
    scan = Scan(
        scan_id=derive_scan_id(key),
        name="büro",
        state=ScanState.SCANNING,
        requested_at=AT,
        cause_id="message-1",
        hop=2,
        request=REQUEST,
        request_digest="abc",
        notes=("-oX has no effect here",),
        shards=2,
        shards_open=2,
        addresses=255,
        shard_secret="a secret",
    )
    scan = replace(scan, **changes)
    counted = {"shards_waiting", "shards_in_flight"} & changes.keys()
    return scan if counted else replace(scan, shards_in_flight=scan.shards_open)


def an_ended_scan(key: str = "ended") -> Scan:
    """A scan with every field set that only its end sets."""
    return a_scan(
        key,
        state=ScanState.DONE,
        shards_open=0,
        shard_outcomes={"complete": 1, "timed-out": 1},
        outcome=Outcome.TIMED_OUT,
        findings=Counts(count=3, severities={"LOW": 3}, categories={"Open Port": 3}),
        hosts_up=7,
        changes={"PortOpened": 4},
        finished_at=AT + timedelta(hours=1),
        error_description="one host was slow",
        announced=True,
    )


def a_shard(number: int = 0, **changes: Any) -> Shard:
    shard = Shard(
        scan_id=SCAN_ID,
        number=number,
        lane=Lane.RAW,
        slices=(TargetSlice("10.0.0.0/24", 0, 256), TargetSlice("2001:db8::/64", 5, 2**63)),
        arguments=("-sS", "-p", "22"),
        family=6,
        exclude=("10.0.0.13",),
        addresses=256,
    )
    return replace(shard, **changes)


def a_finding(number: int = 0, **changes: Any) -> Finding:
    fingerprint = f"{number:032x}"
    finding = Finding(
        id=derive_finding_id(SCAN_ID, fingerprint),
        fingerprint=fingerprint,
        parsed_at=AT,
        name="ssh",
        description="Port 22 is open",
        category="Open Port",
        severity=Severity.INFORMATIONAL,
        osi_layer="NETWORK",
        location="tcp://10.0.0.5:22",
        attributes={"port": 22, "hostname": None, "scripts": {"banner": ["a\x00b", "ü"]}, "ratio": 0.5},
    )
    return replace(finding, **changes)


def a_sighting(minute: int = 0, **changes: Any) -> Sighting:
    """An open port as seen so many minutes after AT."""
    sighting = Sighting(
        state="open",
        seen_at=AT + timedelta(minutes=minute),
        scan_id=derive_scan_id(f"scan at minute {minute}"),
        service="ssh",
        product="OpenSSH",
        version="9.2p1",
        probed=True,
    )
    return replace(sighting, **changes)


def a_port(port: int = 22, **changes: Any) -> PortRecord:
    record = PortRecord(protocol="tcp", port=port, latest=a_sighting(), first_seen=AT, last_seen=AT)
    return replace(record, **changes)


def a_host(address: str = "10.0.0.5", **changes: Any) -> HostRecord:
    """A host that is up, with one open port."""
    record = HostRecord(
        address=address,
        latest=Sighting(state="up", seen_at=AT, scan_id=SCAN_ID),
        first_seen=AT,
        last_seen=AT,
        hostname="db.example.internal",
        ports=(a_port(),),
        coverage=(PortCoverage(protocol="tcp", ports="22,80", seen_at=AT, scan_id=SCAN_ID, state="closed"),),
        revision=1,
    )
    return replace(record, **changes)


def a_change(address: str = "10.0.0.5", port: int = 22, **changes: Any) -> Change:
    change = Change(
        kind=ChangeKind.PORT_OPENED,
        address=address,
        hostname="db.example.internal",
        protocol="tcp",
        port=port,
        before=a_sighting(-1, state="closed"),
        after=a_sighting(),
    )
    return replace(change, **changes)


def an_update(record: HostRecord | None = None, known: HostRecord | None = None, *changes: Change) -> HostUpdate:
    return HostUpdate(record=record or a_host(), known=known, changes=changes)


def a_message(shard: int = 0) -> ShardQueued:
    return ShardQueued(scan_id=SCAN_ID, cause_id="message-1", hop=1, shard=shard)


def an_event(number: int = 0, name: str = "office") -> ScanPlanned:
    return ScanPlanned(
        scan_id=SCAN_ID,
        cause_id="message-1",
        hop=1,
        event_id=f"event-{number}",
        at=AT,
        name=name,
        labels={"team": "soc"},
        scan_type="nmap",
        addresses=255,
        shards=2,
        lanes={"connect": 2},
    )
