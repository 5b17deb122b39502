"""Findings of vulnerabilities: of vulners, and of every script that reports through nmap's vulns library.

Each vulnerability is a finding of its own. Its severity is its CVSS score's: from 7 on HIGH, from 4 on MEDIUM, else
LOW; without a score the script's risk factor; without that HIGH where it was exploited, and MEDIUM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_table, get_text, get_texts, iter_rows
from cascan.model.finding import Finding, Severity

CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
SCORE = re.compile(r"\d{1,2}(\.\d+)?")
# The library's text: a title, then its lines, deeper. No part of it can match in two ways.
ENTRY = re.compile(r"^[ \t]*(?P<title>\S[^\n]*)\n[ \t]+State: (?P<state>[^\n]+)", re.MULTILINE)
IDS = re.compile(r"^[ \t]+IDs:[ \t]+([^\n]+)", re.MULTILINE)
RISK = re.compile(r"^[ \t]+Risk factor: (\w+)(?:[ \t]+CVSS\w*: (\d{1,2}(?:\.\d+)?))?", re.MULTILINE)
STATE = re.compile(r"(?:LIKELY |NOT )?VULNERABLE|UNKNOWN")  # as the states of the vulns library begin
VULNERABLE_STATE = re.compile(r"^[ \t]+State: (?:LIKELY )?VULNERABLE", re.MULTILINE)
VULNERS_ID = re.compile(r"[\w:.+-]{1,120}")  # CVE-2019-0001, EDB-ID:1234, MSF:EXPLOIT-…, PACKETSTORM:…
VULNERS_KIND = re.compile(r"\w{1,40}")
VULNERS_LINE = re.compile(  # id, score, link, and a mark for an exploit; an old vulners writes CVE and score alone
    r"^[ \t]*(?P<id>CVE-\d{4}-\d{4,7}(?=[ \t]+(?:\d|https:))|[\w:.+-]{1,120}(?=[ \t]+[\d.]*[ \t]*https://vulners\.com/))"
    r"(?:[ \t]+(?P<score>\d{1,2}(?:\.\d+)?))?"
    r"(?:[ \t]+https://vulners\.com/(?P<kind>\w{1,40})/\S+(?P<exploit>[ \t]+\*EXPLOIT\*)?)?",
    re.MULTILINE,
)
RISKS = {"high": Severity.HIGH, "critical": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}
HIGH_SCORE, MEDIUM_SCORE = 7.0, 4.0  # CVSS's own bounds


def to_severity(score: float) -> Severity:
    if score >= HIGH_SCORE:
        return Severity.HIGH
    return Severity.MEDIUM if score >= MEDIUM_SCORE else Severity.LOW


def has_vulnerabilities(run: ScriptRun) -> bool:
    """Whether the script reports through the vulns library: anywhere in its structure, or in its text alone."""
    if next(_entries(run.script.data), None):
        return True
    return not run.script.data and VULNERABLE_STATE.search(run.output) is not None


def vulns_library(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each entry that is vulnerable, or likely is."""
    blocks = _blocks(run.output)
    entries = list(_entries(run.script.data)) or [_read_block(title, block) for title, block in blocks.items()]
    for entry in entries:
        state = get_text(entry, "state")
        if "VULNERABLE" in state and not state.startswith("NOT"):
            yield _entry_finding(run, entry, blocks.get(get_text(entry, "title"), ""))


def _entries(data: Any) -> Iterator[dict[str, Any]]:
    """The entries of the vulns library, wherever they are: under their ids, under a key of the script's, in a list.

    The reader of reports bounds how deep the structure of a script can be (MAX_XML_DEPTH).
    """
    if isinstance(data, list):
        for element in data:
            yield from _entries(element)
    elif isinstance(data, dict):
        if get_text(data, "title") and STATE.match(get_text(data, "state")):
            yield data
        else:
            for element in data.values():
                yield from _entries(element)


