"""Vulnerabilities: findings of vulners, and of every script that uses nmap's vulns library.

Each vulnerability is a finding of its own. Its severity follows from the first of these that it
has:

    CVSS score   from 7 on HIGH, from 4 on MEDIUM, else LOW
    risk factor  the script's own rating
    state        HIGH if the script exploited it, else MEDIUM
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from cascan.findings.script_run import ScriptRun, get_table, get_text, get_texts, iter_rows
from cascan.model.finding import Finding, Severity

CVE = re.compile(r"CVE-\d{4}-\d{4,7}")
SCORE = re.compile(r"\d{1,2}(\.\d+)?")
# The library's text: a title, then indented lines. No part of the pattern can match in two ways,
# so there is no backtracking.
ENTRY = re.compile(r"^[ \t]*(?P<title>\S[^\n]*)\n[ \t]+State: (?P<state>[^\n]+)", re.MULTILINE)
IDS = re.compile(r"^[ \t]+IDs:[ \t]+([^\n]+)", re.MULTILINE)
RISK = re.compile(r"^[ \t]+Risk factor: (\w+)(?:[ \t]+CVSS\w*: (\d{1,2}(?:\.\d+)?))?", re.MULTILINE)
STATE = re.compile(r"(?:LIKELY |NOT )?VULNERABLE|UNKNOWN")  # the beginnings of its states
VULNERABLE_STATE = re.compile(r"^[ \t]+State: (?:LIKELY )?VULNERABLE", re.MULTILINE)
VULNERS_ID = re.compile(r"[\w:.+-]{1,120}")  # CVE-2019-0001, EDB-ID:1234, MSF:EXPLOIT-…
VULNERS_KIND = re.compile(r"\w{1,40}")
# Id, score, link, and a mark for an exploit. An old vulners writes only CVE and score.
VULNERS_LINE = re.compile(
    r"^[ \t]*(?P<id>CVE-\d{4}-\d{4,7}(?=[ \t]+(?:\d|https:))|[\w:.+-]{1,120}(?=[ \t]+[\d.]*[ \t]*https://vulners\.com/))"
    r"(?:[ \t]+(?P<score>\d{1,2}(?:\.\d+)?))?"
    r"(?:[ \t]+https://vulners\.com/(?P<kind>\w{1,40})/\S+(?P<exploit>[ \t]+\*EXPLOIT\*)?)?",
    re.MULTILINE,
)
RISKS = {
    "high": Severity.HIGH,
    "critical": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "low": Severity.LOW,
}
HIGH_SCORE, MEDIUM_SCORE = 7.0, 4.0  # the bounds that CVSS defines


def to_severity(score: float) -> Severity:
    if score >= HIGH_SCORE:
        return Severity.HIGH
    return Severity.MEDIUM if score >= MEDIUM_SCORE else Severity.LOW


def has_vulnerabilities(run: ScriptRun) -> bool:
    """Whether the script reports through the vulns library.

    Without structured output its text is searched.
    """
    if _has_entries(run.script.data):
        return True
    if run.script.data or "VULNERABLE" not in run.output:
        return False
    return VULNERABLE_STATE.search(run.output) is not None


def vulns_library(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each entry that is vulnerable or likely to be."""
    blocks = _split_blocks(run.output)
    entries = list(_find_entries(run.script.data))
    if not entries:
        entries = [_parse_block(title, block) for title, block in blocks.items()]
    for entry in entries:
        state = get_text(entry, "state")
        if "VULNERABLE" in state and not state.startswith("NOT"):
            yield _entry_finding(run, entry, blocks.get(get_text(entry, "title"), ""))


def _has_entries(data: Any) -> bool:
    """Whether `_find_entries` finds one. It is asked of every script, most of which have none."""
    if isinstance(data, dict):
        title, state = data.get("title"), data.get("state")
        if title and isinstance(title, str) and isinstance(state, str) and STATE.match(state):
            return True
        data = data.values()
    elif not isinstance(data, list):
        return False
    return any(_has_entries(element) for element in data if isinstance(element, dict | list))  # most are texts


def _find_entries(data: Any) -> Iterator[dict[str, Any]]:
    """The entries of the vulns library, at any depth.

    They are under their ids, under a key of the script, or in a list.

    The reader of reports limits the depth of a script's structure (MAX_XML_DEPTH).
    """
    elements = data
    if isinstance(data, dict):
        if get_text(data, "title") and STATE.match(get_text(data, "state")):
            yield data
            return
        elements = data.values()
    elif not isinstance(data, list):
        return
    for element in elements:
        if isinstance(element, dict | list):  # most are texts
            yield from _find_entries(element)


class VulnersEntry(NamedTuple):
    """An entry of vulners' database: a vulnerability, an exploit, or an advisory."""

    id: str
    score: float
    kind: str  # as vulners calls it: cve, exploitdb, metasploit …; empty: not in a text
    is_exploit: bool
    software: str  # a cpe, or product and version; empty: not in a text


