"""What is known of an address, and what a report says of it → what is known then, and what changed.

Pure: the same record and observation give the same answer, so a conflict in the table is settled by asking again.

A change is judged against the last scan that covered the same address and port, whichever it was. A report that comes
late is judged port by port: where a newer scan covered the port already, it only adds to when the port was seen. The
same goes for a report that comes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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
    known: HostRecord | None, seen: Observation, asked: Sighting | None = None
) -> tuple[HostRecord | None, tuple[Change, ...]]:
    """The record after the observation, and the changes; a record that says the same is the same object.

    `asked` tells of an address without a record when it was asked last, and was not up; None: never.
    """
    if known is None and not seen.up:
        return None, ()
    host, news = _host(known, seen, asked)
    before = news.before if news and news.kind is ChangeKind.HOST_APPEARED else None
    judgement = _Ports(host, seen, before)
    ports = judgement.judge()
    coverage = _layered(host.coverage, seen.coverage)
    record = replace(host, ports=ports, coverage=coverage)
    changes = ([news] if news else []) + judgement.changes
    named = tuple(replace(change, hostname=record.hostname) for change in changes)
    return (known if record == known else record), named


def _host(known: HostRecord | None, seen: Observation, asked: Sighting | None) -> tuple[HostRecord, Change | None]:
    sighting = Sighting(state=UP if seen.up else NOT_UP, seen_at=seen.seen_at, scan_id=seen.scan_id)
    if known is None:
        is_late = asked is not None and asked.order > seen.order  # a newer scan asked, and it was not up
        record = HostRecord(
            address=seen.address,
            latest=asked if asked and is_late else sighting,
            first_seen=seen.seen_at,
            last_seen=seen.seen_at,
            hostname=seen.hostname,
        )
        if is_late:
            return record, None
        return record, Change(kind=ChangeKind.HOST_APPEARED, address=seen.address, before=asked, after=sighting)
    if seen.up is None:
        return known, None
    first = min(known.first_seen, seen.seen_at) if seen.up else known.first_seen
    last = max(known.last_seen, seen.seen_at) if seen.up else known.last_seen
    if known.latest.order >= seen.order:
        return replace(known, first_seen=first, last_seen=last), None
    record = replace(known, latest=sighting, first_seen=first, last_seen=last, hostname=seen.hostname or known.hostname)
    if seen.up is known.is_up:
        return record, None
    kind = ChangeKind.HOST_APPEARED if seen.up else ChangeKind.HOST_GONE
    return record, Change(kind=kind, address=seen.address, before=known.latest, after=sighting)


@dataclass
class _Ports:
    """The ports of one host, judged. `appeared`: when the host appeared just now, how it was before."""

    host: HostRecord
    seen: Observation
    appeared: Sighting | None

    def __post_init__(self) -> None:
        self.changes: list[Change] = []
        self._records = {port.key: port for port in self.host.ports}

    def judge(self) -> tuple[PortRecord, ...]:
        for key, now in self._sightings():
            record = self._records.get(key)
            last = self._last_covered(key, record)
            if last is not None and self._is_old(last, now):
                self._fill_in(key, now, last, record)
            elif now.state == OPEN:
                self._found_open(key, now, last, record)
            elif record:
                if record.is_open:
                    self._changed(ChangeKind.PORT_CLOSED, key, record.latest, now)
                self._records[key] = replace(record, latest=now)
        return tuple(self._records[key] for key in sorted(self._records))

    def _is_old(self, last: Sighting, now: Sighting) -> bool:
        """Whether a newer scan covered the port, or this one, and it says no more now.

        A report may have two elements of a host: a port that the second one lists as open is open.
        """
        says_more = now.state == OPEN != last.state and self.host.latest.order == now.order
        return last.order > now.order or (last.order == now.order and not says_more)

    def _sightings(self) -> Iterator[tuple[PortKey, Sighting]]:
        """What the report says, in its order: of the ports that it lists, and of those known before that it covers."""
        yield from self.seen.ports.items()
        for key in list(self._records):
            if key not in self.seen.ports and (coverage := _conclusive(self.seen.coverage, key)):
                yield key, replace(coverage.sighting, state=self._unlisted_state(key) or coverage.state)

    def _unlisted_state(self, key: PortKey) -> str:
        protocol, number = key
        groups = (group for group in self.seen.unlisted if group.protocol == protocol)
        return next((group.state for group in groups if number in parse_port_set(group.ports)), "")

    def _last_covered(self, key: PortKey, record: PortRecord | None) -> Sighting | None:
        """The newest that is known of the port; of a port that was never open, from the last scan that covered it."""
        if record:  # every scan that covers a port that has one renews it
            return record.latest
        coverage = _conclusive(self.host.coverage, key)
        return coverage.sighting if coverage else None

    def _looked_at_before(self, key: PortKey, now: Sighting, last: Sighting | None) -> Sighting | None:
        """The newest look before `now`: `last`, or a scan since then to which the port gave no answer."""
        silent = (layer for layer in self.host.coverage if not layer.is_conclusive and _holds(layer, key))
        looks = [layer.sighting for layer in silent if layer.order < now.order] + ([last] if last else [])
        return max(looks, key=lambda look: look.order, default=None)

    def _found_open(self, key: PortKey, now: Sighting, last: Sighting | None, record: PortRecord | None) -> None:
        if record and record.is_open:
            latest = _with_service(record.latest, now)
            if _service_differs(record.latest, now):
                self._changed(ChangeKind.SERVICE_CHANGED, key, record.latest, now)
            self._records[key] = replace(record, latest=latest, last_seen=now.seen_at)
            return
        before = self._looked_at_before(key, now, last) or self.appeared
        self._changed(ChangeKind.PORT_OPENED, key, before, now)
        first = record.first_seen if record else now.seen_at
        self._records[key] = PortRecord(
            protocol=key[0], port=key[1], latest=now, first_seen=first, last_seen=now.seen_at
        )

    def _fill_in(self, key: PortKey, then: Sighting, last: Sighting, record: PortRecord | None) -> None:
        """A newer scan covered the port: what was seen then is no news, but history."""
        if then.state != OPEN:
            return
        if record is None:
            times = {"first_seen": then.seen_at, "last_seen": then.seen_at}
            self._records[key] = PortRecord(protocol=key[0], port=key[1], latest=last, **times)
        else:
            first, at = min(record.first_seen, then.seen_at), max(record.last_seen, then.seen_at)
            self._records[key] = replace(record, first_seen=first, last_seen=at)

    def _changed(self, kind: ChangeKind, key: PortKey, before: Sighting | None, after: Sighting) -> None:
        protocol, port = key
        self.changes.append(
            Change(kind=kind, address=self.host.address, protocol=protocol, port=port, before=before, after=after)
        )


def _conclusive(coverages: Iterable[PortCoverage], key: PortKey) -> PortCoverage | None:
    """The first that knows whether the port was open."""
    return next((layer for layer in coverages if layer.is_conclusive and _holds(layer, key)), None)


def _holds(coverage: PortCoverage, key: PortKey) -> bool:
    protocol, number = key
    return coverage.protocol == protocol and number in parse_port_set(coverage.ports)


def _service_differs(before: Sighting, after: Sighting) -> bool:
    """Both scans asked the service, and it gave two answers. One that says less than the other is no other answer."""
    if not (before.probed and after.probed):
        return False
    if before.service != after.service:
        return True
    pairs = ((before.product, after.product), (before.version, after.version))
    return any(old and new and old != new for old, new in pairs)


def _with_service(before: Sighting, after: Sighting) -> Sighting:
    """The later sighting, with what only the earlier one knew of the same service."""
    if before.probed and not after.probed:
        return replace(
            after, service=before.service, product=before.product, version=before.version, probed=before.probed
        )
    if after.probed and before.service == after.service and after.product in ("", before.product):
        return replace(after, product=before.product, version=after.version or before.version)
    return after


def _layered(known: tuple[PortCoverage, ...], new: tuple[PortCoverage, ...]) -> tuple[PortCoverage, ...]:
    """Newest first. What a newer one covers as a whole is not remembered, and no more than MAX_COVERAGES are."""
    layers = list(known)
    for one in new:
        if any(_hides(layer, one) for layer in layers):
            continue
        layers = [layer for layer in layers if not _hides(one, layer)]
        layers.append(one)
    layers.sort(key=lambda layer: layer.order, reverse=True)
    return tuple(layers[:MAX_COVERAGES])


def _hides(newer: PortCoverage, older: PortCoverage) -> bool:
    if newer.protocol != older.protocol or newer.order < older.order:
        return False
    if older.is_conclusive and not newer.is_conclusive:
        return False
    return newer.ports == older.ports or parse_port_set(older.ports) <= parse_port_set(newer.ports)
