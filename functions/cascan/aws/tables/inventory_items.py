"""The inventory's items: from values to DynamoDB's wire form, and back.

what      pk                                   sk                       attributes
────────  ───────────────────────────────────  ───────────────────────  ──────────────────────────
host      address/<address>                    host                     body (the record),
                                                                        revision; if its ports are
                                                                        in pages: pages and
                                                                        page_count
page      address/<address>                    ports/<revision>/        body: 1,024 ports
                                               <report>/<3 digits>
changes   changes/<scan id>/<shard>            host/<hex>/<attempt>     body; pages, as above
page      changes/<scan id>/<shard>            pages/<hex>/<attempt>/   body: 500 changes
                                               <revision>/<3 digits>
port set  ports/<digest>                       ports                    body: the ports
asked     network/<network>                    asked/<lowest hex>-      body (a sighting), version
                                               <highest hex>
pointer   network/<network>/host               <hex>
          network/<network>/<protocol>/<port>  <hex>
          network/<network>/service/<name>     <hex>
network   networks                             <network>

Changes and their pages have `expires_at`, the time to live, if the stack has HistoryRetentionDays.

A network is a /16 of IPv4 or a /48 of IPv6: `4.0a00`, `6.20010db80000`. It bounds the writes to one
partition. An address in hex has all its digits, so that the items are in order of the addresses.

A pointer means that a host was known, a port open, or a service present at some time. It is written
before the record and never deleted. A query follows the pointers and checks the records. So a
pointer without a matching record does no harm, whatever fails between two writes; and a scan that
finds nothing new writes no pointers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address

import msgspec
from msgspec.structs import replace

from cascan.aws.dynamodb.wire import Item, build_key, encode_body, format_instant, to_values, unpack_text
from cascan.ids import ReportKey
from cascan.model.inventory import Change, HostRecord, PortRecord, Sighting
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval
from cascan.nmap.targets.kinds import IPV4

PORTS_PER_PAGE = 1_024  # at most 300 KB, however long the names of their services are
CHANGES_PER_PAGE = 500  # each with two sightings
NETWORK_BITS = {4: 16, 6: 80}  # by family: the bits that tell a network's addresses apart
DIGITS = {4: 8, 6: 32}  # by family: of an address in hex
SHORT_PORTS = 64  # characters; a longer list of ports that many hosts share is stored once
CHANGES_OF_HOST = "host/"
REFERENCE = "@"  # marks the digest that replaces a list of ports


def host_key(address: str) -> Item:
    return build_key(f"address/{address}", "host")


def host_item(record: HostRecord) -> Item:
    revision = {"N": str(record.revision)}
    return host_key(record.address) | {"body": encode_body(record), "revision": revision}


def paged_host_item(record: HostRecord, token: str, pages: int) -> Item:
    """The item of a record whose ports are in so many pages."""
    item = host_item(replace(record, ports=()))
    return item | {"pages": {"S": token}, "page_count": {"N": str(pages)}}


def read_host(item: Item) -> HostRecord:
    return msgspec.json.decode(unpack_text(item["body"]), type=HostRecord)


def pages_prefix(record: HostRecord, source: ReportKey) -> str:
    """The sort keys' prefix of the pages of this revision, if this report's update is stored."""
    return f"ports/{record.revision:010d}/{source.scan_id}.{source.shard:06d}.{source.attempt}/"


def port_pages(record: HostRecord, token: str) -> Iterator[Item]:
    for number, start in enumerate(range(0, len(record.ports), PORTS_PER_PAGE)):
        body = encode_body(record.ports[start : start + PORTS_PER_PAGE])
        yield build_key(f"address/{record.address}", f"{token}{number:03d}") | {"body": body}


def read_ports(item: Item) -> tuple[PortRecord, ...]:
    return msgspec.json.decode(unpack_text(item["body"]), type=tuple[PortRecord, ...])


def changes_partition(scan_id: str, shard: int) -> str:
    return f"changes/{scan_id}/{shard:06d}"


def changes_items(source: ReportKey, changes: tuple[Change, ...], revision: int) -> Iterator[Item]:
    """The items of the changes that led to a revision: pages, if they are many, then the main item.

    All changes are of one address.
    """
    partition = changes_partition(source.scan_id, source.shard)
    about = f"{address_to_hex(changes[0].address)}/{source.attempt}"
    if len(changes) <= CHANGES_PER_PAGE:
        yield build_key(partition, f"{CHANGES_OF_HOST}{about}") | {"body": encode_body(changes)}
        return
    pages = f"pages/{about}/{revision:010d}/"
    for number, start in enumerate(range(0, len(changes), CHANGES_PER_PAGE)):
        body = encode_body(changes[start : start + CHANGES_PER_PAGE])
        yield build_key(partition, f"{pages}{number:03d}") | {"body": body}
    main_key = build_key(partition, f"{CHANGES_OF_HOST}{about}")
    yield main_key | {"body": encode_body(()), "pages": {"S": pages}}


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


def asked_item(interval: Interval, family: int, asked: Sighting) -> Item:
    low, high = (to_hex(number, family) for number in interval)
    version = f"{format_instant(asked.seen_at)}#{asked.scan_id}"
    key = build_key(f"network/{find_network(interval[0], family)}", f"asked/{low}-{high}")
    return key | {"body": encode_body(asked), "version": {"S": version}}


def read_asked(item: Item) -> tuple[Interval, Sighting]:
    low, high = item["sk"]["S"].removeprefix("asked/").split("-")
    sighting = msgspec.json.decode(unpack_text(item["body"]), type=Sighting)
    return (int(low, 16), int(high, 16)), sighting


def new_pointers(record: HostRecord, previous: HostRecord | None) -> Iterator[Item]:
    """The pointers to a record that its previous revision did not need."""
    number = parse_address(record.address)
    network, sk = find_network(int(number), number.version), address_to_hex(record.address)
    if previous is None:
        yield build_key("networks", network)
        yield build_key(host_pointers(network), sk)
    known_ports = {port.key: port.latest for port in previous.ports} if previous else {}
    services = {latest.service for latest in known_ports.values()}
    for port in record.ports:
        if port.key not in known_ports:
            yield build_key(port_pointers(network, *port.key), sk)
        service = port.latest.service
        if service and service not in services:
            services.add(service)
            yield build_key(service_pointers(network, service), sk)


def host_pointers(network: str) -> str:
    return f"network/{network}/host"


def port_pointers(network: str, protocol: str, port: int) -> str:
    return f"network/{network}/{protocol}/{port}"


def service_pointers(network: str, service: str) -> str:
    return f"network/{network}/service/{service}"


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
