"""docs/findings.md says of each script what the code makes of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from cascan.findings.readers import READERS
from cascan.matching import matches
from tests.data.reports import ODDITIES, SCRIPTS, hosts
from tests.unit.cascan.test_findings import found

DOCUMENT = Path(__file__).parents[3] / "docs" / "findings.md"
NAMED_BY_KIND = {"Vulnerability", "Default Account", "Script Output"}  # of scripts that are not in the table
SEVERITIES = re.compile("INFORMATIONAL|LOW|MEDIUM|HIGH")


class Row(NamedTuple):
    script: str
    finding: str
    category: str
    severity: str


def table() -> list[Row]:
    lines = DOCUMENT.read_text().partition("| Script |")[2].partition("\n\n")[0].splitlines()[2:]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def test_every_reader_has_its_row_and_every_row_its_reader() -> None:
    assert {row.script for row in table()} == READERS.keys()


def test_rows_are_in_order_and_stand_once() -> None:
    keys = [(row.script, row.finding) for row in table()]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("name", ["scripts", *SCRIPTS, *ODDITIES])
def test_what_a_report_gives_is_what_its_row_says(name: str) -> None:
    rows = table()
    for host in hosts(name):
        for finding in found(host):
            script = finding.attributes.get("script")
            if script not in READERS:
                assert script is None or finding.category in NAMED_BY_KIND
                continue
            (row,) = [r for r in rows if r.script == script and matches(r.finding.replace("…", "*"), finding.name)]
            assert finding.category in row.category.replace(" on port 21", "").split(", ")
            assert finding.severity in SEVERITIES.findall(row.severity) or row.finding == "CVE-…"


def test_every_row_but_those_of_services_that_are_not_to_be_had_is_shown_by_a_report() -> None:
    shown = {
        (finding.attributes["script"], finding.name)
        for name in ("scripts", *SCRIPTS, *ODDITIES)
        for host in hosts(name)
        for finding in found(host)
        if "script" in finding.attributes
    }
    never = {row.script for row in table()} - {script for script, _ in shown}
    assert never == {
        "cassandra-info", "couchdb-databases", "dns-recursion", "docker-version", "ftp-bounce", "http-ntlm-info",
        "http-open-proxy", "imap-ntlm-info", "ms-sql-empty-password", "ms-sql-ntlm-info", "nfs-showmount",
        "nntp-ntlm-info", "pop3-ntlm-info", "smb-protocols", "smtp-ntlm-info", "smtp-open-relay", "socks-open-proxy",
        "telnet-ntlm-info",
    }  # fmt: skip  # smb-protocols has reports; its findings have secureCodeBox's attributes, and no `script`
