"""The third time the scope is asked: what a report holds beyond it, or beyond its shard, is kept out and announced."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from cascan.events import HostQuarantined, ReportStored
from cascan.gateways import ScanGateways
from cascan.ids import ReportKey
from cascan.limits import MAX_ADDRESS_CHARS, MAX_QUARANTINED_ADDRESSES
from cascan.model.host import Address, Host
from cascan.model.scan import Outcome
from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.targets.target_set import Name, parse_target
from cascan.permissions.scope import Scope
from on_report_stored.record_findings import RecordingOutcome, record_findings
from on_report_stored.report_summary import ReportCounter
from on_report_stored.scope_filter import ScopeFilter
from tests.fakes import MemoryEventBus, MemoryReportStore, MemoryScanTable, MemoryShardQueues
from tests.support.builders import SCAN_ID, a_run, a_scan, a_shard, a_table, claim, clock, event_names, proven

SCOPE = Scope.of(
    ["127.0.0.0/8", "10.0.0.0/16", "2001:db8::/32", "example.test"], ["10.0.9.0/24", "secret.example.test"]
)


def a_host(*addresses: str, kind: str = "ipv4") -> Host:
    return Host(state="up", addresses=tuple(Address(address, kind) for address in addresses))


def shard(*slices: TargetSlice, resolved: dict[str, tuple[str, ...]] | None = None, **fields: object) -> Shard:
    return a_shard(slices=slices, run=a_run(resolved=resolved or {}), **fields)


def refusal(asked: Shard, *addresses: str, scope: Scope = SCOPE) -> str:
    return ScopeFilter(asked, scope).find_refusal(a_host(*addresses))


def name(text: str) -> TargetSlice:
    target = parse_target(text)
    assert isinstance(target, Name)
    return TargetSlice(text, 0, target.count)


class TestGate:
    @pytest.mark.parametrize("expression", ["10.0,2.1-3,9.0/30", "10.0.1-2.250-255", "10.0.0.0/26"])
    def test_of_a_target_just_the_addresses_of_the_slice_come_in(self, expression: str) -> None:
        target = parse_target(expression)
        assert not isinstance(target, Name)
        start, stop = target.count // 3, target.count - 2
        asked = set(target.addresses(start, stop))
        gate = ScopeFilter(shard(TargetSlice(expression, start, stop)), SCOPE)
        near = {f"10.{b}.{c}.{d}" for b, c, d in itertools.product((0, 2), range(11), (0, 1, 3, 4, 63, 64, 250, 255))}
        everything = near | set(target.addresses())
        admitted = {address for address in everything if not gate.find_refusal(a_host(address))}
        assert admitted == {address for address in asked if not SCOPE.find_address_refusal(address)}
        assert admitted

    def test_of_an_ipv6_network_just_the_addresses_of_the_slice_come_in(self) -> None:
        asked = shard(TargetSlice("2001:db8::/120", 16, 32), family=6)
        assert not refusal(asked, "2001:db8::10")
        assert not refusal(asked, "2001:db8::1f")
        for outside in ("2001:db8::f", "2001:db8::20", "2001:db8:1::10"):
            assert refusal(asked, outside) == f"{outside} was not asked for"

    def test_an_excluded_address_was_not_asked_for(self) -> None:
        asked = shard(TargetSlice("127.0.0.0/24", 0, 256), exclude=("127.0.0.8/30",))
        assert refusal(asked, "127.0.0.9") == "127.0.0.9 was not asked for"
        assert not refusal(asked, "127.0.0.12")

    def test_what_is_outside_the_scope_is_refused_for_that_even_when_it_was_not_asked_for(self) -> None:
        found = refusal(shard(TargetSlice("127.0.0.1", 0, 1)), "169.254.169.254")
        assert found == "169.254.169.254 is never scanned: link-local: cloud metadata and task credentials"

    def test_a_scope_that_shrank_since_the_launch_counts_as_it_stands_now(self) -> None:
        asked = shard(TargetSlice("10.0.0.0/30", 0, 4))
        assert not refusal(asked, "10.0.0.1")
        assert refusal(asked, "10.0.0.1", scope=Scope.of(["10.0.0.0/16"], ["10.0.0.1"])).endswith("(10.0.0.1)")
        assert "outside AllowedTargets" in refusal(asked, "10.0.0.1", scope=Scope.of([]))

    def test_an_address_that_stood_for_a_name_is_judged_with_the_name(self) -> None:
        asked = shard(name("www.example.test"), resolved={"www.example.test": ("93.184.216.34",)})
        assert not refusal(asked, "93.184.216.34")
        assert "outside AllowedTargets" in refusal(asked, "93.184.216.35")
        assert "outside AllowedTargets" in refusal(asked, "93.184.216.34", scope=Scope.of(["other.test"]))

    def test_a_name_that_was_resolved_but_is_not_the_shards_vouches_for_nothing(self) -> None:
        asked = shard(TargetSlice("127.0.0.1", 0, 1), resolved={"www.example.test": ("93.184.216.34",)})
        assert refusal(asked, "93.184.216.34")

    @pytest.mark.parametrize("address", ["169.254.170.2", "10.1.0.1", "10.0.9.1"])
    def test_a_name_does_not_vouch_for_metadata_private_or_denied_addresses(self, address: str) -> None:
        assert refusal(shard(name("www.example.test"), resolved={"www.example.test": (address,)}), address)

    def test_a_name_that_is_denied_now_takes_its_address_with_it(self) -> None:
        asked = shard(name("secret.example.test"), resolved={"secret.example.test": ("93.184.216.34",)})
        assert refusal(asked, "93.184.216.34") == "secret.example.test is in DeniedTargets (secret.example.test)"

    def test_an_address_asked_by_number_too_does_not_need_its_name(self) -> None:
        asked = shard(
            name("secret.example.test"), TargetSlice("10.0.0.1", 0, 1), resolved={"secret.example.test": ("10.0.0.1",)}
        )
        assert not refusal(asked, "10.0.0.1")

    def test_an_address_asked_by_name_too_needs_no_network(self) -> None:
        asked = shard(
            TargetSlice("93.184.216.34", 0, 1),
            name("www.example.test"),
            resolved={"www.example.test": ("93.184.216.34",)},
        )
        assert not refusal(asked, "93.184.216.34")

    def test_a_mask_around_a_name_is_judged_without_the_name(self) -> None:
        asked = shard(name("www.example.test/30"), resolved={"www.example.test": ("93.184.216.34",)})
        assert "outside AllowedTargets" in refusal(asked, "93.184.216.35")
        inside = shard(name("www.example.test/30"), resolved={"www.example.test": ("10.0.0.2",)})
        assert not refusal(inside, "10.0.0.3")
        assert refusal(inside, "10.0.0.4") == "10.0.0.4 was not asked for"

    def test_every_address_of_a_host_must_pass_and_a_mac_is_none(self) -> None:
        asked = shard(TargetSlice("127.0.0.1", 0, 1))
        assert refusal(asked, "127.0.0.1", "10.0.0.1") == "10.0.0.1 was not asked for"
        both = (Address("127.0.0.1", "ipv4"), Address("00:11:22:33:44:55", "mac"))
        assert not ScopeFilter(asked, SCOPE).find_refusal(Host(state="up", addresses=both))
        assert ScopeFilter(asked, SCOPE).find_refusal(Host(state="up", addresses=both[1:]))

    @pytest.mark.parametrize(
        "address",
        ["", "127.1", "0x7f000001", "127.0.0.01", "127.0.0.1%lo", "127.0.0.1 ", "::ffff:127.0.0.1", "x" * 9999],
    )
    def test_an_address_in_another_spelling_or_none_at_all_stays_out_and_is_told_briefly(self, address: str) -> None:
        found = refusal(shard(TargetSlice("127.0.0.1", 0, 1)), address)
        assert found
        assert len(found) < 2 * MAX_ADDRESS_CHARS

    def test_ipv6_spelled_out_is_the_same_address(self) -> None:
        asked = shard(TargetSlice("2001:db8::1", 0, 1), family=6)
        assert not refusal(asked, "2001:0DB8:0:0:0:0:0:1")
        assert refusal(asked, "2001:db8::1%eth0")

    def test_without_a_run_no_name_has_an_address(self) -> None:
        assert refusal(a_shard(slices=(name("www.example.test"),)), "93.184.216.34")


def test_a_quarantine_names_a_bounded_number_of_addresses_and_counts_all() -> None:
    counter = ReportCounter()
    for number in range(MAX_QUARANTINED_ADDRESSES + 50):
        counter.add_quarantined(a_host(f"10.1.0.{number}"), f"reason {number}")
    counter.add_quarantined(a_host("y" * 9999), "too long")
    assert counter.counts.quarantined == MAX_QUARANTINED_ADDRESSES + 51
    assert len(counter.counts.quarantined_addresses) == MAX_QUARANTINED_ADDRESSES
    assert counter.counts.quarantine_reason == "reason 0"


PORT = '<ports><port protocol="tcp" portid="22"><state state="open" reason="syn-ack"/></port></ports>'


def xml(*addresses: str) -> bytes:
    hosts = "".join(
        f'<host><status state="up"/><address addr="{address}" addrtype="ipv4"/>{PORT}</host>' for address in addresses
    )
    total = f'<runstats><finished time="1" exit="success"/><hosts up="1" down="0" total="{len(addresses)}"/></runstats>'
    return f'<?xml version="1.0"?><nmaprun scanner="nmap">{hosts}{total}</nmaprun>'.encode()


class Bench:
    def __init__(self, folder: Path, report: bytes) -> None:
        asked = a_shard(slices=(TargetSlice("127.0.0.1-2", 0, 2),))
        self.table: MemoryScanTable = a_table(a_scan(), asked)
        claim(self.table)
        self.table.report_shard(SCAN_ID, 0, 1, a_run())
        self.reports, self.bus = MemoryReportStore(), MemoryEventBus()
        (folder / "report.xml").write_bytes(report)
        key = ReportKey(SCAN_ID, 0, 1)
        self.reports.put_report(key, folder / "report.xml", proven(key))

    def deliver(self) -> RecordingOutcome:
        stored = ReportStored(key=str(ReportKey(SCAN_ID, 0, 1)), bucket="reports", size=1, event_id="e")
        return record_findings(
            stored,
            ScanGateways(self.table, MemoryShardQueues(), self.bus, clock),
            scope=SCOPE,
            reports=self.reports,
            results=self.table,
        )


def test_a_host_outside_is_no_finding_and_not_in_the_inventory_and_the_scan_is_partial(tmp_path: Path) -> None:
    bench = Bench(tmp_path, xml("127.0.0.1", "10.0.0.9", "169.254.169.254"))
    recorded = bench.deliver()
    found = {str(finding.attributes["ip_addresses"]) for finding in bench.table.findings(SCAN_ID)}
    assert found == {"['127.0.0.1']"}
    assert set(bench.table.hosts_by_address) == {"127.0.0.1"}
    assert (recorded.hosts, recorded.quarantined) == (1, 2)
    scan, closed = bench.table.scans[SCAN_ID], bench.table.shards_by_key[SCAN_ID, 0]
    assert (scan.outcome, scan.hosts_up, closed.outcome) == (Outcome.PARTIAL, 1, Outcome.PARTIAL)
    assert closed.error_description == (
        "10.0.0.9 was reported and is not recorded: 10.0.0.9 was not asked for (and 1 more)"
    )


def test_a_security_event_names_the_hosts_before_the_findings_are_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, xml("127.0.0.1", "10.0.0.9", "10.0.0.9"))
    bench.deliver()
    assert event_names(bench.bus) == ["HostQuarantined", "FindingsRecorded", "ScanCompleted"]
    event = bench.bus.events[0]
    assert isinstance(event, HostQuarantined)
    assert (event.count, event.addresses, event.reason) == (2, ("10.0.0.9",), "10.0.0.9 was not asked for")
    assert (event.report_key, event.labels) == (str(ReportKey(SCAN_ID, 0, 1)), {"team": "blue"})


def test_the_report_keeps_what_was_kept_out_and_a_repeat_says_it_under_the_same_id(tmp_path: Path) -> None:
    report = xml("10.0.0.9")
    bench, again = Bench(tmp_path, report), Bench(tmp_path, report)
    for it in (bench, again):
        it.deliver()
        assert it.reports.objects[str(ReportKey(SCAN_ID, 0, 1))] == report
    assert bench.bus.events[0].event_id == again.bus.events[0].event_id
    assert bench.bus.events[0].event_id != bench.bus.events[1].event_id
    assert bench.table.scans[SCAN_ID].outcome is Outcome.PARTIAL


def test_a_clean_report_raises_no_security_event(tmp_path: Path) -> None:
    bench = Bench(tmp_path, xml("127.0.0.1", "127.0.0.2"))
    assert bench.deliver().quarantined == 0
    assert event_names(bench.bus) == ["FindingsRecorded", "ScanCompleted"]
