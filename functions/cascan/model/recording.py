"""How far the recording of a report has come: what the next turn needs to go on where the last one ended."""

from __future__ import annotations

import msgspec

from cascan.model.report import ScanInfo


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a report behind a whole host, and what stood before it that is needed to read on."""

    offset: int  # bytes
    scaninfo: tuple[ScanInfo, ...] = ()
    broken: bool = False  # something before it was damaged


class ReportEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says of itself once it is read to its end."""

    complete: bool = False
    exit: str | None = None
    errormsg: str = ""
    hosts_total: int | None = None
    hosts_counted_up: int | None = None  # by nmap
    given_up: str = ""  # why the rest of it is not recorded


class PublishedChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The changes that were told already, of the addresses up to one."""

    after: str = ""  # that address
    counts: dict[str, int] = {}  # by kind
    baseline: dict[str, int] = {}

    @property
    def number(self) -> int:
        return sum(self.counts.values()) + sum(self.baseline.values())


class Recording(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in the table of a report that is not recorded to its end. Of the same place always the same."""

    place: Place
    turns: int = 0  # that ended before the report did
    hosts_read: int = 0
    hosts_up: int = 0
    hosts_timed_out: int = 0
    timed_out_addresses: tuple[str, ...] = ()  # the first of them
    named_up: tuple[str, ...] = ()  # addresses of names that are up
    elements_up: int = 0  # host elements that are up, recorded or not
    elements_unasked: int = 0  # host elements that nmap only listed
    findings: int = 0
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}
    recorded: int = 0  # addresses that have a record in the inventory
    quarantined: int = 0  # host elements that were kept out
    quarantined_addresses: tuple[str, ...] = ()  # the first of them
    quarantine_reason: str = ""
    noted: tuple[tuple[int, int], ...] = ()  # stretches of the report, whose addresses are kept beside this
    end: ReportEnd | None = None  # it is all read
    told: PublishedChanges = PublishedChanges()

    @property
    def progress(self) -> int:
        """Grows with all that is done."""
        return self.place.offset + self.told.number
