"""How far the recording of a report has come: what the next turn needs to go on where the last one
ended.
"""

from __future__ import annotations

import msgspec

from cascan.model.report import ScanInfo


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in a report right after a whole host, and what is needed to read on from there."""

    offset: int  # bytes
    scaninfo: tuple[ScanInfo, ...] = ()  # read so far
    broken: bool = False  # something before the place was damaged


class ReportEnd(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report says of itself once it is read to its end."""

    complete: bool = False  # the document is there to its end
    exit: str | None = None  # nmap's own word: `success` or `error`
    errormsg: str = ""
    hosts_total: int | None = None
    # By nmap, which may list fewer; None: it did not get to count
    hosts_counted_up: int | None = None
    given_up: str = ""  # why the remaining hosts are not recorded


class PublishedChanges(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The changes that earlier turns published: those of every address up to one."""

    after_address: str = msgspec.field(name="after", default="")  # that address
    counts: dict[str, int] = {}  # by kind
    baseline: dict[str, int] = {}  # by kind

    @property
    def total(self) -> int:
        return sum(self.counts.values()) + sum(self.baseline.values())


class ReportCounts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a report holds, counted while it is read. A host with two elements is counted once."""

    hosts_read: int = 0
    hosts_up: int = 0
    hosts_timed_out: int = 0
    timed_out_addresses: tuple[str, ...] = ()  # at most MAX_LISTED_REASONS
    named_up: tuple[str, ...] = ()  # addresses of names that are up
    elements_up: int = 0  # host elements that are up, recorded or not
    elements_unasked: int = 0  # host elements of a list scan (-sL), which sends no probe
    findings: int = 0
    severities: dict[str, int] = {}
    categories: dict[str, int] = {}
    quarantined: int = 0  # host elements
    quarantined_addresses: tuple[str, ...] = ()  # at most MAX_QUARANTINED_ADDRESSES
    quarantine_reason: str = ""  # of the first of them

    @property
    def base(self) -> ReportCounts:
        """The counts alone, of a value that holds more."""
        return ReportCounts(**{name: getattr(self, name) for name in ReportCounts.__struct_fields__})


class Recording(ReportCounts, frozen=True, kw_only=True, omit_defaults=True):
    """A checkpoint: what the table holds of a report that is not recorded to its end. One place
    gives one value.
    """

    place: Place
    turns: int = 0  # that ended before the report did
    recorded: int = 0  # addresses that have a record in the inventory
    # Whose addresses are stored
    stretches: tuple[tuple[int, int], ...] = msgspec.field(name="noted", default=())
    end: ReportEnd | None = None  # None: the report is not read to its end
    published: PublishedChanges = msgspec.field(name="told", default=PublishedChanges())

    @property
    def progress(self) -> int:
        """Grows with all that is done."""
        return self.place.offset + self.published.total
