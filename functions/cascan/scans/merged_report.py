"""A scan → its shards' reports as one, streamed from the store: of each shard the attempt that was recorded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cascan.errors import UnreadableReport
from cascan.gateways import ReportStore, ScanTable
from cascan.ids import ReportKey
from cascan.inventory.scanned_addresses import ReassignedHosts
from cascan.model.host import Host
from cascan.model.shard import Shard
from cascan.nmap.report.merge import MergeInput, merge_reports
from cascan.nmap.report.read import read_report


@dataclass(frozen=True, slots=True)
class MergedReport:
    reports: int  # that are merged
    pieces: Iterator[bytes]


def open_merged_report(scan_id: str, *, table: ScanTable, reports: ReportStore) -> MergedReport:
    """The scan's reports merged, read from the store piece by piece as they are asked for.

    A shard whose report is missing makes the merged report say `exit="error"`; one that had nothing to ask does not.
    A host that was asked again, since it had timed out or stood too scattered, is as the later report has it.
    """
    shards = list(table.shards(scan_id))
    keys = select_reports(shards, reports.report_keys(scan_id))
    asked = [shard for shard in shards if not _had_nothing_to_ask(shard)]
    found = sum(shard.number in keys for shard in asked)
    started = [shard.run.started_at for shard in shards if shard.run and shard.run.started_at]
    pieces = merge_reports(
        _parts(asked, keys, reports),
        note=f"{found} reports of scan {scan_id}, merged by cascan",
        missing=len(asked) - found,
        started_at=min(started, default=None),
    )
    return MergedReport(found, pieces)


def _parts(shards: Sequence[Shard], keys: Mapping[int, ReportKey], reports: ReportStore) -> Iterator[MergeInput]:
    """One report after another, each opened when it is its turn."""
    by_number = {shard.number: shard for shard in shards}
    for shard in shards:
        if key := keys.get(shard.number):
            later = list(_remainders(shard, by_number))
            told = [keys[rest.number] for rest in later if rest.number in keys]
            yield MergeInput(
                reports.open_report(key), ReportedByRemainders(shard, later, told, reports) if told else ()
            )


def _remainders(shard: Shard, by_number: Mapping[int, Shard]) -> Iterator[Shard]:
    """What was cut off from the shard, and from that, as far as it goes."""
    while shard.remainder is not None and (rest := by_number.get(shard.remainder)):
        yield rest
        shard = rest


class ReportedByRemainders:
    """The addresses of a shard that its remainders report as well: only these are looked up in their reports."""

    def __init__(
        self, shard: Shard, remainders: Sequence[Shard], keys: Sequence[ReportKey], reports: ReportStore
    ) -> None:
        self._left = ReassignedHosts(shard, remainders)
        self._keys, self._reports = keys, reports

    def __contains__(self, address: object) -> bool:
        return address in self._left and address in self._reported

    @cached_property
    def _reported(self) -> set[str]:
        """As many as one shard has addresses, at most."""
        return {host.address for key in self._keys for host in self._hosts(key) if host.address in self._left}

    def _hosts(self, key: ReportKey) -> Iterator[Host]:
        with self._reports.open_report(key) as stream:
            try:
                yield from read_report(stream)
            except UnreadableReport:  # the merge says so when it comes to it
                return


def select_reports(shards: Iterable[Shard], keys: Iterable[ReportKey]) -> dict[int, ReportKey]:
    """By shard number, the report that counts: the shard's attempt names it. An earlier one, where that wrote none."""
    attempts: dict[int, list[int]] = defaultdict(list)
    for key in keys:
        attempts[key.shard].append(key.attempt)
    chosen = {}
    for shard in shards:
        written = [attempt for attempt in attempts[shard.number] if attempt <= shard.attempt]
        if written:
            chosen[shard.number] = ReportKey(shard.scan_id, shard.number, max(written))
    return chosen


def _had_nothing_to_ask(shard: Shard) -> bool:
    """nmap was not started: no name resolved, or the excludes and the scope left nothing."""
    return shard.run is not None and shard.run.exit_code is None
