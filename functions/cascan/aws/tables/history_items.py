"""The history's items: from looks to DynamoDB's wire form, and back.

what      pk                         sk                                   attributes
────────  ─────────────────────────  ───────────────────────────────────  ──────────────────────────
looks     looks/<vantage>/<network>  <earliest look>/<scan id>/           body (see below),
                                     <shard>.<attempt>/<place>            expires_at
absences  looks/<vantage>/<network>  <end of the run>/<scan id>/          body: intervals in hex,
                                     <shard>.<attempt>/absent/<4 digits>  expires_at
network   looks/<vantage>            <network>
vantage   looks                      <vantage>

An item of looks holds the hosts of a network that one batch of a report had. Where these are few,
it is a wide network, a /16 of IPv4 or a /48 of IPv6; where they are many a narrow one, a /24 or a
/120, so that a reader of one address reads little else. A reader of an address asks both.

The body is JSON, compressed by zlib where that makes it shorter: `services`, `states` of ports that
are not open, and `looks` by the address's last hex digits. A look is a list: microseconds after the
earliest look, offset and length of its host element in the report, 1 if the host was up, indexes of
its states, and its open ports as lists of index of the service, protocol and ports. Looks of one
item lie at most MAX_LOOK_SPAN_S apart. An item is never changed: a report that is recorded again
writes the same items.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from cascan.aws.boundary import chunks
from cascan.aws.dynamodb.wire import Item, Value, build_key, format_instant, unpack_text
from cascan.aws.tables.inventory_items import DIGITS, NETWORK_BITS, expiry_attribute, hex_to_address, to_hex
from cascan.ids import ReportKey
from cascan.limits import (
    MAX_ABSENCES_PER_ITEM,
    MAX_LOOK_SPAN_S,
    MAX_LOOKS_ITEM_CHARS,
    MAX_LOOKS_PER_ITEM,
)
from cascan.model.history import Look, NotOpenPorts, OpenPorts, SeenService
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval

NARROW_BITS = {4: 8, 6: 8}  # by family: the bits that tell the addresses of a narrow network apart
MIN_NARROW = 8  # looks of one batch in a narrow network that are stored under it
LOOK_SPAN = timedelta(seconds=MAX_LOOK_SPAN_S)
ROW_CHARS = 32  # of a look, and of a group of its open ports, beside their ports
MICROSECOND = timedelta(microseconds=1)
UNPACKED_BYTES = 512  # a body up to this length takes no less when it is compressed
VANTAGES = "looks"
ABSENT_MARK = b'"absent":'


class _Row(msgspec.Struct, array_like=True, frozen=True):
    """One look in an item."""

    after_us: int
    offset: int
    length: int
    up: int
    states: tuple[int, ...]
    open_ports: tuple[tuple[int, str, str], ...]


class _Body(msgspec.Struct, frozen=True, omit_defaults=True):
    services: tuple[SeenService, ...] = ()
    states: tuple[NotOpenPorts, ...] = ()
    looks: dict[str, msgspec.Raw] = {}  # by the last digits of the address: lists of rows
    absent: tuple[str, ...] = ()


class LookNetwork(NamedTuple):
    """A network whose looks lie in one partition."""

    family: int
    prefix: int  # the address bits that all of its addresses share
    bits: int  # that tell its addresses apart

    @classmethod
    def around(cls, number: int, family: int, *, narrow: bool) -> LookNetwork:
        bits = (NARROW_BITS if narrow else NETWORK_BITS)[family]
        return cls(family, number >> bits, bits)

    @classmethod
    def parse(cls, name: str) -> LookNetwork:
        family, digits = int(name[0]), name[2:]
        return cls(family, int(digits, 16), (DIGITS[family] - len(digits)) * 4)

    def __str__(self) -> str:
        return f"{self.family}.{self.prefix:0{DIGITS[self.family] - self.bits // 4}x}"

    @property
    def bounds(self) -> Interval:
        return self.prefix << self.bits, (self.prefix + 1 << self.bits) - 1

    def digits_of(self, number: int) -> str:
        """The last digits of an address in it."""
        return f"{number & (1 << self.bits) - 1:0{self.bits // 4}x}"

    def address_of(self, digits: str) -> str:
        number = self.prefix << self.bits | int(digits, 16)
        return hex_to_address(to_hex(number, self.family))


def looks_partition(vantage: str, network: LookNetwork) -> str:
    return f"looks/{vantage}/{network}"


def network_key(vantage: str, network: LookNetwork) -> Item:
    return build_key(f"{VANTAGES}/{vantage}", str(network))


def vantage_key(vantage: str) -> Item:
    return build_key(VANTAGES, vantage)


# ---- from looks to items


def group_looks(looks: Iterable[Look]) -> dict[LookNetwork, list[Look]]:
    """The looks by the network that they are stored under, each in order of time."""
    narrow: dict[LookNetwork, list[Look]] = {}
    for look in sorted(looks, key=lambda look: look.order):
        number = parse_address(look.address)
        network = LookNetwork.around(int(number), number.version, narrow=True)
        narrow.setdefault(network, []).append(look)
    grouped: dict[LookNetwork, list[Look]] = {}
    for network, members in narrow.items():
        if len(members) >= MIN_NARROW:
            grouped[network] = members
            continue
        wide = LookNetwork.around(network.bounds[0], network.family, narrow=False)
        grouped.setdefault(wide, []).extend(members)
    for members in grouped.values():
        members.sort(key=lambda look: look.order)
    return grouped


def looks_items(looks: Sequence[Look], network: LookNetwork, vantage: str, days: int = 0) -> Iterator[Item]:
    """The items of looks of one report and network, which are in order of time.

    `days`: how long they are kept, from their own time on; 0: for ever.
    """
    packer = _Packer(network)
    for look in looks:
        if not packer.add(look):
            yield packer.build_item(vantage, days)
            packer = _Packer(network)
            packer.add(look)
    if packer.looks:
        yield packer.build_item(vantage, days)


class _Packer:
    """Collects the looks of one item.

    Services and states are told apart as objects, since most looks of a report share them: two
    that are equal only make the item a little longer.
    """

    def __init__(self, network: LookNetwork) -> None:
        self._network = network
        self.looks: list[Look] = []
        self._services: dict[int, tuple[int, SeenService]] = {}
        self._states: dict[int, tuple[int, NotOpenPorts]] = {}
        self._rows: dict[str, list[_Row]] = {}
        self._chars = 0

    def add(self, look: Look) -> bool:
        """False: the look needs another item."""
        chars = self._count_chars(look)
        if self.looks and (
            len(self.looks) >= MAX_LOOKS_PER_ITEM
            or look.seen_at - self.looks[0].seen_at > LOOK_SPAN
            or self._chars + chars > MAX_LOOKS_ITEM_CHARS
        ):
            return False
        self._chars += chars
        self.looks.append(look)
        after = look.seen_at - self.looks[0].seen_at
        row = _Row(
            after // MICROSECOND,
            look.offset,
            look.length,
            int(look.is_up),
            tuple([self._add_states(states) for states in look.not_open]),
            tuple([(self._add_service(group.service), group.protocol, group.ports) for group in look.open_ports]),
        )
        digits = self._network.digits_of(int(parse_address(look.address)))
        self._rows.setdefault(digits, []).append(row)
        return True

    def _count_chars(self, look: Look) -> int:
        """About how much longer the look makes the body."""
        chars = ROW_CHARS
        for group in look.open_ports:
            chars += ROW_CHARS + len(group.ports)
            if id(group.service) not in self._services:
                chars += len(msgspec.json.encode(group.service))
        for states in look.not_open:
            if id(states) not in self._states:
                chars += len(msgspec.json.encode(states))
        return chars

    def _add_service(self, service: SeenService) -> int:
        return self._services.setdefault(id(service), (len(self._services), service))[0]

    def _add_states(self, states: NotOpenPorts) -> int:
        return self._states.setdefault(id(states), (len(self._states), states))[0]

    def build_item(self, vantage: str, days: int) -> Item:
        body = {
            "services": [service for _, service in self._services.values()],
            "states": [states for _, states in self._states.values()],
            "looks": self._rows,
        }
        earliest = self.looks[0]
        source = ReportKey(earliest.scan_id, earliest.shard, earliest.attempt)
        # A host may have two elements in a report: in two batches, but never at the same place
        number = int(parse_address(earliest.address))
        place = f"{to_hex(number, self._network.family)}.{earliest.offset:012d}"
        sk = f"{_source_key(earliest.seen_at, source)}/{place}"
        key = build_key(looks_partition(vantage, self._network), sk)
        return key | {"body": _pack(body)} | expiry_attribute(earliest.seen_at, days)


def absence_items(
    intervals: Iterable[Interval],
    network: LookNetwork,
    vantage: str,
    *,
    source: ReportKey,
    seen_at: datetime,
    days: int = 0,
) -> Iterator[Item]:
    """The items of addresses of one network that a report says were not up."""
    for number, page in enumerate(chunks(intervals, MAX_ABSENCES_PER_ITEM)):
        sk = f"{_source_key(seen_at, source)}/absent/{number:04d}"
        key = build_key(looks_partition(vantage, network), sk)
        yield key | absence_body(page, network) | expiry_attribute(seen_at, days)


def absence_body(intervals: Iterable[Interval], network: LookNetwork) -> Item:
    base = network.bounds[0]
    texts = [f"{low - base:x}-{high - base:x}" for low, high in intervals]
    return {"body": _pack({"absent": texts})}


def _source_key(earliest: datetime, source: ReportKey) -> str:
    return f"{format_instant(earliest)}/{source.scan_id}/{source.shard:06d}.{source.attempt}"


def _pack(body: object) -> Value:
    text = msgspec.json.encode(body)
    if len(text) > UNPACKED_BYTES:
        packed = zlib.compress(text)
        if len(packed) < len(text):
            return {"B": packed}
    return {"S": text.decode()}


# ---- from items to looks


def read_earliest(item: Item) -> datetime:
    """The time of the item's earliest look."""
    return datetime.fromisoformat(item["sk"]["S"].partition("/")[0])


