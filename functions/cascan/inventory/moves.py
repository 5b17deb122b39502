"""Hosts that are known by an identity: the records of address and identity, a look → what changed.

The record of an address says what answered there. The record of an identity says what was seen of the
host at whatever address. A look at an identified host is compared with one of the two: with that of
the address while the host stays there, and with that of the identity once it has moved.

The record that was compared is stored first, with the changes, and then the other one, without. A
delivery that breaks off in between finds no change again when it is repeated.

An identity that one scan has seen at several addresses does not tell hosts apart. Its hosts are known
by their addresses, until its newest places are all of other scans.

Where a host was up last, it may be missed because it moved, and another shard may find it. It is gone
once a later scan misses it there as well, and no scan has seen it elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from cascan.inventory.changes import apply_observation
from cascan.limits import MAX_IDENTITY_PLACES, MAX_MISSED_IDENTITIES
from cascan.model.inventory import (
    NOT_UP,
    UP,
    Change,
    ChangeKind,
    HostRecord,
    HostUpdate,
    Missed,
    Observation,
    Place,
    Sighting,
)

HOST_CHANGES = (ChangeKind.HOST_APPEARED, ChangeKind.HOST_GONE)


@dataclass(slots=True)
class Comparison:
    """What one look changes."""

    address: str
    gone: list[HostUpdate] = field(default_factory=list)  # identities that were not found again
    first: list[HostUpdate] = field(default_factory=list)  # with the changes
    second: list[HostUpdate] = field(default_factory=list)  # stored after those
    has_record: bool = True  # of the address, then


def compare_identified(
    observation: Observation,
    record: HostRecord | None,
    identities: Mapping[str, HostRecord],
    *,
    together: Sequence[Observation] = (),
    last_scanned: Sighting | None = None,
) -> Comparison:
    """Compare a look at an address, of a scan that knows hosts by an identity.

    `record`: of the address. `identities`: the records of all identities that `list_identities`
    names. `together`: the looks of the same identity that are compared at the same time.
    `last_scanned`: of an address or a host without a record, when the address was scanned last.
    """
    identity = observation.identity if observation.up else None
    comparison = Comparison(observation.address)
    updated, by_address = apply_observation(record, observation, last_scanned)
    if updated is None:
        comparison.has_record = False
        return comparison
    if identity:
        known = identities.get(identity)
        pair = _Pair(observation, record, known, by_address, last_scanned)
        changes, is_by_address = pair.compare(together)
        changes = tuple(replace(change, identity=identity) for change in changes)
        new_identity = add_looks(known, [observation, *together])
        of_identity = _to_update(new_identity, known, () if is_by_address else changes)
        of_address_changes = changes if is_by_address else ()
    else:
        of_identity, is_by_address = None, True
        of_address_changes = _drop_moved(observation, record, identities, by_address)
    updated = replace(updated, identity=_find_occupant(observation, record))
    missed = _update_missed(observation, record, identities, comparison)
    of_address = _to_update(replace(updated, missed=missed), record, of_address_changes)
    stored_first, stored_later = (of_address, of_identity) if is_by_address else (of_identity, of_address)
    comparison.first += [stored_first] if stored_first else []
    comparison.second += [stored_later] if stored_later else []
    return comparison


def list_identities(observation: Observation, record: HostRecord | None) -> set[str]:
    """The identities whose records the look is compared with."""
    identities = {observation.identity or ""}
    if record:
        identities |= {record.identity, *(missed.identity for missed in record.missed)}
    return identities - {""}


def add_looks(known: HostRecord | None, observations: Sequence[Observation]) -> HostRecord:
    """The record of an identity with looks at it. The order of the looks does not matter.

    Of an identity that has several addresses, it only has the places.
    """
    record = known
    for observation in observations:
        record = _add_look(record, observation)
    assert record is not None  # noqa: S101 - there is a look
    return record


def _add_look(known: HostRecord | None, observation: Observation) -> HostRecord:
    place = Place(address=observation.address, seen_at=observation.seen_at, scan_id=observation.scan_id)
    places = _add_place(known.places if known else (), place)
    if is_shared(places):
        sighting = Sighting(state=UP, seen_at=observation.seen_at, scan_id=observation.scan_id)
        updated = HostRecord(
            address=observation.address,
            latest=max((known.latest, sighting), key=lambda seen: seen.order) if known else sighting,
            first_seen=min(known.first_seen, observation.seen_at) if known else observation.seen_at,
            last_seen=max(known.last_seen, observation.seen_at) if known else observation.seen_at,
            hostname=(known.hostname if known else "") or observation.hostname,
            revision=known.revision if known else 0,
        )
    else:
        applied, _ = apply_observation(_at(known, observation.address), observation)
        assert applied is not None  # noqa: S101 - the host is up
        updated = applied
    updated = replace(updated, address=places[-1].address, identity=observation.identity or "", places=places)
    return known if updated == known else updated


def _at(record: HostRecord | None, address: str) -> HostRecord | None:
    return replace(record, address=address) if record else None


def _add_place(places: tuple[Place, ...], place: Place) -> tuple[Place, ...]:
    """The newest places in order, each once for a scan and an address."""
    by_scan = {(known.scan_id, known.address): known for known in places}
    known = by_scan.get((place.scan_id, place.address), place)
    by_scan[place.scan_id, place.address] = max(known, place, key=lambda seen: seen.order)
    return tuple(sorted(by_scan.values(), key=lambda seen: seen.order)[-MAX_IDENTITY_PLACES:])


def is_shared(places: Collection[Place]) -> bool:
    """One scan has seen the identity at several addresses."""
    return len({place.scan_id for place in places}) < len(places)


@dataclass(slots=True)
class _Pair:
    """A look at an identified host, with both records."""

    observation: Observation
    record: HostRecord | None  # of the address
    known: HostRecord | None  # of the identity
    by_address: tuple[Change, ...]
    last_scanned: Sighting | None

    def compare(self, together: Sequence[Observation]) -> tuple[tuple[Change, ...], bool]:
        """The changes, and whether they are those of the address.

        The places of the look itself do not count, so that a repeated delivery decides the same.
        """
        observation, known = self.observation, self.known
        new_places = known.places if known else ()
        for look in (observation, *together):
            place = Place(address=look.address, seen_at=look.seen_at, scan_id=look.scan_id)
            new_places = _add_place(new_places, place)
        if is_shared(new_places):
            return self.by_address, True
        earlier = [place for place in new_places if place.scan_id != observation.scan_id]
        before = [place for place in earlier if place.order < (observation.seen_at, observation.scan_id, "~")]
        occupant = self.record.identity if self.record else ""
        if not earlier:
            # A host that is not known yet, at the address of another one
            is_by_address = occupant in ("", observation.identity)
            return self._choose(is_by_address=is_by_address)
        last = before[-1] if before else earlier[-1]
        if last.address == observation.address and self.record and occupant in ("", observation.identity):
            return self._keep_port_changes() if occupant else (self.by_address, True)
        changes, _ = self._choose(is_by_address=False)
        if before and len(before) == len(earlier) and last.address != observation.address:
            changes = (*changes, *self._build_move(last))
        return changes, False

    def _choose(self, *, is_by_address: bool) -> tuple[tuple[Change, ...], bool]:
        if is_by_address:
            return self.by_address, True
        known = _at(self.known, self.observation.address)
        _, changes = apply_observation(known, self.observation, self.last_scanned)
        return changes, False

    def _keep_port_changes(self) -> tuple[tuple[Change, ...], bool]:
        """Of a host that stayed at its address: it appears only if it was announced as gone."""
        is_gone = self.known is not None and not self.known.is_up
        kept = self.by_address if is_gone else tuple(map(_without_absence, _drop_host_changes(self.by_address)))
        return kept, True

    def _build_move(self, last: Place) -> tuple[Change, ...]:
        """Nothing where the look was compared before, or the host was gone."""
        observation, known = self.observation, self.known
        if known is None or not known.is_up or known.latest.order >= observation.order:
            return ()
        after = Sighting(state=UP, seen_at=observation.seen_at, scan_id=observation.scan_id)
        move = Change(
            kind=ChangeKind.HOST_MOVED,
            address=observation.address,
            previous_address=last.address,
            before=known.latest,
            after=after,
            hostname=observation.hostname or known.hostname,
        )
        return (move,)


def _drop_host_changes(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    return tuple(change for change in changes if change.kind not in HOST_CHANGES)


def _without_absence(change: Change) -> Change:
    """Nothing covered the port before; that the host was not up for a while says nothing of it."""
    is_from_absence = change.before is not None and change.before.state == NOT_UP
    return replace(change, before=None) if is_from_absence else change


def _drop_moved(
    observation: Observation,
    record: HostRecord | None,
    identities: Mapping[str, HostRecord],
    changes: tuple[Change, ...],
) -> tuple[Change, ...]:
    """The changes of a look that found no identity, without what says that a known host is not
    there.
    """
    known = identities.get(record.identity) if record and record.identity else None
    if observation.identity is None or known is None or is_shared(known.places):
        return changes
    if observation.up is False:
        return _drop_host_changes(changes)
    return () if observation.up is None and known.address != observation.address else changes


def _find_occupant(observation: Observation, record: HostRecord | None) -> str:
    """The identity that was up at the address last. Empty: that look did not identify the host, or
    hosts are known by their addresses.
    """
    occupant = record.identity if record else ""
    if record and observation.seen_at < record.last_seen:
        return occupant
    if observation.identity is None:
        return ""
    return observation.identity if observation.up else occupant


def _update_missed(
    observation: Observation,
    record: HostRecord | None,
    identities: Mapping[str, HostRecord],
    comparison: Comparison,
) -> tuple[Missed, ...]:
    """The identities that are missed at the address. Those that are gone now are added to the
    comparison.
    """
    if record is None or observation.identity is None:
        return ()
    is_conclusive = observation.up is False or bool(observation.identity)
    if not is_conclusive or observation.order < record.latest.order:
        return record.missed
    still_missed = []
    for missed in record.missed:
        known = identities.get(missed.identity)
        if known is None or known.identity == observation.identity or not _is_absent(known, missed, observation):
            continue
        if missed.scan_id == observation.scan_id:
            still_missed.append(missed)
        elif gone := _announce_gone(known, observation):
            comparison.gone.append(gone)
    occupant = identities.get(record.identity)
    if occupant and record.is_up and observation.identity != occupant.identity:
        missed = Missed(identity=occupant.identity, seen_at=observation.seen_at, scan_id=observation.scan_id)
        if _is_absent(occupant, missed, observation):
            still_missed.append(missed)
    return tuple(still_missed[-MAX_MISSED_IDENTITIES:])


def _is_absent(known: HostRecord, missed: Missed, observation: Observation) -> bool:
    """No scan has seen the identity since, here or elsewhere."""
    if is_shared(known.places) or known.address != observation.address:
        return False
    return known.places[-1].seen_at < missed.seen_at


def _announce_gone(known: HostRecord, observation: Observation) -> HostUpdate | None:
    absence = Observation(
        address=observation.address, seen_at=observation.seen_at, scan_id=observation.scan_id, up=False
    )
    updated, changes = apply_observation(known, absence)
    gone = tuple(replace(change, identity=known.identity) for change in changes)
    return _to_update(updated, known, gone) if updated else None


def _to_update(updated: HostRecord, known: HostRecord | None, changes: tuple[Change, ...]) -> HostUpdate | None:
    """None: there is nothing to store."""
    if updated == known:
        return None
    revision = known.revision + 1 if known else 1
    return HostUpdate(record=replace(updated, revision=revision), known=known, changes=changes)
