"""How far the recording of a report has come: what the next turn needs to go on where the last one ended."""

from __future__ import annotations

import msgspec

from cascan.model.report import ScanInfo


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a report behind a whole host, and what stood before it that is needed to read on."""

    offset: int  # bytes
    scaninfo: tuple[ScanInfo, ...] = ()
    broken: bool = False  # something before it was damaged


class Recording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in the table of a report that is not recorded to its end. Of the same place always the same."""

    place: Place
    turns: int = 0  # that ended before the report did
    hosts_read: int = 0
    hosts_up: int = 0
    hosts_timed_out: int = 0
    findings: int = 0
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}
    recorded: int = 0  # addresses that have a record in the inventory
    quarantined: int = 0  # host elements that were kept out
    quarantined_addresses: tuple[str, ...] = ()  # the first of them
    quarantine_reason: str = ""
    noted: tuple[tuple[int, int], ...] = ()  # stretches of the report, whose addresses are kept beside this
