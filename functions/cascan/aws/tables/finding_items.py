"""The findings of scans, in the scan table: the findings of a host are one item.

what      pk                           sk                              attributes
────────  ───────────────────────────  ──────────────────────────────  ─────────────────────────────
findings  findings/<scan id>/hosts     <address>/<shard>.<attempt>/    body (a line of JSON for each
          [/<digit>]                   <place>/<page>                  finding), findings (number)

An address is `4.0a000005`, so that the items are in order of the addresses, IPv4 first. `place`
tells the elements of one report apart that have the same address. DynamoDB bills a write by the
kilobyte, so a body is packed unless the item has less; and a host with many findings has pages.

A delivery that repeats rewrites the same items. Where an address has several, from two attempts at
a shard or from two elements, a finding counts once: as the latest attempt has it.

A partition of DynamoDB accepts 1,000 kilobytes a second. So the findings of a scan that may find
many are spread over 16 partitions, by a digest of their /24 network, or /120 of IPv6. A reader
merges them.

Layout 1 has an item for each finding, which is still read and written for scans that began with it:

finding   findings/<scan id>           <finding id>                    body, severity, category
          [/<its prefix>]

They are spread by the first `spread` digits of their id, and are read in order of their ids.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from heapq import merge
from itertools import chain, groupby, product

import msgspec

from cascan.aws.dynamodb.table import DynamoTable
from cascan.aws.dynamodb.wire import (
    Item,
    add_body,
    build_key,
    pack_text,
    readable_items,
    unpack_text,
)
from cascan.aws.tables.items import LAYOUT, ScanLayout
from cascan.aws.tables.scan_layouts import ScanLayouts
from cascan.errors import GatewayUnavailable
from cascan.findings.by_host import address_key, find_address, read_address_key
from cascan.findings.truncate_finding import truncate_finding
from cascan.gateways import FindingReplacement
from cascan.ids import ReportKey
from cascan.limits import MAX_FINDING_BYTES
from cascan.model.finding import Finding, FindingLine, HostFindings
from cascan.stored import DAMAGE, read_all_stored

PAGE_BYTES = MAX_FINDING_BYTES  # of findings in one item, before they are packed
MERGED_PAGE_ITEMS = 256  # read at once of each of 16 partitions, all of which are in memory
decode_finding = msgspec.json.Decoder(Finding).decode
decode_list = msgspec.json.Decoder(list[Finding]).decode
NETWORK_DIGITS = 2  # the last hex digits of an address, which do not decide on the partition
HEX = "0123456789abcdef"


class FindingItems(ScanLayouts):
    """The part of ScanTable for findings."""

    def put_findings(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self._table.put_all(self._build_items(scan_id, hosts, source))

    def _build_items(self, scan_id: str, hosts: Iterable[HostFindings], source: ReportKey | None) -> Iterator[Item]:
        layout = self._find_layout(scan_id)
        if layout.findings < LAYOUT:
            findings = chain.from_iterable(host.findings for host in hosts)
            spread = layout.spread
            return (finding_item(scan_id, finding, spread, source) for finding in findings)
        return (item for host in hosts for item in host_items(scan_id, host, layout.spread, source))

    def replace_findings(self, scan_id: str) -> FindingReplacement:
        return _Replacement(
            self._table,
            build_items=partial(self._build_items, scan_id),
            list_keys=partial(self._keys_of_findings, scan_id),
        )

    def findings(self, scan_id: str) -> Iterator[Finding]:
        layout = self._find_layout(scan_id)
        if layout.findings < LAYOUT:
            return self._single_findings(scan_id, layout)
        items = self._items_by_address(scan_id, layout.spread)
        groups = groupby(items, key=_address_part)
        return chain.from_iterable(_merge_items(list(group)) for _, group in groups)

    def findings_by_host(self, scan_id: str) -> Iterator[tuple[str, Iterable[Finding]]]:
        layout = self._find_layout(scan_id)
        if layout.findings < LAYOUT:
            for finding in self._single_findings(scan_id, layout):
                yield find_address(finding), (finding,)
            return
        for key, group in groupby(self._items_by_address(scan_id, layout.spread), key=_address_part):
            yield read_address_key(key), _merge_items(list(group))

    def findings_at(self, scan_id: str, addresses: Collection[str]) -> dict[str, list[Finding]]:
        layout = self._find_layout(scan_id)
        if layout.findings < LAYOUT or not addresses:
            return {}
        keys = sorted(map(address_key, addresses))
        by_key = {address_key(address): address for address in addresses}
        items = self._table.between(_hosts_partition(scan_id, keys[0], layout.spread), keys[0], f"{keys[-1]}/~")
        groups = ((by_key.get(key), list(group)) for key, group in groupby(items, key=_address_part))
        return {address: list(_merge_items(group)) for address, group in groups if address}

    def _items_by_address(self, scan_id: str, spread: int) -> Iterator[Item]:
        page_items = MERGED_PAGE_ITEMS if spread else 0
        partitions = (self._table.partition(pk, page_items=page_items) for pk in hosts_partitions(scan_id, spread))
        return merge(*partitions, key=lambda item: str(item["sk"]["S"]))

    def _single_findings(self, scan_id: str, layout: ScanLayout) -> Iterator[Finding]:
        for partition in findings_partitions(scan_id, layout.spread):
            yield from readable_items(self._table.partition(partition), read_finding)
        if self._find_layout(scan_id) != layout:
            migrated = f"the findings of {scan_id} were migrated while they were read"
            raise GatewayUnavailable(f"scan table: {migrated}; read them again")

    def _keys_of_findings(self, scan_id: str) -> Iterator[Item]:
        layout = self._find_layout(scan_id)
        if layout.findings < LAYOUT or layout.has_earlier_findings:
            for partition in findings_partitions(scan_id, layout.spread):
                yield from self._table.keys(partition)
        # Of a scan of layout 1, a migration may have copied some
        for partition in hosts_partitions(scan_id, layout.spread):
            yield from self._table.keys(partition)


class _Replacement:
    """FindingReplacement in the table."""

    def __init__(
        self,
        table: DynamoTable,
        build_items: Callable[[Iterable[HostFindings], ReportKey | None], Iterator[Item]],
        list_keys: Callable[[], Iterator[Item]],
    ) -> None:
        self.table = table
        self.build_items = build_items
        self.list_keys = list_keys
        self._written: set[tuple[str, str]] = set()  # keys

    def put(self, hosts: Iterable[HostFindings], source: ReportKey | None = None) -> None:
        self.table.put_all(map(self._note, self.build_items(hosts, source)))

    def remove_others(self) -> None:
        self.table.delete_all([key for key in self.list_keys() if _read_key(key) not in self._written])

    def _note(self, item: Item) -> Item:
        self._written.add(_read_key(item))
        return item


def _read_key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


# ---- layout 2


def hosts_partitions(scan_id: str, spread: int) -> Iterator[str]:
    """Every partition of the scan's findings, in no order of addresses.

    `spread`: 0 for one partition; otherwise there are 16.
    """
    base = f"findings/{scan_id}/hosts"
    return (f"{base}/{digit}" for digit in HEX) if spread else iter((base,))


def host_items(scan_id: str, host: HostFindings, spread: int = 0, source: ReportKey | None = None) -> Iterator[Item]:
    """The items of a host's findings, in pages of PAGE_BYTES."""
    address = address_key(host.address)
    pk = _hosts_partition(scan_id, address, spread)
    report = f"{source.shard:06d}.{source.attempt:04d}" if source else "000000.0000"
    element = f"{address}/{report}/{host.place:012d}"
    for number, lines in enumerate(_split_into_pages(host.findings, source)):
        page = build_key(pk, f"{element}/{number:04d}")
        page["findings"] = {"N": str(len(lines))}
        yield add_body(page, b"\n".join(lines))


