"""Answers of the time machine: as cells of a table, as JSON, and their evidence."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from cascan_cli.output.text import print_message, printable_lines

if TYPE_CHECKING:
    from datetime import datetime

    from cascan.gateways import ReportStore
    from cascan.model.history import Look, SeenService
    from cascan.queries.history import Answer

MAX_EVIDENCE_BYTES = 1_000_000  # printed of one host element
GONE = "the report is gone"
NO_ELEMENT = "the report has no element of the host"


def format_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_look(look: Look | None) -> str:
    return format_time(look.seen_at) if look else ""


def format_port(key: tuple[str, int]) -> str:
    return f"{key[0]}/{key[1]}"


def describe_service(service: SeenService | None) -> str:
    return service.summary if service else ""


def look_to_json(look: Look | None) -> dict[str, Any] | None:
    if look is None:
        return None
    return {
        "time": look.seen_at,
        "scan": look.scan_id,
        "shard": look.shard,
        "attempt": look.attempt,
        "offset": look.offset,
        "length": look.length,
    }


def service_to_json(service: SeenService | None) -> dict[str, Any] | None:
    if service is None:
        return None
    return {
        "name": service.name,
        "product": service.product,
        "version": service.version,
        "extrainfo": service.extrainfo,
        "tunnel": service.tunnel,
        "cpe": service.cpe,
        "probed": service.probed,
    }


def answer_to_json(answer: Answer) -> dict[str, Any]:
    return {
        "vantage": answer.vantage,
        "address": answer.address,
        "protocol": answer.key[0],
        "port": answer.key[1],
        "at": answer.moment,
        "state": answer.state,
        "service": service_to_json(answer.service),
        "look": look_to_json(answer.look),
        "nextLook": look_to_json(answer.next_look),
    }


def read_evidence(look: Look, reports: ReportStore) -> tuple[str, str]:
    """The host's element in the report, printable, and why there is none or not all of it."""
    from cascan.errors import MalformedMessage
    from cascan.ids import ReportKey

    if not look.length:
        return "", NO_ELEMENT
    key = ReportKey(look.scan_id, look.shard, look.attempt)
    try:
        with closing(reports.open_report(key, look.offset)) as report:
            element = report.read(min(look.length, MAX_EVIDENCE_BYTES))
    except MalformedMessage:
        return "", GONE
    if not element:
        return "", GONE
    text = element.decode(errors="backslashreplace")
    shown = printable_lines(text)
    cut = look.length > MAX_EVIDENCE_BYTES
    return shown, f"the first {MAX_EVIDENCE_BYTES} of {look.length} bytes" if cut else ""


def print_evidence(title: str, look: Look, reports: ReportStore) -> None:
    """Print what nmap wrote of the host, below a line that says when and where."""
    shown, problem = read_evidence(look, reports)
    print_message(f"{title}: {format_time(look.seen_at)}, scan {look.scan_id}, shard {look.shard}")
    if problem:
        print_message(problem)
    if shown:
        print(shown)