class Chosen:
    """Addresses of one network, whose looks are read."""

    def __init__(self, network: LookNetwork, numbers: Iterable[int]) -> None:
        self.network = network
        self.numbers = tuple(sorted(numbers))
        self.digits = tuple(map(network.digits_of, self.numbers))
        self._marks = tuple(f'"{digits}":'.encode() for digits in self.digits)

    def may_be_in(self, text: bytes) -> bool:
        """Whether a body needs to be decoded. Most items of a network hold a part of its hosts."""
        return ABSENT_MARK in text or any(mark in text for mark in self._marks)


def read_looks(item: Item, chosen: Chosen) -> list[Look]:
    """The item's looks at the addresses."""
    text = _body_text(item)
    if not chosen.may_be_in(text):
        return []
    body, earliest, source = msgspec.json.decode(text, type=_Body), read_earliest(item), read_source(item)
    if body.absent:
        intervals = tuple(_parse_absent(body.absent, chosen.network))
        numbers = (number for number in chosen.numbers if _is_within(number, intervals))
        return [_build_absent(number, chosen.network.family, source, earliest) for number in numbers]
    digits = (digits for digits in chosen.digits if digits in body.looks)
    return [look for one in digits for look in _read_rows(body, one, chosen.network, source, earliest)]


def read_all_looks(item: Item, network: LookNetwork) -> list[Look]:
    """All looks that the item lists."""
    body, earliest, source = msgspec.json.decode(_body_text(item), type=_Body), read_earliest(item), read_source(item)
    return [look for digits in body.looks for look in _read_rows(body, digits, network, source, earliest)]