def _hosts_partition(scan_id: str, address: str, spread: int) -> str:
    """`address`: its key."""
    pk = f"findings/{scan_id}/hosts"
    if not spread:
        return pk
    network = zlib.crc32(address[:-NETWORK_DIGITS].encode())
    return f"{pk}/{HEX[network % len(HEX)]}"


def _split_into_pages(findings: Iterable[Finding | FindingLine], source: ReportKey | None) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    for finding in findings:
        line = encode_finding(finding, source)
        size += len(line) + 1
        if lines and size > PAGE_BYTES:
            yield lines
            lines, size = [], len(line) + 1
        lines.append(line)
    if lines:
        yield lines


def read_lines(item: Item) -> list[bytes]:
    """The findings of an item, each as JSON."""
    text = unpack_text(item["body"])
    return (text if isinstance(text, bytes) else text.encode()).split(b"\n")


def readable_findings(item: Item) -> Iterator[Finding]:
    """The findings of an item that can be read. Others are logged and skipped."""
    for lines in readable_items([item], read_lines):
        try:
            yield from decode_list(b"[" + b",".join(lines) + b"]")
        except (ValueError, RecursionError):  # another version may have written one of them
            yield from read_all_stored(lines, decode_finding, _describe_line)


def _describe_line(line: bytes) -> str:
    return f"a finding in the table ({line[:60]!r})"


