"""Write a report, even a damaged one, as a complete one: one head, its hosts, one end."""

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
    """Chunks of XML, element by element as in the report.

    If a second report was appended, its repeated head is left out and the ends are merged into one.
    """
    yield render_start(report.head).encode()
    states: Counter[str] = Counter()
    head: set[object] = set()
    ends: list[RunStats] = []
    end = ""
    for item in report.items():
        if isinstance(item, RunStats):
            ends.append(item)
            end = report.source
            continue
        if isinstance(item, Host):
            states[item.state] += 1
        if not _is_repeated(item, head):
            yield report.source.encode()
    if len(ends) != 1:
        end = render_item(_merge_ends(ends) if ends else _make_end(report, states))
    yield end.encode()
    yield render_end().encode()


def _is_repeated(item: Host | Item, head: set[object]) -> bool:
    """Whether it is an element of the head that was written before; notes it in `head`."""
    if not isinstance(item, ScanInfo | Verbose | Debugging):
        return False
    key: object = item if isinstance(item, ScanInfo) else type(item)
    is_repeated = key in head
    head.add(key)
    return is_repeated


def _merge_ends(ends: Sequence[RunStats]) -> RunStats:
    """The last end, with the sum of the host counts: a resumed nmap counts only its own hosts."""
    counts = [end.hosts for end in ends if end.hosts]
    hosts = HostCounts(
        up=_sum(count.up for count in counts),
        down=_sum(count.down for count in counts),
        total=_sum(count.total for count in counts),
    )
    return RunStats(finished=_choose_finished(ends), hosts=hosts)


def _choose_finished(ends: Sequence[RunStats]) -> Finished | None:
    """The first one with an error, else the last one."""
    finished = [end.finished for end in ends if end.finished]
    failed = [entry for entry in finished if entry.exit == "error"]
    return next(iter(failed or finished[-1:]), None)


def _make_end(report: ReportReader, states: Counter[str]) -> RunStats:
    """An end for a report that has none: without it, no tool would open the report."""
    time = str(int(report.started_at.timestamp())) if report.started_at else "0"
    finished = Finished(time=time, elapsed="0", exit="error", errormsg=CUT_SHORT)
    up, total = states["up"], states.total()
    return RunStats(finished=finished, hosts=HostCounts(up=str(up), down=str(total - up), total=str(total)))


def _sum(texts: Iterator[str | None]) -> str:
    return str(sum(int(text) for text in texts if text and text.isdecimal()))
