"""What is said of the ports and CVEs of Vuls' servers, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.limits import MAX_VULS_FINDINGS
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cascan.vuls.reachability import ListenerAnswer
    from cascan.vuls.summary import ServerSummary

PORT_COLUMNS = ("SERVER", "PACKAGE", "REACHABLE", "PROCESS", "PORTS")
CVE_COLUMNS = ("SERVER", "CVE", "SCORE", "PACKAGES", "TITLE")


def print_summaries(summaries: Sequence[ServerSummary]) -> None:
    """A row for each process that listens, and one for each CVE whose process answers; then warnings."""
    print_table(PORT_COLUMNS, (row for summary in summaries for row in _port_rows(summary)))
    cve_rows = [row for summary in summaries for row in _cve_rows(summary)]
    if cve_rows:
        print_table(CVE_COLUMNS, cve_rows, drop=("PACKAGES", "TITLE"), whole=("CVE",))
    for summary in summaries:
        for warning in summary.warnings:
            print_message(f"{summary.server}: {warning.removeprefix('cascan: ')}")
        if len(summary.cves) > MAX_VULS_FINDINGS:
            print_message(f"{summary.server}: findings for the first {MAX_VULS_FINDINGS} of {len(summary.cves)} CVEs")


def _port_rows(summary: ServerSummary) -> Iterator[tuple[str, ...]]:
    packages = summary.packages
    for process in summary.processes:
        if process.listeners:
            reachable = "yes" if packages[process.package] else "no"
            if reachable == "no" and any(not answer.is_known for answer in process.listeners):
                reachable = "unknown"
            ports = " ".join(map(_port_text, process.listeners))
            yield summary.server, process.package, reachable, f"{process.pid} {process.name}".strip(), ports


def _port_text(answer: ListenerAnswer) -> str:
    """The line that Vuls prints, with the addresses that may be open and those of which nothing is known."""
    parts = [answer.line]
    if answer.open_filtered:
        parts.append(f"(open|filtered: [{' '.join(answer.open_filtered)}])")
    if answer.unknown:
        parts.append(f"(unknown: [{' '.join(answer.unknown)}])")
    return "".join(parts)


def _cve_rows(summary: ServerSummary) -> Iterator[tuple[str, ...]]:
    for cve in summary.cves:
        score = "" if cve.score is None else f"{cve.score:.1f}"
        yield summary.server, cve.cve_id, score, " ".join(cve.packages), cve.title
