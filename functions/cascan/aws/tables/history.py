"""The history in the scan table. history_items.py describes the items.

Looks are written after the records of their hosts, and never changed. The order of two reports does
not matter, nor does a report that is recorded twice.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from cascan.aws.dynamodb.batch_read import get_all
from cascan.aws.dynamodb.table import DynamoTable, Page, TablePart
from cascan.aws.dynamodb.wire import Item, build_key, format_instant, readable_items
from cascan.aws.tables.history_items import (
    LOOK_SPAN,
    VANTAGES,
    Chosen,
    LookNetwork,
    absence_body,
    absence_items,
    group_looks,
    looks_items,
    looks_partition,
    network_key,
    read_absent,
    read_all_looks,
    read_earliest,
    read_looks,
    vantage_key,
)
from cascan.aws.tables.inventory_items import REFERENCE, split_by_network
from cascan.aws.tables.port_sets import PortSets
from cascan.ids import ReportKey
from cascan.model.history import Look, NetworkQuery, NotOpenPorts
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import parse_address
from cascan.nmap.intervals import Interval, subtract_intervals

ITEMS_AT_ONCE = 16  # of a partition, at first: the looks of two or three nights at a /24 full of hosts
MAX_KNOWN_NETWORKS = 10_000  # kept in memory, of those that the table lists
MAX_WIDE_NETWORKS = 256  # whose lists are kept in memory; each has up to 257 names
LISTED_FOR = timedelta(seconds=5)  # how long a reader relies on the list of networks that have looks
BEGINNING = "0"  # sorts before every time

_Pages = Iterator[tuple[datetime, list[Look]]]  # the looks of an item, with the time of its earliest


class _Listed(NamedTuple):
    """The names of the networks in a wide network that have looks, as they were listed at a time."""

    names: frozenset[str]
    read_at: datetime


class _Stretch(NamedTuple):
    """The items of a partition with a sort key from `low` to `high`, read in one direction."""

    vantage: str
    chosen: Chosen
    low: str
    high: str
    newest_first: bool

    @property
    def pk(self) -> str:
        return looks_partition(self.vantage, self.chosen.network)

    def build_first_query(self) -> dict[str, Any]:
        """A query for the first items. They may lie beyond the end of the stretch.

        A start key needs no condition, which the emulator evaluates for every item of the partition.
        """
        start = self.high if self.newest_first else self.low  # no item has this sort key
        return {
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": self.pk}},
            "ExclusiveStartKey": build_key(self.pk, start),
            "ConsistentRead": True,
            "ScanIndexForward": not self.newest_first,
            "Limit": ITEMS_AT_ONCE,
        }


class HistoryItems(TablePart):
    """The part of ScanTable for the history."""

    history_days = 0  # how long a look is kept, from its own time on; 0: for ever

    def __init__(self, table: DynamoTable) -> None:
        super().__init__(table)
        self._look_ports = PortSets(table)
        self._listed: set[tuple[str, str]] = set()  # keys of networks and vantages
        self._with_looks: dict[tuple[str, LookNetwork], _Listed] = {}  # by vantage and wide network

    # ---- writing

    def store_looks(
        self,
        looks: Iterable[Look],
        *,
        shared_ports: Collection[str] = (),
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        grouped = group_looks(self._refer_ports(looks, frozenset(shared_ports)))
        self._list_networks(vantage, grouped)
        items = (looks_items(members, network, vantage, self.history_days) for network, members in grouped.items())
        self._table.put_all(chain.from_iterable(items))

    def store_absences(
        self,
        source: ReportKey,
        family: int,
        intervals: Iterable[Interval],
        seen_at: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> None:
        by_network: dict[LookNetwork, list[Interval]] = {}
        for interval in intervals:
            for low, high in split_by_network(interval, family):
                network = LookNetwork.around(low, family, narrow=False)
                by_network.setdefault(network, []).append((low, high))
        self._list_networks(vantage, by_network)
        items = (
            absence_items(members, network, vantage, source=source, seen_at=seen_at, days=self.history_days)
            for network, members in by_network.items()
        )
        self._table.put_all(chain.from_iterable(items))

    def _list_networks(self, vantage: str, networks: Iterable[LookNetwork]) -> None:
        """Add the networks to the list of those that have looks; mostly they are in it."""
        keys = [vantage_key(vantage), *(network_key(vantage, network) for network in networks)]
        unknown = {_key_of(key): key for key in keys if _key_of(key) not in self._listed}
        if len(keys) == 1 or not unknown:
            return
        self._with_looks.clear()
        listed = {_key_of(item) for item in get_all(self._table.name, unknown.values())}
        self._table.put_all(key for name, key in unknown.items() if name not in listed)
        if len(self._listed) + len(unknown) > MAX_KNOWN_NETWORKS:
            self._listed.clear()
        self._listed.update(unknown)

    def _refer_ports(self, looks: Iterable[Look], shared: frozenset[str]) -> Iterator[Look]:
        """The looks with long lists of ports that many of them share replaced by references."""
        # By the states that most looks have in common, as objects; both are kept for that long
        referred: dict[int, tuple[NotOpenPorts, NotOpenPorts]] = {}
        for look in looks:
            if not any(states.ports in shared for states in look.not_open):
                yield look
                continue
            for states in look.not_open:
                if id(states) not in referred:
                    referred[id(states)] = states, self._refer(states, shared)
            yield replace(look, not_open=tuple(referred[id(states)][1] for states in look.not_open))

    def _refer(self, states: NotOpenPorts, shared: frozenset[str]) -> NotOpenPorts:
        return replace(states, ports=self._look_ports.refer(states.ports)) if states.ports in shared else states

    # ---- reading

    def looks_until(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        since: datetime | None = None,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        (looks,) = self.looks_until_by_network([NetworkQuery(addresses, since)], moment, vantage=vantage)
        return looks

    def looks_until_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        high = f"{format_instant(moment)}~"
        by_query = [
            self._list_stretches(query, vantage, _find_low(query), high, newest_first=True) for query in queries
        ]
        streams = self._read_stretches(by_query)
        return [self._look_back(pages, moment, query.since) for pages, query in zip(streams, queries, strict=True)]

    def _look_back(self, pages: list[_Pages], moment: datetime, since: datetime | None) -> Iterator[Look]:
        ordered = (_newest_first(looks) for looks in pages)
        for look in _merge_streams(ordered, newest_first=True):
            if since and look.seen_at < since:
                return
            if look.seen_at <= moment:
                yield self._resolve_ports(look)

    def looks_after(
        self,
        addresses: Collection[str],
        moment: datetime,
        *,
        vantage: str = DEFAULT_VANTAGE,
    ) -> Iterator[Look]:
        (looks,) = self.looks_after_by_network([NetworkQuery(addresses)], moment, vantage=vantage)
        return looks

    def looks_after_by_network(
        self, queries: Sequence[NetworkQuery], moment: datetime, *, vantage: str = DEFAULT_VANTAGE
    ) -> list[Iterator[Look]]:
        low = format_instant(moment - LOOK_SPAN)
        by_query = [self._list_stretches(query, vantage, low, "~", newest_first=False) for query in queries]
        return [self._look_ahead(pages, moment) for pages in self._read_stretches(by_query)]

    def _look_ahead(self, pages: list[_Pages], moment: datetime) -> Iterator[Look]:
        ordered = (_oldest_first(looks) for looks in pages)
        for look in _merge_streams(ordered, newest_first=False):
            if look.seen_at > moment:
                yield self._resolve_ports(look)

    def history_vantages(self) -> Iterator[str]:
        return (item["sk"]["S"] for item in self._table.keys(VANTAGES))

    def _list_stretches(
        self, query: NetworkQuery, vantage: str, low: str, high: str, *, newest_first: bool
    ) -> list[_Stretch]:
        """Where the looks at the addresses are, in one partition or two."""
        if not query.addresses:
            return []
        parsed = [parse_address(address) for address in query.addresses]
        numbers, family = frozenset(map(int, parsed)), parsed[0].version
        narrow, wide = (LookNetwork.around(int(parsed[0]), family, narrow=narrow) for narrow in (True, False))
        listed = self._list_with_looks(vantage, wide)
        return [
            _Stretch(vantage, Chosen(network, numbers), low, high, newest_first)
            for network in (narrow, wide)
            if str(network) in listed
        ]

    def _list_with_looks(self, vantage: str, wide: LookNetwork) -> frozenset[str]:
        """The names of the networks in the wide network, and its own, that have looks.

        One query saves one for every partition without looks. A network is listed before its looks
        are stored.
        """
        now = self._table.clock()
        known = self._with_looks.get((vantage, wide))
        if known is None or not known.read_at <= now < known.read_at + LISTED_FOR:
            items = self._table.between(f"{VANTAGES}/{vantage}", str(wide), f"{wide}~")
            known = _Listed(frozenset(item["sk"]["S"] for item in items), now)
            if len(self._with_looks) >= MAX_WIDE_NETWORKS:
                self._with_looks.clear()
            self._with_looks[vantage, wide] = known
        return known.names

    def _read_stretches(self, by_query: list[list[_Stretch]]) -> list[list[_Pages]]:
        """The looks of each stretch by item, in order; the first items of all of them are read at once."""
        firsts = iter(self._table.first_pages(stretch.build_first_query() for stretch in chain.from_iterable(by_query)))
        return [[self._read_looks(stretch, next(firsts)) for stretch in stretches] for stretches in by_query]

    def _read_looks(self, stretch: _Stretch, first: Page) -> _Pages:
        items = self._read_items(stretch, first)
        return readable_items(items, lambda item: (read_earliest(item), read_looks(item, stretch.chosen)))

    def _read_items(self, stretch: _Stretch, first: Page) -> Iterator[Item]:
        """The items of the first page, which mostly decide, then those after it."""
        low, high = stretch.low, stretch.high
        yield from (item for item in first.items if low <= item["sk"]["S"] <= high)
        if first.end is None:
            return
        reached = first.end["sk"]["S"]
        low, high = (low, reached) if stretch.newest_first else (reached, high)
        if low < high:
            further = self._table.query(
                KeyConditionExpression="pk = :pk AND sk BETWEEN :low AND :high",
                ExpressionAttributeValues={":pk": {"S": stretch.pk}, ":low": {"S": low}, ":high": {"S": high}},
                ConsistentRead=True,
                ScanIndexForward=not stretch.newest_first,
            )
            yield from (item for item in further if item["sk"]["S"] != reached)

    def _resolve_ports(self, look: Look) -> Look:
        if not any(group.ports.startswith(REFERENCE) for group in look.not_open):
            return look
        groups = (replace(group, ports=self._look_ports.resolve(group.ports)) for group in look.not_open)
        return replace(look, not_open=tuple(groups))

    # ---- removing

    def remove_history(self, family: int, low: int, high: int, *, vantage: str = DEFAULT_VANTAGE) -> int:
        changed = 0
        for item in list(self._table.keys(f"{VANTAGES}/{vantage}")):
            network = LookNetwork.parse(item["sk"]["S"])
            lowest, highest = network.bounds
            if network.family == family and lowest <= high and highest >= low:
                changed += self._remove_from(vantage, network, (low, high))
        return changed

    def _remove_from(self, vantage: str, network: LookNetwork, interval: Interval) -> int:
        """Remove the addresses from every item of the partition. Returns how many items changed."""
        pk, changed = looks_partition(vantage, network), 0
        for item in self._table.partition(pk):
            rewritten = _without(item, network, vantage, interval)
            if rewritten is None:
                continue
            changed += 1
            # What replaces an item may have another key: it is stored before the item is removed
            self._table.put_all(rewritten)
            if _key_of(item) not in map(_key_of, rewritten):
                self._table.delete_all([{"pk": item["pk"], "sk": item["sk"]}])
        return changed


def _without(item: Item, network: LookNetwork, vantage: str, interval: Interval) -> list[Item] | None:
    """The items that replace the item, without the addresses. None: it has none of them."""
    absent = read_absent(item, network)
    if absent:
        remaining = subtract_intervals(absent, (interval,))
        if remaining == absent:
            return None
        return [item | absence_body(remaining, network)] if remaining else []
    low, high = interval
    expiry = {name: item[name] for name in ("expires_at",) if name in item}
    looks = read_all_looks(item, network)
    kept = [look for look in looks if not low <= int(parse_address(look.address)) <= high]
    if len(kept) == len(looks):
        return None
    kept.sort(key=attrgetter("order"))
    return [page | expiry for page in looks_items(kept, network, vantage)]


def _find_low(query: NetworkQuery) -> str:
    """The sort key before those of the items that may have the looks."""
    return format_instant(query.since - LOOK_SPAN) if query.since else BEGINNING


def _key_of(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def _newest_first(pages: Iterable[tuple[datetime, Sequence[Look]]]) -> Iterator[Look]:
    """The looks in order. The pages come with the latest `earliest` first."""
    waiting: list[Look] = []
    for earliest, looks in pages:
        waiting.extend(looks)
        waiting.sort(key=attrgetter("order"))
        # A page that is still to come has nothing later than this
        while waiting and waiting[-1].seen_at > earliest + LOOK_SPAN:
            yield waiting.pop()
    yield from reversed(waiting)


def _oldest_first(pages: Iterable[tuple[datetime, Sequence[Look]]]) -> Iterator[Look]:
    waiting: list[Look] = []
    for earliest, looks in pages:
        waiting.extend(looks)
        waiting.sort(key=attrgetter("order"), reverse=True)
        while waiting and waiting[-1].seen_at < earliest:
            yield waiting.pop()
    yield from reversed(waiting)


def _merge_streams(streams: Iterable[Iterator[Look]], *, newest_first: bool) -> Iterator[Look]:
    """All looks in order, each once: a report that was recorded twice may have two items of it."""
    previous: Look | None = None
    for look in heapq.merge(*streams, key=attrgetter("order"), reverse=newest_first):
        if previous is None or look.order != previous.order:
            yield look
        previous = look
