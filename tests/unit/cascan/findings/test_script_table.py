"""tests/data/scripts/table.csv says of each script what the code makes of it."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import pytest

from cascan.findings.readers import READERS
from cascan.model.finding import Finding
from tests.data.documented import documented, installed
from tests.data.reports import ODDITIES, SCRIPTS, hosts
from tests.data.script_table import DOCUMENT, EVIDENCE, FOLDER, NONE, Row, document, table
from tests.unit.cascan.findings.test_findings import all_findings
from tests.unit.cascan.findings.test_services import read_output

VERSION = "7.93"
NUMBER_OF_SCRIPTS = 604
WRITTEN_BY_HAND = ("oddities/old-scripts", "oddities/written-scripts")
WITH_FINDINGS = [row for row in table() if row.finding]
ROWS_OF = {script: list(rows) for script, rows in groupby(WITH_FINDINGS, key=lambda row: row.script)}


@cache
def findings_of_report(name: str) -> list[Finding]:
    """Findings of the scripts in the report, those of smb-protocols too, which carry no `script`."""
    findings = [finding for host in hosts(name) for finding in all_findings(host)]
    return [finding for finding in findings if script_of(finding)]


def script_of(finding: Finding) -> str:
    return "smb-protocols" if "smb_protocol_version" in finding.attributes else finding.attributes.get("script", "")


@cache
def findings_of_documentation(script: str) -> list[Finding]:
    return [finding for run in documented(script) for finding in read_output(script, run.output, run.data)]


def needs_scripts() -> None:
    if len(installed()) != NUMBER_OF_SCRIPTS:
        pytest.skip(f"the installed nmap is not {VERSION}: it has {len(installed())} scripts")


def test_the_table_has_each_script_of_nmap_and_no_other() -> None:
    needs_scripts()
    assert sorted({row.script for row in table()}) == sorted(installed())


def test_rows_are_in_order_and_unique() -> None:
    keys = [row[:3] for row in table()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("row", table(), ids=lambda row: f"{row.script} {row.finding or row.none}")
def test_a_row_is_a_finding_with_evidence_or_says_why_there_is_none(row: Row) -> None:
    if row.finding:
        assert row.category
        assert set(row.severities) <= {"INFORMATIONAL", "LOW", "MEDIUM", "HIGH"}
        assert row.evidence in EVIDENCE or (FOLDER / row.evidence).exists()
        assert not row.none
    else:
        assert row.none in NONE
        assert row[2:6] == ("", "", "", "")


def test_a_script_has_findings_or_none() -> None:
    assert not {row.script for row in WITH_FINDINGS} & {row.script for row in table() if row.none}


def test_every_reader_has_its_row() -> None:
    assert READERS.keys() <= {row.script for row in WITH_FINDINGS}


def test_the_document_is_made_from_the_table() -> None:
    assert DOCUMENT.read_text().strip() == document().strip(), "run: python -m tests.data.script_table"


@pytest.mark.parametrize("name", ["scripts", *SCRIPTS, *ODDITIES])
def test_what_a_report_gives_is_what_its_row_says(name: str) -> None:
    for finding in findings_of_report(name):
        assert row_of(finding) or finding.category == "Script Output" or is_unknown(finding), finding


def is_unknown(finding: Finding) -> bool:
    return script_of(finding) not in {row.script for row in table()}


def row_of(finding: Finding) -> Row | None:
    for row in ROWS_OF.get(script_of(finding), ()):
        if row.describes(finding.name) and row.category == finding.category and finding.severity in row.severities:
            return row
    return None


@pytest.mark.parametrize("row", WITH_FINDINGS, ids=lambda row: f"{row.script} {row.finding}")
def test_its_evidence_gives_the_finding_that_the_row_says(row: Row) -> None:
    if row.evidence == "documentation":
        needs_scripts()
        findings = findings_of_documentation(row.script)
    else:
        names = WRITTEN_BY_HAND if row.evidence == "source" else (f"scripts/{row.evidence[:-4]}",)
        findings = [finding for name in names for finding in findings_of_report(name)]
    assert row in [row_of(finding) for finding in findings]


def test_what_nmap_documents_gives_what_the_rows_say() -> None:
    """Whatever evidence a row names: no documented output gives a finding that the table does not have."""
    needs_scripts()
    findings = [finding for script in installed() for finding in findings_of_documentation(script)]
    assert [finding for finding in findings if not row_of(finding)] == []
