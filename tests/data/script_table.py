"""scripts/table.csv: for each of nmap's scripts, which findings come of it, or why there is none.

    python -m tests.data.script_table    # writes docs/scripts.md from it

A row is one finding of one script, or one script that has none:

    script, finding     `…` in a finding's name stands for what differs
    category, severity  of the finding; several severities are separated by `|`, and `when` says which it is
    evidence            where a test gets the script's output from: EVIDENCE, or a report of this folder
    none                why there is no finding: NONE
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
    "documentation": "the output that the installed nmap documents, read when the test runs",
    "source": "no report and no documented output shows it: written by hand after the script's source",
}
NONE = {
    "information": "describes a service, a page or a path through the network, and proves nothing wrong with it",
    "no host": "runs before or after the scan; what it writes is about no scanned host",
    "third party": "repeats what a service on the internet says of the address",
    "version": "completes the service and the version of the port",
    "credentials": "does what the scan asked it to do, with credentials that the scan gave",
    "load": "floods its target; it writes nothing, or nothing that is proof",
}
INTRODUCTION = """# nmap's scripts and their findings

Made from [tests/data/scripts/table.csv](../tests/data/scripts/table.csv) by `python -m tests.data.script_table`; do not
edit it here. It has all {scripts} scripts of nmap 7.93: {with_findings} of them give {findings} kinds of findings of
their own. The text of every script, and the structure behind it, is beside its port whether it has a finding or not:
[findings.md](findings.md) says where, and how to add a finding.

`…` in a name stands for what differs. *Shown by* says where a test gets the script's output from: a report that the
real script wrote ([tests/data/scripts](../tests/data/scripts/README.md)), or

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
        """Whether it is the row of a finding with this name."""
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