def read_source(item: Item) -> ReportKey:
    """The report that the item was made from."""
    _, scan_id, report, *_ = item["sk"]["S"].split("/")
    shard, _, attempt = report.partition(".")
    return ReportKey(scan_id, int(shard), int(attempt))


def _body_text(item: Item) -> bytes:
    text = unpack_text(item["body"])
    return text.encode() if isinstance(text, str) else text


def _is_within(number: int, intervals: tuple[Interval, ...]) -> bool:
    return any(low <= number <= high for low, high in intervals)


def _read_rows(body: _Body, digits: str, network: LookNetwork, source: ReportKey, earliest: datetime) -> Iterator[Look]:
    address = network.address_of(digits)
    for row in msgspec.json.decode(body.looks[digits], type=list[_Row]):
        yield Look(
            address=address,
            seen_at=earliest + timedelta(microseconds=row.after_us),
            scan_id=source.scan_id,
            shard=source.shard,
            attempt=source.attempt,
            is_up=bool(row.up),
            open_ports=tuple(
                OpenPorts(protocol, ports, body.services[index]) for index, protocol, ports in row.open_ports
            ),
            not_open=tuple(body.states[index] for index in row.states),
            offset=row.offset,
            length=row.length,
        )


def _build_absent(number: int, family: int, source: ReportKey, seen_at: datetime) -> Look:
    return Look(
        address=hex_to_address(to_hex(number, family)),
        seen_at=seen_at,
        scan_id=source.scan_id,
        shard=source.shard,
        attempt=source.attempt,
        is_up=False,
    )


def read_absent(item: Item, network: LookNetwork) -> tuple[Interval, ...]:
    """The addresses that the item says were not up; none of an item of looks."""
    body = msgspec.json.decode(_body_text(item), type=_Body)
    return tuple(_parse_absent(body.absent, network))


def _parse_absent(texts: Iterable[str], network: LookNetwork) -> Iterator[Interval]:
    base = network.bounds[0]
    for text in texts:
        low, high = text.split("-")
        yield base + int(low, 16), base + int(high, 16)
