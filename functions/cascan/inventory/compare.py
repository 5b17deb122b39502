"""Two scans compared by what their reports say, whatever came between them and before.

The earlier scan is read first, into records that are kept in memory; the later one is judged against them, as
on_report_stored judges each report against the inventory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import IO

from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts, accounts_for_all
from cascan.inventory.observations import Absence, interpret_absence, names_by_address, observe_absence, observe_host
from cascan.inventory.scanned_addresses import ScannedAddresses
from cascan.model.host import Host
from cascan.model.inventory import NOT_UP, Change, HostRecord, Observation, Sighting
from cascan.model.shard import Shard
from cascan.nmap.intervals import Interval
from cascan.nmap.report.read import read_report

LONG_AGO = datetime.min.replace(tzinfo=UTC)  # a run without an end


class Comparison:
    """Takes the reports of one scan after those of an earlier one."""

    def __init__(self) -> None:
        self._records: dict[str, HostRecord] = {}
        self._notes: list[tuple[int, Interval, Sighting]] = []  # family, addresses, when they were asked

    def add(self, shard: Shard, report: IO[bytes]) -> Iterator[Change]:
        """What the shard's report changes. Raises: UnreadableReport."""
        asked, seen_at, names = ScannedAddresses.from_shard(shard), _ended(shard), names_by_address(shard.run)
        reader, answered, states = read_report(report), set[int](), Counter[str]()
        for host in reader:
            states[host.state] += 1
            seen = observe_host(host, ScannedPorts.from_scaninfo(reader.scaninfo), shard.scan_id, seen_at, names)
            answered |= set(_numbers(host))
            if seen and asked.names_for(seen.address):
                yield from self._judge(seen)
        if not accounts_for_all(shard.run, reader):
            return
        absent = interpret_absence(
            counted_up=reader.hosts_up, elements_up=states["up"], elements_unasked=states["unknown"]
        )
        if absent is not Absence.NOT_UP:
            return
        yield from self._missing(shard, asked, answered)
        note = Sighting(state=NOT_UP, seen_at=seen_at, scan_id=shard.scan_id)
        self._notes += [(asked.family, interval, note) for interval in asked.intervals()]

    def _missing(self, shard: Shard, asked: ScannedAddresses, answered: set[int]) -> Iterator[Change]:
        for address in list(self._records):
            if int(ip_address(address)) not in answered and asked.names_for(address):
                yield from self._judge(observe_absence(address, shard.scan_id, _ended(shard)))

    def _judge(self, seen: Observation) -> Iterable[Change]:
        known = self._records.get(seen.address)
        record, changes = apply_observation(known, seen, None if known else self._asked_before(seen.address))
        if record:
            self._records[seen.address] = record
        return changes

    def _asked_before(self, address: str) -> Sighting | None:
        number = ip_address(address)
        notes = (note for of, (low, high), note in self._notes if of == number.version and low <= int(number) <= high)
        return max(notes, key=lambda note: note.order, default=None)


def _ended(shard: Shard) -> datetime:
    return (shard.run and shard.run.finished_at) or LONG_AGO


def _numbers(host: Host) -> Iterator[int]:
    for address in host.addresses:
        if address.kind != "mac":
            with suppress(ValueError):
                yield int(ip_address(address.addr))
