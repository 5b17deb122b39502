"""The file of expected exposure, as it was read: settings, groups, and entries with their lines.

An entry holds an address if one of its networks includes the address, or one of its names is a name
of the host. The narrowest entry decides: the one whose network, range or address has the fewest
addresses. Of entries that are equally narrow, the first in the file decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import msgspec

from cascan.limits import EXPECTATION_EXPIRY_WARNING_DAYS
from cascan.model.finding import Severity
from cascan.model.inventory import PortKey
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import merge_intervals
from cascan.nmap.targets.kinds import IPV4

FIRST_LINE = 1
UNTESTED_AFTER_DAYS = 7
NAME_WIDTH = 1  # a name counts as one address


class AddressRange(msgspec.Struct, frozen=True, order=True):
    """Addresses of one family, both ends included."""

    family: int  # 4 or 6
    low: int
    high: int

    def __str__(self) -> str:
        first, last = _to_address(self.family, self.low), _to_address(self.family, self.high)
        return first if first == last else f"{first}-{last}"

    @property
    def count(self) -> int:
        return self.high - self.low + 1

    def holds(self, address: str) -> bool:
        number = parse_address(address)
        return self.family == number.version and self.low <= int(number) <= self.high

    def addresses(self) -> Iterator[str]:
        for number in range(self.low, self.high + 1):
            yield _to_address(self.family, number)


class HostSelection(msgspec.Struct, frozen=True):
    """Addresses and host names. A name means the hosts that were scanned by it."""

    ranges: tuple[AddressRange, ...] = ()  # as written: they may overlap
    names: tuple[str, ...] = ()  # in lower case

    def find_width(self, address: str, names: Collection[str] = ()) -> int | None:
        """The number of addresses of the narrowest member that holds the host; None: none does.

        `address`: empty: only its name is known.
        """
        holding = [member.count for member in self.ranges if address and member.holds(address)]
        if any(name in self.names for name in names):
            holding.append(NAME_WIDTH)
        return min(holding, default=None)

    @property
    def is_single(self) -> bool:
        """Every member is one address or one name."""
        return all(member.count == 1 for member in self.ranges)

    def count_addresses(self) -> int:
        """How many different addresses it has, names not included."""
        families = ([(m.low, m.high) for m in self.ranges if m.family == family] for family in (4, 6))
        return sum(high - low + 1 for intervals in families for low, high in merge_intervals(intervals))


class HostGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts with one name in the file."""

    name: str
    hosts: HostSelection
    line: int
    owner: str = ""


class ExpectedPorts(msgspec.Struct, frozen=True, order=True):
    """Ports of one protocol, both ends included."""

    protocol: str
    low: int
    high: int

    def __contains__(self, key: PortKey) -> bool:
        protocol, number = key
        return protocol == self.protocol and self.low <= number <= self.high

    def __str__(self) -> str:
        numbers = str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        return numbers if self.protocol == "tcp" else f"{numbers}/{self.protocol}"

    @property
    def keys(self) -> list[PortKey]:
        return [(self.protocol, number) for number in range(self.low, self.high + 1)]


class ExpectedExposure(msgspec.Struct, frozen=True, kw_only=True):
    """One entry under `expected`: hosts that should, or may, be reachable at some ports."""

    line: int  # of the file, from 1
    who: str  # as written: an address, a network, a range, a name or a group
    hosts: HostSelection
    ports: tuple[ExpectedPorts, ...]
    owner: str = ""  # of the group
    service: str = ""  # nmap's name in lower case; empty: any
    vantages: tuple[str, ...] = ()  # empty: any
    until: date | None = None  # the last day, UTC
    why: str = ""
    required: bool = False  # the ports have to be open; False: they may be

    def includes_port(self, key: PortKey) -> bool:
        return any(key in ports for ports in self.ports)

    def includes_vantage(self, vantage: str) -> bool:
        return not self.vantages or vantage in self.vantages

    def is_expired(self, at: datetime) -> bool:
        """Whether its last day is over."""
        return self.until is not None and at.date() > self.until

    def expires_soon(self, at: datetime) -> bool:
        """Whether it is valid, and its last day is EXPECTATION_EXPIRY_WARNING_DAYS ahead or less."""
        if self.until is None or self.is_expired(at):
            return False
        return self.until - at.date() <= timedelta(days=EXPECTATION_EXPIRY_WARNING_DAYS)


class ExposureSettings(msgspec.Struct, frozen=True, kw_only=True):
    confirm: bool = False  # ask for a second look at once
    untested_after_days: int = UNTESTED_AFTER_DAYS
    findings: Severity | None = None  # findings from this severity on become exposures; None: none do
    changes: bool = False  # ports that opened become exposures, whatever is expected


class FileWarning(msgspec.Struct, frozen=True):
    """Something in the file that is allowed, but probably a mistake."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


class ExposureFile(msgspec.Struct, frozen=True, kw_only=True):
    settings: ExposureSettings = ExposureSettings()
    groups: tuple[HostGroup, ...] = ()
    entries: tuple[ExpectedExposure, ...] = ()  # in the order of the file
    warnings: tuple[FileWarning, ...] = ()


def find_group_owner(file: ExposureFile, address: str, names: Collection[str] = ()) -> str:
    """The owner of the narrowest group that holds the host and has one; empty: there is none.

    Of groups that are equally narrow, the first in the file counts.
    """
    lower = {normalize_name(name) for name in names}
    owned = [group for group in file.groups if group.owner]
    widths = [(group.hosts.find_width(address, lower), group.owner) for group in owned]
    holding = [(width, owner) for width, owner in widths if width is not None]
    return min(holding, key=lambda found: found[0], default=(0, ""))[1]


class HoldingEntry(msgspec.Struct, frozen=True):
    """An entry that holds a host, and by how wide a member."""

    width: int
    entry: ExpectedExposure


class ExpectationIndex:
    """Finds the entries that hold a host. The entries of each host are looked up once."""

    def __init__(self, file: ExposureFile) -> None:
        self.file = file
        self._by_host: dict[tuple[str, tuple[str, ...]], tuple[HoldingEntry, ...]] = {}

    def find_entries(self, address: str, names: Collection[str] = ()) -> tuple[HoldingEntry, ...]:
        """The entries that hold the host, the narrowest first."""
        host = address, tuple(sorted(names))
        if host not in self._by_host:
            self._by_host[host] = self._search(address, names)
        return self._by_host[host]

    def _search(self, address: str, names: Collection[str]) -> tuple[HoldingEntry, ...]:
        lower = {normalize_name(name) for name in names}
        holding = []
        for entry in self.file.entries:
            width = entry.hosts.find_width(address, lower)
            if width is not None:
                holding.append(HoldingEntry(width, entry))
        return tuple(sorted(holding, key=lambda found: (found.width, found.entry.line)))


def normalize_name(name: str) -> str:
    """A host name in lower case, without the dot at its end."""
    return name.rstrip(".").lower()


def _to_address(family: int, number: int) -> str:
    return str(IPv4Address(number) if family == IPV4 else IPv6Address(number))
