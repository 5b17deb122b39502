"""ScanTable's contract: findings. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

import random

import pytest

from cascan.findings.encoded.lines import line_of
from cascan.gateways import ScanTable
from cascan.ids import ReportKey, derive_scan_id
from cascan.limits import MAX_FINDING_BYTES
from tests.integration.gateways.examples import SCAN_ID, a_finding, a_scan, a_shard


class TestFindings:
    @pytest.mark.parametrize("length", [0, 10_000, 200_000], ids=["plain", "long", "as long as may be"])
    def test_a_finding_is_read_as_it_was_stored(self, table: ScanTable, length: int) -> None:
        finding = a_finding(description="a long ünkind banner " * (length // 20))
        table.put_findings(SCAN_ID, [finding])
        assert list(table.findings(SCAN_ID)) == [finding]

    @pytest.mark.parametrize("chars", [5, 2 * MAX_FINDING_BYTES], ids=["plain", "too large"])
    def test_a_finding_line_is_stored_as_its_finding(self, table: ScanTable, chars: int) -> None:
        finding = a_finding(attributes={"scripts": {"banner": "ü" * chars}})
        table.put_findings(SCAN_ID, [finding])
        table.put_findings(derive_scan_id("another"), [line_of(finding)])
        (stored,) = table.findings(SCAN_ID)
        assert list(table.findings(derive_scan_id("another"))) == [stored]

    def test_findings_are_read_in_order_of_their_id_and_of_their_scan_alone(self, table: ScanTable) -> None:
        findings = [a_finding(number) for number in range(60)]
        table.create_scan(a_scan())
        table.add_shards([a_shard()])
        table.put_findings(SCAN_ID, iter(findings))
        table.put_findings(derive_scan_id("another"), [a_finding(99)])
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