def vulners(run: ScriptRun) -> Iterator[Finding]:
    """A finding for each entry, with its highest score. vulners only looks versions up."""
    worst: dict[str, VulnersEntry] = {}
    for entry in _read_vulners(run):
        earlier = worst.get(entry.id)
        if earlier is None or (entry.score, entry.software) > (earlier.score, earlier.software):
            worst[entry.id] = entry
    yield from (_vulners_finding(run, entry) for entry in worst.values())


def _vulners_finding(run: ScriptRun, entry: VulnersEntry) -> Finding:
    cves = [entry.id] if CVE.fullmatch(entry.id) else []
    is_unscored_exploit = entry.is_exploit and not entry.score
    url = f"https://vulners.com/{entry.kind or 'cve'}/{entry.id}"
    return run.finding(
        entry.id,
        name=f"Exploit: {entry.id}" if entry.is_exploit else entry.id,
        description=f"{run.where}: {_describe(entry)} ({entry.id}); not tested",
        category="Vulnerability",
        severity=Severity.MEDIUM if is_unscored_exploit else to_severity(entry.score),
        cve=entry.id if cves else None,
        cvss=None if is_unscored_exploit else entry.score,
        exploit=entry.is_exploit or None,
        software=entry.software or None,
        references=_references(cves, [url]),
    )


def _describe(entry: VulnersEntry) -> str:
    software = entry.software or "its version"
    if entry.is_exploit:
        return f"an exploit is known for {software}"
    return f"{software} is listed as affected"


def _read_vulners(run: ScriptRun) -> Iterator[VulnersEntry]:
    if run.data:
        for software, rows in run.data.items():
            for row in iter_rows(rows):
                if VULNERS_ID.fullmatch(get_text(row, "id")):
                    yield _to_vulners_entry(row, software)
        return
    for match in VULNERS_LINE.finditer(run.output):
        score = _parse_score(match["score"]) or 0.0
        kind, is_exploit = match["kind"] or "", match["exploit"] is not None
        yield VulnersEntry(match["id"], score, kind, is_exploit, software="")


def _to_vulners_entry(row: dict[str, Any], software: str) -> VulnersEntry:
    kind = get_text(row, "type")
    return VulnersEntry(
        id=get_text(row, "id"),
        score=_parse_score(get_text(row, "cvss")) or 0.0,
        kind=kind if VULNERS_KIND.fullmatch(kind) else "",
        is_exploit=get_text(row, "is_exploit") == "true",
        software=software,
    )


def _entry_finding(run: ScriptRun, entry: dict[str, Any], block: str) -> Finding:
    """`block` is the entry's part of the text, which has the risk factor."""
    title, state = get_text(entry, "title"), get_text(entry, "state")
    ids = sorted(get_texts(entry, "ids"))
    cves = _find_cves(ids)
    severity, score = _rate_entry(_read_scores(entry), state, block)
    summary = " ".join(" ".join(get_texts(entry, "description")).split())
    return run.finding(
        *(cves or [title]),
        name=title,
        description=f"{run.where} is {state.lower()}: {summary or title}",
        category="Vulnerability",
        severity=severity,
        vulnerability_state=state,
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


def _find_cves(ids: list[str]) -> list[str]:
    """`["BID:49303", "CVE:CVE-2011-3192"]` → `["CVE-2011-3192"]`"""
    values = (identifier.partition(":")[2] for identifier in ids)
    return [value for value in values if CVE.fullmatch(value)]


def _read_scores(entry: dict[str, Any]) -> list[float]:
    scores = map(_parse_score, get_table(entry, "scores").values())
    return [score for score in scores if score is not None]


def _rate_entry(scores: list[float], state: str, block: str) -> tuple[Severity, float | None]:
    """Severity and score: by the scores, else by the risk factor in the text, else by the state."""
    risk = RISK.search(block)
    if not scores and risk and risk[2]:
        scores = [float(risk[2])]
    if scores:
        return to_severity(max(scores)), max(scores)
    if risk and risk[1].lower() in RISKS:
        return RISKS[risk[1].lower()], None
    return (Severity.HIGH if "Exploitable" in state else Severity.MEDIUM), None


def _split_blocks(output: str) -> dict[str, str]:
    """Each title, with the text from there to the next title."""
    titles = list(ENTRY.finditer(output))
    bounds = [*(title.start() for title in titles), len(output)]
    blocks = [output[start:end] for start, end in pairwise(bounds)]
    return {title["title"].strip(): block for title, block in zip(titles, blocks, strict=True)}


def _parse_block(title: str, block: str) -> dict[str, Any]:
    """The entry of an old nmap, which writes text only."""
    entry, ids = ENTRY.search(block), IDS.search(block)
    return {
        "title": title,
        "state": entry["state"] if entry else "",
        "ids": ids[1].split() if ids else [],
    }


def _parse_score(text: Any) -> float | None:
    """`9.3 (HIGH) (AV:N…)` → 9.3. None: not a score."""
    match = SCORE.match(text) if isinstance(text, str) else None
    return float(match[0]) if match else None


def _references(cves: list[str], urls: list[str]) -> list[dict[str, str]]:
    references = [{"type": "CVE", "value": cve} for cve in cves]
    return references + [{"type": "URL", "value": url} for url in urls]
