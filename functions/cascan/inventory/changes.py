"""The record of an address and what a report says of it → the new record, and what changed.

Pure: the same record and observation give the same result, so a conflict in the table is settled by
comparing again.

Each port is compared with the last scan that covered the same address and port, whichever scan that
was. A report that arrives late is compared port by port: where a newer scan covered the port
already, it only adds to the times at which the port was seen. The same holds for a report that
arrives twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from cascan.limits import MAX_COVERAGES
from cascan.model.inventory import (
    NOT_UP,
    OPEN,
    UP,
    Change,
    ChangeKind,
    HostRecord,
    Observation,
    PortCoverage,
    PortKey,
    PortRecord,
    Sighting,
)
from cascan.nmap.ports.port_set import parse_port_set


def apply_observation(
    record: HostRecord | None, observation: Observation, last_scanned: Sighting | None = None
) -> tuple[HostRecord | None, tuple[Change, ...]]:
    """The record after the observation, and the changes. A record that says the same is the same
    object.

    `last_scanned`: for an address without a record, when it was scanned last and was not up; None:
    never.
    """
    if record is None:
        if not observation.up:
            return None, ()
        host, host_change = _create_record(observation, last_scanned)
    else:
        host, host_change = _update_host(record, observation)
    has_appeared = host_change is not None and host_change.kind is ChangeKind.HOST_APPEARED
    absent_before = host_change.before if host_change and has_appeared else None
    comparison = _PortComparison(host, observation, absent_before)
    ports = comparison.compare()
    coverage = _add_coverage(host.coverage, observation.coverage)
    updated = replace(host, ports=ports, coverage=coverage)
    changes = ([host_change] if host_change else []) + comparison.changes
    named = tuple(replace(change, hostname=updated.hostname) for change in changes)
    return (record if updated == record else updated), named


def _create_record(
    seen: Observation,
    last_scanned: Sighting | None,
) -> tuple[HostRecord, Change | None]:
    """Of an address that was never seen up before."""
    sighting = Sighting(state=UP, seen_at=seen.seen_at, scan_id=seen.scan_id)
    # A newer scan found it not up
    is_late = last_scanned is not None and last_scanned.order > seen.order
    record = HostRecord(
        address=seen.address,
        latest=last_scanned if last_scanned and is_late else sighting,
        first_seen=seen.seen_at,
        last_seen=seen.seen_at,
        hostname=seen.hostname,
        asked_name=seen.asked_name,
    )
    if is_late:
        return record, None
    change = Change(
        kind=ChangeKind.HOST_APPEARED,
        address=seen.address,
        before=last_scanned,
        after=sighting,
    )
    return record, change


def _update_host(record: HostRecord, seen: Observation) -> tuple[HostRecord, Change | None]:
    """The record with what the observation says of the host itself, without its ports."""
    if seen.up is None:
        return record, None
    if seen.up:
        first_seen = min(record.first_seen, seen.seen_at)
        last_seen = max(record.last_seen, seen.seen_at)
        record = replace(record, first_seen=first_seen, last_seen=last_seen)
    if record.latest.order >= seen.order:
        return record, None
    sighting = Sighting(state=UP if seen.up else NOT_UP, seen_at=seen.seen_at, scan_id=seen.scan_id)
    updated = replace(
        record,
        latest=sighting,
        hostname=seen.hostname or record.hostname,
        asked_name=seen.asked_name or record.asked_name,
    )
    if seen.up is record.is_up:
        return updated, None
    kind = ChangeKind.HOST_APPEARED if seen.up else ChangeKind.HOST_GONE
    return updated, Change(kind=kind, address=seen.address, before=record.latest, after=sighting)


@dataclass
class _PortComparison:
    """Compares the ports of one host. `absent_before`: of a host that has just appeared, how it was
    before.
    """

    host: HostRecord
    observation: Observation
    absent_before: Sighting | None

    def __post_init__(self) -> None:
        self.changes: list[Change] = []
        self._records = {port.key: port for port in self.host.ports}

    def compare(self) -> tuple[PortRecord, ...]:
        for key, sighting in self._sightings():
            record = self._records.get(key)
            previous = self._last_covered(key, record)
            if previous is not None and self._is_old(previous, sighting):
                self._add_history(key, sighting, previous, record)
            elif sighting.state == OPEN:
                self._add_open(key, sighting, previous, record)
            elif record:
                if record.is_open:
                    self._add_change(ChangeKind.PORT_CLOSED, key, record.latest, sighting)
                self._records[key] = replace(record, latest=sighting)
        return tuple(self._records[key] for key in sorted(self._records))

    def _is_old(self, previous: Sighting, sighting: Sighting) -> bool:
        """Whether a newer scan covered the port, or the same scan did and says no more now.

        A report may have two elements of a host: a port that the second one lists as open is open.
        """
        has_opened = sighting.state == OPEN != previous.state
        says_more = has_opened and self.host.latest.order == sighting.order
        if previous.order == sighting.order:
            return not says_more
        return previous.order > sighting.order

    def _sightings(self) -> Iterator[tuple[PortKey, Sighting]]:
        """The ports that the report lists, in its order; then the recorded ones that it covers
        without listing them.
        """
        yield from self.observation.ports.items()
        for key in list(self._records):
            if key in self.observation.ports:
                continue
            coverage = _find_conclusive(self.observation.coverage, key)
            if coverage:
                state = self._unlisted_state(key) or coverage.state
                yield key, replace(coverage.sighting, state=state)

    def _unlisted_state(self, key: PortKey) -> str:
        """The state that the report counts the port under; empty: it does not say."""
        protocol, number = key
        groups = (group for group in self.observation.unlisted if group.protocol == protocol)
        return next((group.state for group in groups if number in parse_port_set(group.ports)), "")

    def _last_covered(self, key: PortKey, record: PortRecord | None) -> Sighting | None:
        """The newest sighting of the port; of a port that was never open, that of the last scan
        that covered it.
        """
        if record:  # every scan that covers a recorded port renews its record
            return record.latest
        coverage = _find_conclusive(self.host.coverage, key)
        return coverage.sighting if coverage else None

    def _last_scanned(
        self,
        key: PortKey,
        sighting: Sighting,
        previous: Sighting | None,
    ) -> Sighting | None:
        """The newest scan of the port before `sighting`: `previous`, or one since then that got no
        answer.
        """
        silent = (
            layer.sighting
            for layer in self.host.coverage
            if not layer.is_conclusive and layer.order < sighting.order and _holds(layer, key)
        )
        scans = [*silent, *([previous] if previous else [])]
        return max(scans, key=lambda scan: scan.order, default=None)

    def _add_open(
        self,
        key: PortKey,
        sighting: Sighting,
        previous: Sighting | None,
        record: PortRecord | None,
    ) -> None:
        """The port is open in the newest scan."""
        if record and record.is_open:
            latest = _with_service(record.latest, sighting)
            if _service_differs(record.latest, sighting):
                self._add_change(ChangeKind.SERVICE_CHANGED, key, record.latest, sighting)
            self._records[key] = replace(record, latest=latest, last_seen=sighting.seen_at)
            return
        before = self._last_scanned(key, sighting, previous) or self.absent_before
        self._add_change(ChangeKind.PORT_OPENED, key, before, sighting)
        first_seen = record.first_seen if record else sighting.seen_at
        self._records[key] = _port_record(key, sighting, first_seen, sighting.seen_at)

    def _add_history(
        self,
        key: PortKey,
        sighting: Sighting,
        newer: Sighting,
        record: PortRecord | None,
    ) -> None:
        """A newer scan covered the port: the sighting only tells when the port was open."""
        if sighting.state != OPEN:
            return
        if record is None:
            self._records[key] = _port_record(key, newer, sighting.seen_at, sighting.seen_at)
            return
        first_seen = min(record.first_seen, sighting.seen_at)
        last_seen = max(record.last_seen, sighting.seen_at)
        self._records[key] = replace(record, first_seen=first_seen, last_seen=last_seen)

    def _add_change(
        self,
        kind: ChangeKind,
        key: PortKey,
        before: Sighting | None,
        after: Sighting,
    ) -> None:
        protocol, port = key
        self.changes.append(
            Change(
                kind=kind,
                address=self.host.address,
                protocol=protocol,
                port=port,
                before=before,
                after=after,
            )
        )


def _port_record(
    key: PortKey,
    latest: Sighting,
    first_seen: datetime,
    last_seen: datetime,
) -> PortRecord:
    protocol, number = key
    return PortRecord(
        protocol=protocol,
        port=number,
        latest=latest,
        first_seen=first_seen,
        last_seen=last_seen,
    )


def _find_conclusive(coverages: Iterable[PortCoverage], key: PortKey) -> PortCoverage | None:
    """The first that tells whether the port was open."""
    return next((layer for layer in coverages if layer.is_conclusive and _holds(layer, key)), None)


def _holds(coverage: PortCoverage, key: PortKey) -> bool:
    protocol, number = key
    return coverage.protocol == protocol and number in parse_port_set(coverage.ports)


def _service_differs(before: Sighting, after: Sighting) -> bool:
    """Both scans probed the service and saw different ones. A detail that only one of them saw is
    no difference.
    """
    if not (before.probed and after.probed):
        return False
    if before.service != after.service:
        return True
    pairs = ((before.product, after.product), (before.version, after.version))
    return any(old and new and old != new for old, new in pairs)


def _with_service(before: Sighting, after: Sighting) -> Sighting:
    """The later sighting, with details of the same service that only the earlier one saw."""
    if before.probed and not after.probed:
        return replace(
            after,
            service=before.service,
            product=before.product,
            version=before.version,
            probed=before.probed,
        )
    if after.probed and before.service == after.service and after.product in ("", before.product):
        return replace(after, product=before.product, version=after.version or before.version)
    return after


def _add_coverage(
    stored: tuple[PortCoverage, ...],
    new: tuple[PortCoverage, ...],
) -> tuple[PortCoverage, ...]:
    """Newest first. A layer that a newer one covers as a whole is dropped, and no more than
    MAX_COVERAGES are kept.
    """
    layers = list(stored)
    for coverage in new:
        if any(_hides(layer, coverage) for layer in layers):
            continue
        layers = [layer for layer in layers if not _hides(coverage, layer)]
        layers.append(coverage)
    layers.sort(key=lambda layer: layer.order, reverse=True)
    return tuple(layers[:MAX_COVERAGES])


def _hides(newer: PortCoverage, older: PortCoverage) -> bool:
    if newer.protocol != older.protocol or newer.order < older.order:
        return False
    if older.is_conclusive and not newer.is_conclusive:
        return False
    return newer.ports == older.ports or parse_port_set(older.ports) <= parse_port_set(newer.ports)