class Listed(NamedTuple):
    """One entry of vulners' database: a vulnerability, an exploit of one, or an advisory about one."""

    id: str
    score: float
    kind: str  # vulners' own word: cve, exploitdb, metasploit, packetstorm …; empty: a text does not say
    is_exploit: bool
    software: str  # a cpe, or product and version; empty: a text does not say


def vulners(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each entry, by the highest score that it has. The database knows the version, nobody tried."""
    worst: dict[str, Listed] = {}
    for entry in _listed(run):
        known = worst.get(entry.id)
        if known is None or (entry.score, entry.software) > (known.score, known.software):
            worst[entry.id] = entry
    yield from (_listed_finding(run, entry) for entry in worst.values())


def _listed_finding(run: ScriptRun, entry: Listed) -> Finding:
    cves = [entry.id] if CVE.fullmatch(entry.id) else []
    software, is_unscored_exploit = entry.software or "its version", entry.is_exploit and not entry.score
    what = f"an exploit is known for {software}" if entry.is_exploit else f"{software} is listed as affected"
    return run.finding(
        entry.id,
        name=f"Exploit: {entry.id}" if entry.is_exploit else entry.id,
        description=f"{run.where}: {what} ({entry.id}); nobody tried",
        category="Vulnerability",
        severity=Severity.MEDIUM if is_unscored_exploit else to_severity(entry.score),
        cve=entry.id if cves else None,
        cvss=None if is_unscored_exploit else entry.score,
        exploit=entry.is_exploit or None,
        software=entry.software or None,
        references=_references(cves, [f"https://vulners.com/{entry.kind or 'cve'}/{entry.id}"]),
    )


def _listed(run: ScriptRun) -> Iterator[Listed]:
    for software, entries in run.data.items():
        for row in iter_rows(entries):
            if VULNERS_ID.fullmatch(get_text(row, "id")):
                score, kind = _score(get_text(row, "cvss")) or 0.0, get_text(row, "type")
                kind = kind if VULNERS_KIND.fullmatch(kind) else ""
                yield Listed(get_text(row, "id"), score, kind, get_text(row, "is_exploit") == "true", software)
    if not run.data:
        for match in VULNERS_LINE.finditer(run.output):
            is_exploit = match["exploit"] is not None
            yield Listed(match["id"], _score(match["score"]) or 0.0, match["kind"] or "", is_exploit, "")


def _entry_finding(run: ScriptRun, entry: dict[str, Any], block: str) -> Finding:
    title, ids = get_text(entry, "title"), sorted(get_texts(entry, "ids"))
    cves = [found for found in (identifier.partition(":")[2] for identifier in ids) if CVE.fullmatch(found)]
    scores = [score for score in map(_score, get_table(entry, "scores").values()) if score is not None]
    severity, score = _judgement(scores, get_text(entry, "state"), block)
    summary = " ".join(" ".join(get_texts(entry, "description")).split())
    return run.finding(
        *(cves or [title]),
        name=title,
        description=f"{run.where} is {get_text(entry, 'state').lower()}: {summary or title}",
        category="Vulnerability",
        severity=severity,
        vulnerability_state=get_text(entry, "state"),
        cve=cves[0] if cves else None,
        cvss=score,
        ids=ids or None,
        disclosure=get_text(entry, "disclosure") or None,
        evidence=get_texts(entry, "check_results")
        + get_texts(entry, "exploit_results")
        + get_texts(entry, "extra_info")
        or None,
        references=_references(cves, sorted(get_texts(entry, "refs"))),
    )


def _judgement(scores: list[float], state: str, block: str) -> tuple[Severity, float | None]:
    """By score, by risk factor (which only the text has), by state."""
    risk = RISK.search(block)
    if not scores and risk and risk[2]:
        scores = [float(risk[2])]
    if scores:
        return to_severity(max(scores)), max(scores)
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
