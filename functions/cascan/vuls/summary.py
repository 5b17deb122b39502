"""What is said of all listeners of a server → its packages, its CVEs, and a finding for each CVE.

A package is reachable if one of its processes is, as Vuls' HasReachablePort has it. A CVE's process
answers if the CVE affects a reachable package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

from cascan.findings.vulns import to_severity
from cascan.ids import derive_finding_id, derive_fingerprint
from cascan.limits import MAX_VULS_FINDINGS
from cascan.model.finding import Finding, Severity
from cascan.vuls.reachability import ListenerAnswer, describe_unknown
from cascan.vuls.results import Cve, VulsResults, limit_warnings

CATEGORY = "Reachable Vulnerability"


class ProcessSummary(msgspec.Struct, frozen=True, rename="camel"):
    package: str
    pid: str
    name: str
    listeners: tuple[ListenerAnswer, ...]

    @property
    def has_reachable_port(self) -> bool:
        return any(answer.reachable for answer in self.listeners)


class ServerSummary(msgspec.Struct, frozen=True):
    """What is said of one server."""

    server: str  # or container@server
    processes: tuple[ProcessSummary, ...]
    cves: tuple[Cve, ...]  # whose process answers, the highest score first
    warnings: tuple[str, ...]
    is_complete: bool  # everything that Vuls would ask was asked and answered

    @property
    def packages(self) -> dict[str, bool]:
        """HasReachablePort of each package with affected processes."""
        packages: dict[str, bool] = {}
        for process in self.processes:
            packages[process.package] = packages.get(process.package, False) or process.has_reachable_port
        return packages

    def endpoints(self, cve: Cve) -> Iterator[tuple[ProcessSummary, str, int]]:
        """The process, the address and the port of each listener that answers for the CVE."""
        for process in self.processes:
            if process.package in cve.packages:
                for answer in process.listeners:
                    for address in answer.reachable:
                        yield process, address, answer.listener.port


def summarize(
    results: VulsResults, answers: Sequence[ListenerAnswer], *, problems: Sequence[str] = ()
) -> ServerSummary:
    """`problems`: further sentences about the server, each of which makes the answer incomplete."""
    by_place = {answer.listener.where: answer for answer in answers}
    processes = tuple(
        ProcessSummary(
            process.package,
            process.pid,
            process.name,
            tuple(by_place[listener.where] for listener in process.listeners),
        )
        for process in results.processes
    )
    reachable = frozenset(process.package for process in processes if process.has_reachable_port)
    cves = sorted(results.cves(reachable), key=lambda cve: (-(cve.score or 0), cve.cve_id))
    unknown = list(describe_unknown(answers))
    skipped = [f"cascan: {warning}" for warning in results.warnings]
    warnings = limit_warnings([*(f"cascan: {problem}" for problem in problems), *unknown, *skipped])
    return ServerSummary(results.label, processes, tuple(cves), tuple(warnings), not unknown and not problems)


def enrich(results: VulsResults, answers: Sequence[ListenerAnswer], warnings: Sequence[str]) -> bytes:
    """The copy of the results JSON with portReachableTo, where it is known, and with the warnings."""
    reachable = {answer.listener.where: answer.reachable for answer in answers if answer.is_known}
    return results.write(reachable, warnings)


def build_findings(summary: ServerSummary, scan_ids: Sequence[str], at: datetime) -> Iterator[Finding]:
    """A finding for each CVE whose process answers, MAX_VULS_FINDINGS at most."""
    for cve in islice(summary.cves, MAX_VULS_FINDINGS):
        yield _build_finding(cve, summary, scan_ids, at)


def _build_finding(cve: Cve, summary: ServerSummary, scan_ids: Sequence[str], at: datetime) -> Finding:
    endpoints = list(summary.endpoints(cve))
    locations = list(dict.fromkeys(f"tcp://{address}:{port}" for _, address, port in endpoints))
    addresses = list(dict.fromkeys(address.strip("[]") for _, address, _ in endpoints))
    fingerprint = derive_fingerprint("vuls", summary.server, cve.cve_id)
    packages = [name for name in cve.packages if summary.packages.get(name)]
    return Finding(
        id=derive_finding_id(scan_ids[0] if scan_ids else "", fingerprint),
        fingerprint=fingerprint,
        parsed_at=at,
        name=cve.cve_id,
        description=f"{cve.cve_id} affects {', '.join(packages)} on {summary.server}, and its process answers",
        category=CATEGORY,
        severity=to_severity(cve.score) if cve.score else Severity.INFORMATIONAL,
        osi_layer="APPLICATION",
        location=locations[0],
        attributes={
            "hostname": summary.server,
            "ip_addresses": addresses,
            "port": endpoints[0][2],
            "ports": sorted({port for _, _, port in endpoints}),
            "locations": locations,
            "packages": packages,
            "processes": list(dict.fromkeys(process.name for process, _, _ in endpoints)),
            "cve": cve.cve_id,
            "cvss": cve.score,
            "title": cve.title,
            "scans": list(scan_ids),
        },
    )


def to_document(summary: ServerSummary, findings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary as JSON. `findings`: as JSON already."""
    return {
        "server": summary.server,
        "complete": summary.is_complete,
        "processes": [_process_document(process) for process in summary.processes],
        "packages": [
            {"name": name, "hasReachablePort": is_reachable} for name, is_reachable in summary.packages.items()
        ],
        "cves": [
            {"id": cve.cve_id, "score": cve.score, "title": cve.title, "packages": list(cve.packages)}
            for cve in summary.cves
        ],
        "warnings": list(summary.warnings),
        "findings": list(findings),
    }


def _process_document(process: ProcessSummary) -> dict[str, Any]:
    return {
        "package": process.package,
        "pid": process.pid,
        "name": process.name,
        "listeners": [_listener_document(answer) for answer in process.listeners],
    }


def _listener_document(answer: ListenerAnswer) -> Mapping[str, Any]:
    return {
        "endpoint": answer.listener.endpoint,
        "line": answer.line,
        "reachable": list(answer.reachable),
        "openFiltered": list(answer.open_filtered),
        "notOpen": list(answer.not_open),
        "unknown": [{"address": address, "reason": reason} for address, reason in answer.unknown.items()],
    }
