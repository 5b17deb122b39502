"""What a script proves by its text: a row of a table, and the reader that all rows share.

Most of nmap's scripts prove one thing, or nothing. Such a script needs no function, only its row: a sign that its
output shows when the thing is proven. The rows are grouped by category, a module each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

HIGH, MEDIUM, LOW, INFORMATIONAL = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFORMATIONAL

ANY = r"\S"  # the script says something only where it found something
NOTHING = re.compile(  # … and these words where it could not look, or looked and found nothing
    r"\s*(?:\[?error\b|fail(?:ed|ure)\b|could ?n[o']t\b|couldn't\b|couln't\b|can ?n[o']t\b|can't\b|unable\b"
    r"|did ?n[o']t\b|not?\b|none\b|nothing\b|false\b|unknown\b|denied\b|access denied\b|warning\b|\[warning)",
    re.IGNORECASE,
)


class Proof(NamedTuple):
    """A finding, and the sign that proves it.

    sign    a regular expression, searched in the output line by line (`^` is the beginning of a line)
    about   tells it from another finding of the same script and category; ids depend on it, so it is not changed
    """

    category: str
    name: str
    severity: Severity
    sign: str = ANY
    cve: str = ""
    about: str = ""

    def is_shown_in(self, run: ScriptRun) -> bool:
        if self.sign == ANY:
            return bool(run.output.strip()) and not NOTHING.match(run.output)
        return re.search(self.sign, run.output, re.MULTILINE) is not None  # compiled when first asked, not on import


Rows = dict[str, Proof | tuple[Proof, ...]]  # by script


def read_proofs(run: ScriptRun, proofs: tuple[Proof, ...]) -> Iterator[Finding]:
    """A finding for each proof that the output shows."""
    for proof in proofs:
        if proof.is_shown_in(run):
            yield run.finding(
                *filter(None, (proof.about,)),
                name=proof.name,
                description=f"{run.where}: {proof.name}, as {run.script.id} shows",
                category=proof.category,
                severity=proof.severity,
                cve=proof.cve or None,
                references=[{"type": "CVE", "value": proof.cve}] if proof.cve else None,
                output=run.output.strip(),
            )
