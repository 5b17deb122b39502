"""ScanTable's contract: findings and the inventory. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from cascan.gateways import ScanTable
from cascan.ids import ReportKey, scan_id_of
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.inventory import PortRecord, Sighting
from tests.integration.gateways.examples import AT, SCAN_ID, a_finding, a_scan, a_shard, a_sighting

ADDRESS = a_sighting().address


class TestFindings:
    @pytest.mark.parametrize("length", [0, 10_000, 200_000], ids=["plain", "long", "as long as may be"])
    def test_a_finding_is_read_as_it_was_stored(self, table: ScanTable, length: int) -> None:
        finding = a_finding(description="a long ünkind banner " * (length // 20))
        table.put_findings(SCAN_ID, [finding])
        assert list(table.findings(SCAN_ID)) == [finding]

    def test_findings_are_read_in_order_of_their_id_and_of_their_scan_alone(self, table: ScanTable) -> None:
        findings = [a_finding(number) for number in range(60)]
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.put_findings(SCAN_ID, iter(findings))
        table.put_findings(scan_id_of("another"), [a_finding(99)])
        assert list(table.findings(SCAN_ID)) == sorted(findings, key=lambda finding: finding.id)

    def test_findings_put_twice_are_there_once_as_they_were_put_last(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_finding(0), a_finding(1)])
        table.put_findings(SCAN_ID, [a_finding(0, name="first"), a_finding(0, name="second")])
        assert sorted(finding.name for finding in table.findings(SCAN_ID)) == ["second", "ssh"]

    def test_a_finding_too_large_for_the_table_is_cut_and_names_the_report_that_has_all_of_it(
        self, table: ScanTable
    ) -> None:
        noise = random.Random(1).randbytes(600_000).hex()  # noqa: S311  # the same noise in every run
        scripts = {"scripts": {"banner": noise}, "scripts_data": {"banner": [noise]}, "cpe": [noise] * 200}
        table.put_findings(SCAN_ID, [a_finding(attributes={"port": 22} | scripts)], ReportKey(SCAN_ID, 3, 2))
        (stored,) = table.findings(SCAN_ID)
        assert (stored.id, stored.name, stored.attributes["port"]) == (a_finding().id, a_finding().name, 22)
        assert stored.attributes["scripts"]["banner"] == noise[:2_000]
        assert stored.attributes["cut"]["report"] == f"reports/{SCAN_ID}/000003/2.xml"
        assert "scripts_data" not in stored.attributes

    def test_what_packs_well_is_cut_all_the_same_since_a_reader_has_to_unpack_it(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_finding(attributes={"scripts": {"banner": "a" * MAX_FINDING_BYTES}})])
        (stored,) = table.findings(SCAN_ID)
        assert len(stored.attributes["scripts"]["banner"]) == 2_000

    @pytest.mark.parametrize("probes", [0, 9_999, 10_000, 10_000_000], ids="{:,} probes".format)
    def test_findings_of_a_scan_of_any_size_are_read_in_order_of_their_id(self, table: ScanTable, probes: int) -> None:
        findings = [a_finding(number) for number in range(300)]
        table.create_scan(a_scan(probes=probes))
        table.put_findings(SCAN_ID, findings)
        assert list(table.findings(SCAN_ID)) == sorted(findings, key=lambda finding: finding.id)

    def test_a_scan_without_findings_has_none(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [])
        assert list(table.findings(SCAN_ID)) == []


class TestInventory:
    def test_a_port_is_read_as_it_was_seen(self, table: ScanTable) -> None:
        table.record_sightings([a_sighting()])
        assert list(table.ports(ADDRESS)) == [PortRecord(latest=a_sighting(), first_seen=AT)]

    def test_ports_are_read_in_order_of_protocol_and_number_and_of_their_address_alone(self, table: ScanTable) -> None:
        ports = [("udp", 53), ("tcp", 443), ("tcp", 22), ("tcp", 8443), ("sctp", 0)]
        table.record_sightings(a_sighting(protocol=protocol, port=port) for protocol, port in ports)
        table.record_sightings([a_sighting(address="10.0.0.55"), a_sighting(address="2001:db8::1")])
        assert [(p.latest.protocol, p.latest.port) for p in table.ports(ADDRESS)] == sorted(ports)
        assert [p.latest.address for p in table.ports("2001:db8::1")] == ["2001:db8::1"]

    def test_an_address_nobody_saw_has_no_ports(self, table: ScanTable) -> None:
        table.record_sightings([])
        assert list(table.ports(ADDRESS)) == []

    def test_a_newer_sighting_replaces_an_older_one_and_keeps_when_the_first_was(self, table: ScanTable) -> None:
        table.record_sightings([a_sighting(0)])
        table.record_sightings([a_sighting(1, state="closed")])
        assert _port(table) == PortRecord(latest=a_sighting(1, state="closed"), first_seen=AT)

    def test_a_late_sighting_replaces_nothing_but_may_be_the_first(self, table: ScanTable) -> None:
        table.record_sightings([a_sighting(1)])
        table.record_sightings([a_sighting(0, state="closed")])
        assert _port(table) == PortRecord(latest=a_sighting(1), first_seen=AT)

    def test_of_one_instant_the_sightings_of_two_scans_leave_the_same_in_any_order(self, table: ScanTable) -> None:
        one, two = (a_sighting(scan_id=scan_id_of(key), state=key) for key in ("open", "closed"))
        for address, order in (("10.0.0.1", (one, two)), ("10.0.0.2", (two, one))):
            for seen in order:
                table.record_sightings([_at(seen, address)])
        assert [p.latest.state for p in table.ports("10.0.0.1")] == [p.latest.state for p in table.ports("10.0.0.2")]

    def test_a_scan_that_sees_a_port_twice_in_one_instant_keeps_the_first_sighting(self, table: ScanTable) -> None:
        table.record_sightings([a_sighting(0)])
        table.record_sightings([a_sighting(0, state="closed")])
        assert _port(table) == PortRecord(latest=a_sighting(0), first_seen=AT)

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    @pytest.mark.parametrize("together", [True, False], ids=["in one call", "one by one"])
    def test_sightings_in_any_order_leave_the_same(
        self, table: ScanTable, order: tuple[int, ...], together: bool
    ) -> None:
        sightings = [a_sighting(minute) for minute in order]
        for call in [sightings] if together else [[seen] for seen in sightings]:
            table.record_sightings(call)
        assert _port(table) == PortRecord(latest=a_sighting(2), first_seen=AT)

    def test_sightings_of_many_ports_repeated_and_shuffled_leave_the_same(self, table: ScanTable) -> None:
        sightings = [a_sighting(minute, port=port) for minute in (0, 1, 2) for port in range(1, 121)]
        shuffled = sightings * 2
        random.Random(1).shuffle(shuffled)  # noqa: S311  # the same order in every run
        table.record_sightings(shuffled)
        expected = [PortRecord(latest=a_sighting(2, port=port), first_seen=AT) for port in range(1, 121)]
        assert list(table.ports(ADDRESS)) == expected


def _port(table: ScanTable) -> PortRecord:
    (record,) = table.ports(ADDRESS)
    return record


def _at(seen: Sighting, address: str) -> Sighting:
    return a_sighting(address=address, scan_id=seen.scan_id, state=seen.state)
