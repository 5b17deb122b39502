"""scripts/table.csv: the findings of each of nmap's scripts, or the reason why it has none.

    python -m tests.data.script_table    # writes docs/scripts.md from the table

A row is one finding of a script, or a script without findings:

    script, finding     `…` in the name of a finding is the part that varies
    category, severity  of the finding; several severities are separated by `|`, and `when` says which one applies
    evidence            where a test gets the script's output from: a key of EVIDENCE, or a report in scripts/
    none                the reason why there is no finding: a key of NONE
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from cascan.rules.matching import matches

FOLDER = Path(__file__).parent / "scripts"
TABLE = FOLDER / "table.csv"
DOCUMENT = Path(__file__).parents[2] / "docs" / "scripts.md"

EVIDENCE = {
    "documentation": "the output that the script's own file documents, read from the installed nmap when the test runs",
    "source": "an output that is written by hand after the script's source, as no report and no documentation shows it",
}
NONE = {
    "information": "describes a service, a page or a path through the network, and proves no weakness",
    "no host": "runs before or after the scan, and its output is not about a scanned host",
    "third party": "repeats what a service on the internet says about the address",
    "version": "completes the service and the version of the port",
    "credentials": "does what the request asks for, with credentials from the request",
    "load": "floods its target, and its output proves nothing",
}
INTRODUCTION = """# nmap's scripts and their findings

`python -m tests.data.script_table` makes this page from
[tests/data/scripts/table.csv](../tests/data/scripts/table.csv); do not edit it here. It has all {scripts} scripts of
nmap 7.93. {with_findings} of them have {findings} kinds of findings of their own. The output of every script is also in
the finding of its port: see [findings.md](findings.md).
[CONTRIBUTING.md](../CONTRIBUTING.md#add-the-finding-of-a-script) shows how to add a finding.

`…` in a name is the part that varies. *Shown by* says where a test gets the script's output from: a report of the real
script ([tests/data/scripts](../tests/data/scripts/README.md)), or

{evidence}

## Scripts with findings of their own

| Script | Finding | Category | Severity | Shown by |
|---|---|---|---|---|
"""


class Row(NamedTuple):
    script: str
    finding: str
    category: str
    severity: str
    when: str
    evidence: str
    none: str

    @property
    def severities(self) -> list[str]:
        return self.severity.split("|")

    def describes(self, name: str) -> bool:
        """Whether this is the row of a finding with that name."""
        return bool(self.finding) and matches(self.finding.replace("…", "*"), name)


def table() -> list[Row]:
    with TABLE.open(newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def document() -> str:
    """docs/scripts.md."""
    rows = table()
    findings = [row for row in rows if row.finding]
    introduction = INTRODUCTION.format(
        scripts=len({row.script for row in rows}),
        with_findings=len({row.script for row in findings}),
        findings=len({row.finding for row in findings}),
        evidence="\n".join(f"- **{name}**: {meaning}" for name, meaning in EVIDENCE.items() if _used(rows, name)),
    )
    lines = [f"| {r.script} | {r.finding} | {r.category} | {_severity(r)} | {r.evidence} |\n" for r in findings]
    return f"{introduction}{''.join(lines)}\n## Scripts without\n\n{''.join(_without(rows))}"


def _used(rows: list[Row], evidence: str) -> bool:
    return any(row.evidence == evidence for row in rows)


def _severity(row: Row) -> str:
    return row.when or " or ".join(row.severities)


def _without(rows: list[Row]) -> Iterator[str]:
    without = sorted((list(NONE).index(row.none), row.script) for row in rows if row.none)
    for number, scripts in groupby(without, key=lambda entry: entry[0]):
        name, meaning = list(NONE.items())[number]
        yield f"**{name}**: {meaning}.\n{', '.join(script for _, script in scripts)}\n\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document().rstrip("\n") + "\n")
