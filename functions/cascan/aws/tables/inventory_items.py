"""The inventory's items: from values to DynamoDB's wire form, and back.

what      pk                                   sk                       attributes
────────  ───────────────────────────────────  ───────────────────────  ──────────────────────────
host      host/<vantage>/<address>             host                     body (the record),
                                                                        revision; if its ports are
                                                                        in pages: pages and
                                                                        page_count
page      host/<vantage>/<address>             ports/<revision>/        body: 384 ports
                                               <report>/<3 digits>
host      host/<vantage>/<identity>            host                     as above; pages as well
changes   changes/<scan id>/<shard>            host/<hex>/<attempt>     body; pages, as above
changes   changes/<scan id>/<shard>            host/<hex>/<attempt>/    the same; of an identity
                                               <identity>
move      changes/<scan id>/<shard>            host/<hex>/<attempt>/    body: one change
                                               <identity>/moved
page      changes/<scan id>/<shard>            pages/<hex>/<attempt>/   body: 200 changes
                                               <revision>/<3 digits>
port set  ports/<digest>                       ports                    body: the ports
asked     network/<vantage>/<network>          asked/<lowest hex>-      body (a sighting), version
                                               <highest hex>

pointer_items.py describes the pointers by which hosts are found. Layout 1 had neither vantages nor
sets of pointers: `address/<address>`, `network/<network>`. Until the inventory is migrated, both
layouts are read, and a record that is only in layout 1 is stored in layout 2 with its next change.

A network is a /16 of IPv4 or a /48 of IPv6: `4.0a00`, `6.20010db80000`. It bounds the writes to one
partition. An address in hex has all its digits, so that the items are in order of the addresses.

A body is packed where that costs fewer write units: a record has a kilobyte mostly, so that a scan
that finds nothing new costs one unit for a host.

Changes and their pages have `expires_at`, the time to live, if the stack has HistoryRetentionDays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from cascan.aws.dynamodb.wire import Item, add_body, build_key, encode_body, format_instant, to_values, unpack_text
from cascan.aws.tables.vantage_keys import host_partition, network_partition
from cascan.ids import ReportKey
from cascan.model.inventory import Change, FirstSeen, HostRecord, PortRecord, Sighting
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval
from cascan.nmap.targets.kinds import IPV4

PORTS_PER_PAGE = 384  # at most 300 KB, however long the texts of their services are
CHANGES_PER_PAGE = 200  # each with two sightings
NETWORK_BITS = {4: 16, 6: 80}  # by family: the bits that tell a network's addresses apart
DIGITS = {4: 8, 6: 32}  # by family: of an address in hex
SHORT_PORTS = 64  # characters; a longer list of ports that many hosts share is stored once
CHANGES_OF_HOST = "host/"
REFERENCE = "@"  # marks the digest that replaces a list of ports


def host_key(address: str, vantage: str = DEFAULT_VANTAGE) -> Item:
    return build_key(host_partition(address, vantage), "host")


def host_key_of_layout_1(address: str) -> Item:
    return build_key(f"address/{address}", "host")


def host_item(record: HostRecord, vantage: str = DEFAULT_VANTAGE, pages: PortPages | None = None) -> Item:
    """The item of a record. `pages`: where its ports are, if the item does not have them."""
    item = host_key(record.key, vantage) | {"revision": {"N": str(record.revision)}}
    if pages:
        item |= {"pages": {"S": pages.prefix}, "page_count": {"N": str(pages.page_count)}}
        record = replace(record, ports=())
    return add_body(item, msgspec.json.encode(record))


class PortPages(NamedTuple):
    """The pages with the ports of a record that has too many for one item."""

    prefix: str  # of their sort keys
    page_count: int


def read_host(item: Item) -> HostRecord:
    return msgspec.json.decode(unpack_text(item["body"]), type=HostRecord)


class _PortTimes(msgspec.Struct):
    protocol: str
    port: int
    first_seen: datetime


class _HostTimes(msgspec.Struct):
    first_seen: datetime
    ports: tuple[_PortTimes, ...] = ()


_decode_times = msgspec.json.Decoder(_HostTimes).decode


def read_times(item: Item) -> FirstSeen:
    """The times in a record whose ports are in the item. To read all of the record takes twice as long."""
    record = _decode_times(unpack_text(item["body"]))
    times: FirstSeen = {(port.protocol, port.port): port.first_seen for port in record.ports}
    times[None] = record.first_seen
    return times


def pages_prefix(record: HostRecord, source: ReportKey) -> str:
    """The sort keys' prefix of the pages of this revision, if this report's update is stored."""
    return f"ports/{record.revision:010d}/{source.scan_id}.{source.shard:06d}.{source.attempt}/"


def port_pages(record: HostRecord, prefix: str, vantage: str = DEFAULT_VANTAGE) -> Iterator[Item]:
    partition = host_partition(record.key, vantage)
    for number, start in enumerate(range(0, len(record.ports), PORTS_PER_PAGE)):
        ports = record.ports[start : start + PORTS_PER_PAGE]
        yield add_body(build_key(partition, f"{prefix}{number:03d}"), msgspec.json.encode(ports))


def read_ports(item: Item) -> tuple[PortRecord, ...]:
    return msgspec.json.decode(unpack_text(item["body"]), type=tuple[PortRecord, ...])


def changes_partition(scan_id: str, shard: int) -> str:
    return f"changes/{scan_id}/{shard:06d}"


def changes_items(source: ReportKey, changes: tuple[Change, ...], revision: int, identity: str = "") -> Iterator[Item]:
    """The items of the changes that led to a revision: pages, if they are many, then the main item.

    All changes are of one address; with `identity`, they are in the record of this identity.
    """
    partition = changes_partition(source.scan_id, source.shard)
    about = f"{address_to_hex(changes[0].address)}/{source.attempt}"
    if identity:
        about = f"{about}/{identity}"
    if len(changes) <= CHANGES_PER_PAGE:
        yield add_body(build_key(partition, f"{CHANGES_OF_HOST}{about}"), msgspec.json.encode(changes))
        return
    pages = f"pages/{about}/{revision:010d}/"
    for number, start in enumerate(range(0, len(changes), CHANGES_PER_PAGE)):
        page = msgspec.json.encode(changes[start : start + CHANGES_PER_PAGE])
        yield add_body(build_key(partition, f"{pages}{number:03d}"), page)
    main_key = build_key(partition, f"{CHANGES_OF_HOST}{about}")
    yield main_key | {"body": encode_body(()), "pages": {"S": pages}}


def move_item(source: ReportKey, move: Change) -> Item:
    """The item of a move, apart from the other changes: earlier versions do not know this kind, and
    skip the whole item.
    """
    partition = changes_partition(source.scan_id, source.shard)
    sk = f"{CHANGES_OF_HOST}{address_to_hex(move.address)}/{source.attempt}/{move.identity}/moved"
    return add_body(build_key(partition, sk), msgspec.json.encode((move,)))


def expiry_attribute(now: datetime, days: int) -> Item:
    """The attribute that lets an item of the history expire after so many days. Empty: 0 days."""
    if not days:
        return {}
    return to_values({"expires_at": int((now + timedelta(days=days)).timestamp())})


def read_changes(item: Item) -> tuple[Change, ...]:
    return msgspec.json.decode(unpack_text(item["body"]), type=tuple[Change, ...])


def read_pages_prefix(item: Item) -> str:
    return str(item["pages"]["S"]) if "pages" in item else ""


def digest_ports(ports: str) -> str:
    return hashlib.sha256(ports.encode()).hexdigest()[:24]


def port_set_key(digest: str) -> Item:
    return build_key(f"ports/{digest}", "ports")


def asked_item(interval: Interval, family: int, asked: Sighting, vantage: str = DEFAULT_VANTAGE) -> Item:
    low, high = (to_hex(number, family) for number in interval)
    version = f"{format_instant(asked.seen_at)}#{asked.scan_id}"
    partition = network_partition(find_network(interval[0], family), vantage)
    key = build_key(partition, f"asked/{low}-{high}")
    return key | {"body": encode_body(asked), "version": {"S": version}}


def read_asked(item: Item) -> tuple[Interval, Sighting]:
    low, high = item["sk"]["S"].removeprefix("asked/").split("-")
    sighting = msgspec.json.decode(unpack_text(item["body"]), type=Sighting)
    return (int(low, 16), int(high, 16)), sighting


def find_network(number: int, family: int) -> str:
    bits = NETWORK_BITS[family]
    return f"{family}.{number >> bits:0{DIGITS[family] - bits // 4}x}"


def network_bounds(network: str) -> tuple[int, Interval]:
    """The network's family, its lowest and its highest address."""
    family, prefix = int(network[0]), int(network[2:], 16)
    bits = NETWORK_BITS[family]
    return family, (prefix << bits, (prefix + 1 << bits) - 1)


def split_by_network(interval: Interval, family: int) -> Iterator[Interval]:
    """The interval, split at the borders of networks."""
    low, high = interval
    while low <= high:
        end = min(high, low | (1 << NETWORK_BITS[family]) - 1)
        yield low, end
        low = end + 1


def address_to_hex(address: str) -> str:
    number = parse_address(address)
    return to_hex(int(number), number.version)


def to_hex(number: int, family: int) -> str:
    return f"{number:0{DIGITS[family]}x}"


def hex_to_address(digits: str) -> str:
    number = int(digits, 16)
    return str(IPv4Address(number) if len(digits) == DIGITS[IPV4] else IPv6Address(number))
