"""Findings of vulnerabilities: of vulners, and of every script that reports through nmap's vulns library.

Each vulnerability is a finding of its own. Its severity is its CVSS score's: from 7 on HIGH, from 4 on MEDIUM, else
LOW; without a score the script's risk factor; without that HIGH where it was exploited, and MEDIUM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cascan.findings.script_run import ScriptRun, rows, table, tables, text, texts
from cascan.model.finding import Finding, Severity

CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
SCORE = re.compile(r"\d{1,2}(\.\d+)?")
# The library's text: a title, then its lines, deeper. No part of it can match in two ways.
ENTRY = re.compile(r"^[ \t]*(?P<title>\S[^\n]*)\n[ \t]+State: (?P<state>[^\n]+)", re.MULTILINE)
IDS = re.compile(r"^[ \t]+IDs:[ \t]+([^\n]+)", re.MULTILINE)
RISK = re.compile(r"^[ \t]+Risk factor: (\w+)(?:[ \t]+CVSS\w*: (\d{1,2}(?:\.\d+)?))?", re.MULTILINE)
VULNERS_LINE = re.compile(r"^[ \t]*(CVE-\d{4}-\d{4,7})[ \t]+(\d{1,2}(?:\.\d+)?)", re.MULTILINE)
RISKS = {"high": Severity.HIGH, "critical": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}
HIGH_SCORE, MEDIUM_SCORE = 7.0, 4.0  # CVSS's own bounds


def severity_of_score(score: float) -> Severity:
    if score >= HIGH_SCORE:
        return Severity.HIGH
    return Severity.MEDIUM if score >= MEDIUM_SCORE else Severity.LOW


def reports_vulnerabilities(run: ScriptRun) -> bool:
    """Whether a script that has no reader speaks through the vulns library: by its structure, or by its text."""
    first = next(iter(run.data.values()), None)
    if isinstance(first, dict):
        return isinstance(first.get("title"), str) and isinstance(first.get("state"), str)
    return not run.data and run.output.lstrip().startswith("VULNERABLE:")


def vulns_library(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each entry that is vulnerable, or likely is."""
    blocks = _blocks(run.output)
    entries = [entry for _, entry in tables(run.script.data) if text(entry, "title")]
    for entry in entries or [_read_block(title, block) for title, block in blocks.items()]:
        state = text(entry, "state")
        if "VULNERABLE" in state and not state.startswith("NOT"):
            yield _entry_finding(run, entry, blocks.get(text(entry, "title"), ""))


def vulners(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each CVE, by the highest score that it has. The database knows the version, nobody tried."""
    worst: dict[str, tuple[float, str]] = {}
    for cve, score, software in _known(run):
        worst[cve] = max(worst.get(cve, (0.0, "")), (score, software))
    for cve, (score, software) in worst.items():
        yield run.finding(
            cve,
            name=cve,
            description=f"{run.where}: {software or 'its version'} is listed as affected by {cve}; nobody tried",
            category="Vulnerability",
            severity=severity_of_score(score),
            cve=cve,
            cvss=score,
            software=software or None,
            references=_references([cve], [f"https://vulners.com/cve/{cve}"]),
        )


def _known(run: ScriptRun) -> Iterator[tuple[str, float, str]]:
    """CVE, score, and what is affected: a cpe, or product and version."""
    for software, entries in run.data.items():
        for row in rows(entries):
            if CVE.fullmatch(text(row, "id")):
                yield text(row, "id"), _score(text(row, "cvss")) or 0.0, software
    if not run.data:
        for cve, score in VULNERS_LINE.findall(run.output):
            yield cve, float(score), ""


def _entry_finding(run: ScriptRun, entry: dict[str, Any], block: str) -> Finding:
    title, ids = text(entry, "title"), sorted(texts(entry, "ids"))
    cves = [found for found in (identifier.partition(":")[2] for identifier in ids) if CVE.fullmatch(found)]
    scores = [score for score in map(_score, table(entry, "scores").values()) if score is not None]
    severity, score = _judgement(scores, text(entry, "state"), block)
    summary = " ".join(" ".join(texts(entry, "description")).split())
    return run.finding(
        *(cves or [title]),
        name=title,
        description=f"{run.where} is {text(entry, 'state').lower()}: {summary or title}",
        category="Vulnerability",
        severity=severity,
        vulnerability_state=text(entry, "state"),
        cve=cves[0] if cves else None,
        cvss=score,
        ids=ids or None,
        disclosure=text(entry, "disclosure") or None,
        evidence=texts(entry, "check_results") + texts(entry, "exploit_results") + texts(entry, "extra_info") or None,
        references=_references(cves, sorted(texts(entry, "refs"))),
    )


def _judgement(scores: list[float], state: str, block: str) -> tuple[Severity, float | None]:
    """By score, by risk factor (which only the text has), by state."""
    risk = RISK.search(block)
    if not scores and risk and risk[2]:
        scores = [float(risk[2])]
    if scores:
        return severity_of_score(max(scores)), max(scores)
    if risk and risk[1].lower() in RISKS:
        return RISKS[risk[1].lower()], None
    return (Severity.HIGH if "Exploitable" in state else Severity.MEDIUM), None


def _blocks(output: str) -> dict[str, str]:
    """Title → the text from there to the next title."""
    found = list(ENTRY.finditer(output))
    bounds = [*(entry.start() for entry in found), len(output)]
    return {entry["title"].strip(): output[slice(*bounds[i : i + 2])] for i, entry in enumerate(found)}


def _read_block(title: str, block: str) -> dict[str, Any]:
    """What an old nmap says in text alone."""
    entry, ids = ENTRY.search(block), IDS.search(block)
    return {"title": title, "state": entry["state"] if entry else "", "ids": ids[1].split() if ids else []}


def _score(written: Any) -> float | None:
    """`9.3 (HIGH) (AV:N…)` → 9.3."""
    match = SCORE.match(written) if isinstance(written, str) else None
    return float(match[0]) if match else None


def _references(cves: list[str], urls: list[str]) -> list[dict[str, str]]:
    return [{"type": "CVE", "value": cve} for cve in cves] + [{"type": "URL", "value": url} for url in urls]
