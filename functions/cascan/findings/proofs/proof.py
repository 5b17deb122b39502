"""Proof: the row of a script whose output proves one thing, and the reader that all rows share.

A row has a sign: a regular expression that matches the output when the thing is proven. The tables
of rows are the other modules of this package, one for each category.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cascan.findings.script_run import ScriptRun
from cascan.model.finding import Finding, Severity

HIGH, MEDIUM, LOW, INFORMATIONAL = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFORMATIONAL

ANY = r"\S"  # the sign of a script that has output only if it found something
FAILURE = re.compile(  # … unless its output begins like this: the script failed, or found nothing
    r"\s*(?:\[?error\b|fail(?:ed|ure)\b|could ?n[o']t\b|couldn't\b|couln't\b|can ?n[o']t\b|can't\b|unable\b"
    r"|did ?n[o']t\b|not?\b|none\b|nothing\b|false\b|unknown\b|denied\b|access denied\b|warning\b|\[warning)",
    re.IGNORECASE,
)


class Proof(NamedTuple):
    """A finding, and the sign that proves it.

    sign    a regular expression, searched in the output; `^` matches at the beginning of every line
    about   distinguishes it from another finding of the same script and category; ids depend on it, so never change it
    """

    category: str
    name: str
    severity: Severity
    sign: str = ANY
    cve: str = ""
    about: str = ""

    def is_proven_by(self, run: ScriptRun) -> bool:
        if self.sign == ANY:
            return bool(run.output.strip()) and not FAILURE.match(run.output)
        return re.search(self.sign, run.output, re.MULTILINE) is not None  # compiled on first use, not on import


Rows = dict[str, Proof | tuple[Proof, ...]]  # by script


def read_proofs(run: ScriptRun, proofs: tuple[Proof, ...]) -> Iterator[Finding]:
    """A finding for each proof whose sign is in the output."""
    for proof in proofs:
        if proof.is_proven_by(run):
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
