"""ScanTable's contract: findings. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

import random
from typing import Any

import pytest

from cascan.findings.encoded.lines import line_of
from cascan.gateways import ScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.finding import Finding, FindingLine, HostFindings
from tests.integration.gateways.examples import SCAN_ID, a_finding, a_scan, a_shard

FIRST, SECOND = ReportKey(SCAN_ID, 3, 1), ReportKey(SCAN_ID, 3, 2)  # two attempts at a shard


def a_host(*findings: Finding | FindingLine, address: str = "10.0.0.5", place: int = 0) -> HostFindings:
    return HostFindings(address, iter(findings), place)


def noise(size: int) -> str:
    return random.Random(1).randbytes(size).hex()  # noqa: S311  # the same noise in every run


class TestFindings:
    @pytest.mark.parametrize("length", [0, 10_000, 200_000], ids=["plain", "long", "as long as may be"])
    def test_a_finding_is_read_as_it_was_stored(self, table: ScanTable, length: int) -> None:
        finding = a_finding(description="a long ünkind banner " * (length // 20))
        table.put_findings(SCAN_ID, [a_host(finding)])
        assert list(table.findings(SCAN_ID)) == [finding]

    @pytest.mark.parametrize("chars", [5, 2 * MAX_FINDING_BYTES], ids=["plain", "too large"])
    def test_a_finding_line_is_stored_as_its_finding(self, table: ScanTable, chars: int) -> None:
        finding = a_finding(attributes={"scripts": {"banner": "ü" * chars}})
        table.put_findings(SCAN_ID, [a_host(finding)])
        table.put_findings(derive_scan_id("another"), [a_host(line_of(finding))])
        (stored,) = table.findings(SCAN_ID)
        assert list(table.findings(derive_scan_id("another"))) == [stored]

    @pytest.mark.parametrize("probes", [0, 9_999, 10_000, 10_000_000], ids="{:,} probes".format)
    def test_findings_are_read_in_order_of_address_and_of_their_scan_alone(self, table: ScanTable, probes: int) -> None:
        addresses = ["9.9.9.9", *(f"10.0.{n}.7" for n in range(40)), "2001:db8::1", "2001:db8::1:0", "", "no/address"]
        hosts = [(address, [a_finding(3 * n + k) for k in range(3)]) for n, address in enumerate(addresses)]
        table.create_scan(a_scan(probes=probes))
        table.add_shards([a_shard()])
        shuffled = random.Random(7).sample(hosts, len(hosts))  # noqa: S311
        table.put_findings(SCAN_ID, (a_host(*findings, address=address) for address, findings in shuffled))
        table.put_findings(derive_scan_id("another"), [a_host(a_finding(999))])
        assert list(table.findings(SCAN_ID)) == [finding for _, findings in hosts for finding in findings]
        by_host = [(address, list(findings)) for address, findings in table.findings_by_host(SCAN_ID)]
        assert by_host == [("" if address == "no/address" else address, findings) for address, findings in hosts]

    def test_a_report_recorded_twice_has_its_findings_once_as_they_were_put_last(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_host(a_finding(0), a_finding(1))], FIRST)
        table.put_findings(SCAN_ID, [a_host(a_finding(0, name="again"), a_finding(1))], FIRST)
        assert [finding.name for finding in table.findings(SCAN_ID)] == ["again", "ssh"]

    def test_of_two_attempts_the_later_decides_in_whatever_order_they_were_put(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_host(a_finding(0, name="late"), a_finding(2))], SECOND)
        table.put_findings(SCAN_ID, [a_host(a_finding(0, name="early"), a_finding(1))], FIRST)
        assert list(table.findings(SCAN_ID)) == [a_finding(1), a_finding(0, name="late"), a_finding(2)]

    def test_two_elements_of_one_address_are_both_read(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_host(a_finding(1), place=200), a_host(a_finding(0), place=7)], FIRST)
        assert list(table.findings(SCAN_ID)) == [a_finding(0), a_finding(1)]

    def test_a_host_with_more_findings_than_an_item_holds_is_read_whole_and_in_order(self, table: ScanTable) -> None:
        findings = [a_finding(n, description=noise(20_000)) for n in range(30)]
        for _ in range(2):
            table.put_findings(SCAN_ID, [a_host(*findings), a_host(a_finding(99), address="10.0.0.6")], FIRST)
        assert list(table.findings(SCAN_ID)) == [*findings, a_finding(99)]

    def test_pages_that_an_earlier_delivery_left_behind_do_not_count_again(self, table: ScanTable) -> None:
        long: dict[str, Any] = {"description": noise(60_000)}
        table.put_findings(SCAN_ID, [a_host(*(a_finding(n, **long) for n in range(6)))], FIRST)
        table.put_findings(SCAN_ID, [a_host(*(a_finding(n) for n in range(6)))], FIRST)  # a rule dropped the text
        assert list(table.findings(SCAN_ID)) == [a_finding(n) for n in range(6)]

    def test_a_finding_too_large_for_the_table_is_cut_and_names_the_report_that_has_all_of_it(
        self, table: ScanTable
    ) -> None:
        text = noise(600_000)
        scripts = {"scripts": {"banner": text}, "scripts_data": {"banner": [text]}, "cpe": [text] * 200}
        table.put_findings(SCAN_ID, [a_host(a_finding(attributes={"port": 22} | scripts))], SECOND)
        (stored,) = table.findings(SCAN_ID)
        assert (stored.id, stored.name, stored.attributes["port"]) == (a_finding().id, a_finding().name, 22)
        assert stored.attributes["scripts"]["banner"] == text[:2_000]
        assert stored.attributes["cut"]["report"] == f"reports/{SCAN_ID}/000003/2.xml"
        assert "scripts_data" not in stored.attributes

    def test_what_packs_well_is_cut_all_the_same_since_a_reader_has_to_unpack_it(self, table: ScanTable) -> None:
        finding = a_finding(attributes={"scripts": {"banner": "a" * MAX_FINDING_BYTES}})
        table.put_findings(SCAN_ID, [a_host(finding)])
        (stored,) = table.findings(SCAN_ID)
        assert len(stored.attributes["scripts"]["banner"]) == 2_000

    def test_a_scan_without_findings_has_none(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [])
        table.put_findings(SCAN_ID, [a_host()])
        assert list(table.findings(SCAN_ID)) == []


class TestReplacing:
    @pytest.mark.parametrize("probes", [0, 10_000_000], ids="{:,} probes".format)
    def test_what_is_not_put_again_is_removed_and_other_scans_keep_theirs(self, table: ScanTable, probes: int) -> None:
        table.create_scan(a_scan(probes=probes))
        another = derive_scan_id("another")
        for scan_id in (SCAN_ID, another):
            hosts = [a_host(a_finding(n), address=f"10.0.{n}.5") for n in range(40)]
            table.put_findings(scan_id, [*hosts, a_host(a_finding(98), a_finding(99), place=7)], FIRST)

        replacement = table.replace_findings(SCAN_ID)
        replacement.put([a_host(a_finding(0, name="anew"), address="10.0.0.5"), a_host(a_finding(98), place=3)], FIRST)
        assert len(list(table.findings(SCAN_ID))) == 42  # all of them, until the others are removed
        replacement.remove_others()

        assert list(table.findings(SCAN_ID)) == [a_finding(0, name="anew"), a_finding(98)]
        assert len(list(table.findings(another))) == 42

    def test_a_replacement_without_findings_removes_all(self, table: ScanTable) -> None:
        table.put_findings(SCAN_ID, [a_host(a_finding(0))], FIRST)
        table.replace_findings(SCAN_ID).remove_others()
        assert list(table.findings(SCAN_ID)) == []