def _merge_items(items: list[Item]) -> Iterator[Finding]:
    """The findings of one address. Of those with the same id, the one in the latest element."""
    if len(items) == 1:
        yield from readable_findings(items[0])
        return
    latest: dict[str, int] = {}  # by finding id, the index of the item that has the latest
    for index, item in enumerate(items):
        for finding_id in _read_ids(item):
            earlier = items[latest.setdefault(finding_id, index)]
            # Pages that an earlier delivery left behind follow those of the latest
            if _element_part(earlier) != _element_part(item):
                latest[finding_id] = index
    for index, item in enumerate(items):
        for finding in readable_findings(item):
            if latest.get(finding.id) == index:
                yield finding


def _read_ids(item: Item) -> Iterator[str]:
    with suppress(*DAMAGE):  # readable_findings logs it
        for line in read_lines(item):
            with suppress(*DAMAGE):
                yield msgspec.json.decode(line, type=_Identified).id


class _Identified(msgspec.Struct):
    id: str


def _address_part(item: Item) -> str:
    return str(item["sk"]["S"]).partition("/")[0]


def _element_part(item: Item) -> str:
    return str(item["sk"]["S"]).rpartition("/")[0]


# ---- layout 1


def findings_partition(scan_id: str, prefix: str) -> str:
    """`prefix`: the first digits of the findings' ids, as many as the scan's spread."""
    return f"findings/{scan_id}/{prefix}" if prefix else f"findings/{scan_id}"


def findings_partitions(scan_id: str, spread: int) -> Iterator[str]:
    """Every partition of the scan's findings, in order of the ids that they hold."""
    for digits in product(HEX, repeat=spread):
        yield findings_partition(scan_id, "".join(digits))


def finding_item(
    scan_id: str, finding: Finding | FindingLine, spread: int = 0, source: ReportKey | None = None
) -> Item:
    return {
        "pk": {"S": findings_partition(scan_id, finding.id[:spread])},
        "sk": {"S": finding.id},
        "severity": {"S": str(finding.severity)},
        "category": {"S": finding.category},
        "body": pack_text(encode_finding(finding, source)),
    }


def encode_finding(finding: Finding | FindingLine, source: ReportKey | None) -> bytes:
    """The finding as JSON. A long one is truncated: a host decides how much a script prints."""
    text = finding.encoded if isinstance(finding, FindingLine) else msgspec.json.encode(finding)
    if len(text) > MAX_FINDING_BYTES:  # before compression, since a reader has to unpack it
        long_finding = msgspec.json.decode(text, type=Finding)
        text = msgspec.json.encode(truncate_finding(long_finding, source))
    return text


def read_finding(item: Item) -> Finding:
    return msgspec.json.decode(unpack_text(item["body"]), type=Finding)
