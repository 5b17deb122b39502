"""What changed in the network: an event for each host and port."""

from __future__ import annotations

import msgspec

from cascan.events.message import BusEvent, build_event_fields
from cascan.ids import derive_event_id
from cascan.model.inventory import Change, ChangeKind, Sighting
from cascan.model.scan import Scan


class ChangeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many changes to the inventory a report or a scan made, by kind."""

    kinds: dict[str, int] = {}  # compared with earlier scans
    baseline: dict[str, int] = {}  # first observations; they have no events of their own
    announced: int = 0  # how many of `kinds` have an event of their own


class HostChange(BusEvent, frozen=True, kw_only=True):
    """A host differs from what the last scan of its address observed."""

    shard: int
    report_key: str
    address: str
    hostname: str
    before: Sighting
    after: Sighting


class PortChange(HostChange, frozen=True, kw_only=True):
    """A port differs from what the last scan that covered it observed."""

    protocol: str
    port: int


class HostAppeared(HostChange, frozen=True, kw_only=True):
    """A host is up at an address where the last scan found none."""


class HostGone(HostChange, frozen=True, kw_only=True):
    """A scan covered the address of a host completely, and the host was not up."""


class HostMoved(HostChange, frozen=True, kw_only=True):
    """A host that is known by an identity is up at another address. `before` and `after` say when it
    was seen at either.
    """

    identity: str
    previous_address: str


class PortOpened(PortChange, frozen=True, kw_only=True):
    """A port is open that was not open before."""


class PortClosed(PortChange, frozen=True, kw_only=True):
    """A port that was open is not open any more: `after` says whether it is closed or filtered."""


class ServiceChanged(PortChange, frozen=True, kw_only=True):
    """The port is still open, with another service, product or version."""


def build_change_event(scan: Scan, shard: int, report_key: str, change: Change, cause_id: str) -> HostChange:
    """The event that announces a change.

    Raises: ValueError: the change is a baseline, which is not announced.
    """
    if change.before is None:
        raise ValueError(f"nothing covered {change.address} before")
    identity = (change.kind.value, change.address, change.protocol, change.port)
    # Two hosts may have changed at one address
    host = (change.identity,) if change.identity else ()
    common = build_event_fields(scan, at=change.after.seen_at, cause_id=cause_id) | {
        "event_id": derive_event_id(report_key, *identity, *host),
        "shard": shard,
        "report_key": report_key,
        "address": change.address,
        "hostname": change.hostname,
        "before": change.before,
        "after": change.after,
    }
    kind = CHANGES[change.kind]
    if issubclass(kind, PortChange):
        return kind(**common, protocol=change.protocol, port=change.port or 0)
    if issubclass(kind, HostMoved):
        return kind(**common, identity=change.identity, previous_address=change.previous_address)
    return kind(**common)


CHANGES: dict[ChangeKind, type[HostChange]] = {
    ChangeKind.HOST_APPEARED: HostAppeared,
    ChangeKind.HOST_GONE: HostGone,
    ChangeKind.HOST_MOVED: HostMoved,
    ChangeKind.PORT_OPENED: PortOpened,
    ChangeKind.PORT_CLOSED: PortClosed,
    ChangeKind.SERVICE_CHANGED: ServiceChanged,
}
