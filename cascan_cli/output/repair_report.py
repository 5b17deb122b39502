"""A report, also a damaged one, written as a whole one: one frame, its hosts, one end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cascan.model.host import Host
from cascan.model.report import Debugging, Finished, HostCounts, RunStats, ScanInfo, Verbose
from cascan.nmap.report.write.report import render_end, render_item, render_start

if TYPE_CHECKING:
    from cascan.model.report import Item
    from cascan.nmap.report.read import ReportReader

CUT_SHORT = "The report is cut short."


def repair_report(report: ReportReader) -> Iterator[bytes]:
    """Pieces of XML, element by element as in the report.

    What a second report appended says again of the frame is left out, and all ends are one.
    """
    yield render_start(report.head).encode()
    counts: Counter[str] = Counter()
    frame: set[object] = set()
    ends: list[RunStats] = []
    end = ""
    for item in report.items():
        if isinstance(item, RunStats):
            ends.append(item)
            end = report.source
            continue
        if isinstance(item, Host):
            counts[item.state] += 1
        if not _is_said(item, frame):
            yield report.source.encode()
    if len(ends) != 1:
        end = render_item(_joined(ends) if ends else _made(report, counts))
    yield end.encode()
    yield render_end().encode()


def _is_said(item: Host | Item, frame: set[object]) -> bool:
    """Whether it is of the frame, which stands once, and stands there already."""
    if not isinstance(item, ScanInfo | Verbose | Debugging):
        return False
    key: object = item if isinstance(item, ScanInfo) else type(item)
    is_there = key in frame
    frame.add(key)
    return is_there


def _joined(ends: Sequence[RunStats]) -> RunStats:
    """The last end, with the hosts of all: nmap counts what it scanned since it was resumed."""
    told = [end.hosts for end in ends if end.hosts]
    up, down, total = (str(sum(_number(getattr(one, name)) for one in told)) for name in ("up", "down", "total"))
    finished = [end.finished for end in ends if end.finished]
    failed = next((one for one in finished if one.exit == "error"), None)
    return RunStats(
        finished=failed or (finished[-1] if finished else None), hosts=HostCounts(up=up, down=down, total=total)
    )


def _made(report: ReportReader, counts: Counter[str]) -> RunStats:
    """An end for a report that has none, or else no tool would open it."""
    at = str(int(report.started_at.timestamp())) if report.started_at else "0"
    finished = Finished(time=at, elapsed="0", exit="error", errormsg=CUT_SHORT)
    up, total = counts["up"], counts.total()
    return RunStats(finished=finished, hosts=HostCounts(up=str(up), down=str(total - up), total=str(total)))


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
