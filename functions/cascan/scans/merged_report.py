"""Merge the reports of a scan's shards into one, as a stream.

Of each shard it takes the attempt that was recorded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from cascan.errors import UnreadableReport
from cascan.gateways import ReportStore, Shards
from cascan.ids import ReportKey
from cascan.inventory.scanned_addresses import ReassignedHosts
from cascan.model.host import Host
from cascan.model.shard import Shard
from cascan.nmap.report.merge import ElementEditor, MergeInput, merge_reports
from cascan.nmap.report.read import read_report


@dataclass(frozen=True, slots=True)
class MergedReport:
    """The number of reports that are merged, and the bytes of the result."""

    reports: int
    chunks: Iterator[bytes]


def open_merged_report(
    scan_id: str, *, table: Shards, reports: ReportStore, editor: ElementEditor | None = None
) -> MergedReport:
    """Merge the reports of the scan; they are read from the store while the result is consumed.

    If the report of a shard is missing, the merged report says `exit="error"`; a shard without
    targets needs none. A host that was scanned twice, because it had timed out or could not be cut
    off, is taken from the later report. `editor`: changes or leaves out elements.
    """
    shards = list(table.shards(scan_id))
    keys = select_reports(shards, reports.report_keys(scan_id))
    scanned = [shard for shard in shards if not _had_no_target(shard)]
    report_count = sum(shard.number in keys for shard in scanned)
    started = [shard.run.started_at for shard in shards if shard.run and shard.run.started_at]
    chunks = merge_reports(
        _merge_inputs(scanned, keys, reports),
        comment=f"{report_count} {'report' if report_count == 1 else 'reports'} of scan {scan_id}, merged by cascan",
        missing=len(scanned) - report_count,
        started_at=min(started, default=None),
        has_same_ports=len({_find_ports(shard) for shard in scanned}) <= 1,
        editor=editor,
    )
    return MergedReport(report_count, chunks)


def _find_ports(shard: Shard) -> tuple[str, ...]:
    """The values of -p; of hosts with ports of their own, these ports."""
    return tuple(value for name, value in pairwise(shard.arguments) if name == "-p")


def _merge_inputs(
    shards: Sequence[Shard],
    keys: Mapping[int, ReportKey],
    reports: ReportStore,
) -> Iterator[MergeInput]:
    """One report after another, each opened when it is needed."""
    by_number = {shard.number: shard for shard in shards}
    for shard in shards:
        if key := keys.get(shard.number):
            remainders = list(_remainders(shard, by_number))
            later_keys = [keys[later.number] for later in remainders if later.number in keys]
            later: Container[str] = ()
            if later_keys:
                later = ReportedByRemainders(shard, remainders, later_keys, reports)
            yield MergeInput(reports.open_report(key), later)


def _remainders(shard: Shard, by_number: Mapping[int, Shard]) -> Iterator[Shard]:
    """The shard that was cut off from this one, the one that was cut off from that, and so on."""
    while shard.remainder is not None and (remainder := by_number.get(shard.remainder)):
        yield remainder
        shard = remainder


class ReportedByRemainders:
    """The addresses of a shard that its remainders report as well.

    The reports are read when an address may be one.
    """

    def __init__(
        self,
        shard: Shard,
        remainders: Sequence[Shard],
        keys: Sequence[ReportKey],
        reports: ReportStore,
    ) -> None:
        self._reassigned = ReassignedHosts(shard, remainders)
        self._keys, self._reports = keys, reports

    def __contains__(self, address: object) -> bool:
        return address in self._reassigned and address in self._reported

    @cached_property
    def _reported(self) -> set[str]:
        """At most as many addresses as one shard has."""
        addresses = (host.address for key in self._keys for host in self._hosts(key))
        return {address for address in addresses if address in self._reassigned}

    def _hosts(self, key: ReportKey) -> Iterator[Host]:
        with self._reports.open_report(key) as stream:
            try:
                yield from read_report(stream)
            except UnreadableReport:  # the merge reports this when it reads the same report
                return


def select_reports(shards: Iterable[Shard], keys: Iterable[ReportKey]) -> dict[int, ReportKey]:
    """The report of each shard's attempt, or of the latest earlier attempt that stored one."""
    attempts: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        attempts[key.shard].append(key.attempt)
    chosen = {}
    for shard in shards:
        written = [attempt for attempt in attempts[shard.number] if attempt <= shard.attempt]
        if written:
            chosen[shard.number] = ReportKey(shard.scan_id, shard.number, max(written))
    return chosen


def _had_no_target(shard: Shard) -> bool:
    """Whether nmap was not started because no target was left to scan.

    No name had an address, or everything was excluded or outside the scope.
    """
    return shard.run is not None and shard.run.exit_code is None
