"""The time machine: what was known of a port at a time, and how it changed.

The answer at a time is the newest look at or before it that covered the port, with the next look
after it. A look at a host that was not up covers all of its ports. Looks of different vantages are
never mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Protocol

import msgspec
from msgspec import structs

from cascan.gateways import History, Inventory
from cascan.inventory.looks import find_not_open_state, find_service, find_state, open_keys
from cascan.limits import MAX_LOOKS_READ
from cascan.model.history import HOST_NOT_UP, NOT_COVERED, Look, NetworkQuery, NotOpenPorts, OpenPorts, SeenService
from cascan.model.inventory import OPEN, UP, ChangeKind, HostRecord, InventoryQuery, PortKey
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan.nmap.addresses import find_network

NETWORKS_AT_ONCE = 8  # whose first looks are read at once

Ports = Mapping[str, set[PortKey]]  # by address; all addresses share a network
ChosenLooks = dict[tuple[str, PortKey], Look]  # by address and port


class Past(History, Inventory, Protocol):
    """The gateway that these questions need: history and inventory."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was known of a port at a time."""

    vantage: str
    address: str
    key: PortKey
    moment: datetime
    state: str  # nmap's word, HOST_NOT_UP or NOT_COVERED
    look: Look | None = None  # the newest one up to then that covered the port
    next_look: Look | None = None  # the first one after it

    @property
    def service(self) -> SeenService | None:
        """What an open port said of its service."""
        return find_service(self.look, self.key) if self.look and self.state == OPEN else None


@dataclass(frozen=True, slots=True)
class Span:
    """Looks one after the other that saw a port in the same state, with the same service."""

    key: PortKey | None  # None: the host itself
    state: str
    first: Look
    last: Look
    looks: int

    @property
    def service(self) -> SeenService | None:
        return find_service(self.last, self.key) if self.key else None


@dataclass(frozen=True, slots=True)
class Difference:
    """A port at an earlier time and at a later one."""

    before: Answer
    after: Answer
    hostname: str = ""

    @property
    def kind(self) -> ChangeKind:
        if self.before.state != OPEN:
            return ChangeKind.PORT_OPENED
        return ChangeKind.SERVICE_CHANGED if self.after.state == OPEN else ChangeKind.PORT_CLOSED

    @property
    def is_baseline(self) -> bool:
        """No look covered the port at one of the times: it may have been the same."""
        return NOT_COVERED in (self.before.state, self.after.state)


def find_answer(
    past: History,
    address: str,
    key: PortKey,
    moment: datetime,
    *,
    vantage: str = DEFAULT_VANTAGE,
    stale: timedelta | None = None,
) -> Answer:
    """`stale`: a look that is older says nothing of the moment; None: however old it is."""
    looks = past.looks_until([address], moment, vantage=vantage)
    look = next((look for look in looks if find_state(look, key)), None)
    following = past.looks_after([address], moment, vantage=vantage)
    next_look = next((look for look in following if find_state(look, key)), None)
    state = find_state(look, key) if look else None
    if look and stale is not None and moment - look.seen_at > stale:
        state = None
    return Answer(vantage, address, key, moment, state or NOT_COVERED, look, next_look)


def find_answers(
    past: History,
    address: str,
    keys: Iterable[PortKey],
    moment: datetime,
    *,
    vantage: str = DEFAULT_VANTAGE,
    stale: timedelta | None = None,
) -> list[Answer]:
    """As `find_answer` for several ports of an address, in order, without the looks after the moment."""
    (answers,) = _answer_all(past, [{address: set(keys)}], moment, stale=stale, vantage=vantage)
    return answers


def list_looks(
    past: History,
    address: str,
    moment: datetime,
    *,
    since: datetime | None = None,
    vantage: str = DEFAULT_VANTAGE,
) -> tuple[list[Look], bool]:
    """The looks at the address up to the moment, the oldest first, and whether these are all.

    If there are more than MAX_LOOKS_READ, the newest.
    """
    looks = past.looks_until([address], moment, since=since, vantage=vantage)
    newest = list(islice(_share_equal(looks), MAX_LOOKS_READ + 1))
    return newest[:MAX_LOOKS_READ][::-1], len(newest) <= MAX_LOOKS_READ


def _share_equal(looks: Iterable[Look]) -> Iterator[Look]:
    """The looks, with equal ports as the same objects: most looks at an address saw the same, and all are in memory."""
    known: dict[bytes, tuple[tuple[OpenPorts, ...], tuple[NotOpenPorts, ...]]] = {}
    for look in looks:
        ports = look.open_ports, look.not_open
        open_ports, not_open = known.setdefault(msgspec.json.encode(ports), ports)
        yield structs.replace(look, open_ports=open_ports, not_open=not_open)


def find_open_keys(looks: Iterable[Look]) -> list[PortKey]:
    """The ports that were open in any of the looks, in order."""
    return sorted({key for look in looks for key, _ in open_keys(look)})


def list_spans(looks: Iterable[Look], key: PortKey) -> Iterator[Span]:
    """The states of the port one after the other; `looks`: of one address, the oldest first."""
    states = ((look, find_state(look, key)) for look in looks)
    return _join_looks(states, key)


def list_port_spans(looks: Sequence[Look]) -> list[Span]:
    """As `list_spans` of each port that was open in any of the looks, by port.

    Each look is taken apart once: a tarpit has 65,535 open ports, with many services.
    """
    spans: dict[PortKey, list[Span]] = {key: [] for key in find_open_keys(looks)}
    services: dict[PortKey, SeenService | None] = {}  # in the last look of the last span
    for look in looks:
        seen = dict(open_keys(look))
        for key, of_port in spans.items():
            service = seen.get(key)
            state = _find_state(look, key, service)
            if state is None:
                continue
            latest = of_port[-1] if of_port else None
            if latest and latest.state == state and not _differs(services[key], service):
                of_port[-1] = Span(key, state, latest.first, look, latest.looks + 1)
            else:
                of_port.append(Span(key, state, look, look, 1))
            services[key] = service
    return list(chain.from_iterable(spans.values()))


def _find_state(look: Look, key: PortKey, service: SeenService | None) -> str | None:
    if not look.is_up:
        return HOST_NOT_UP
    return OPEN if service is not None else find_not_open_state(look, key)


def list_host_spans(looks: Iterable[Look]) -> Iterator[Span]:
    """When the host was up and when it was not; `looks`: as in `list_spans`."""
    return _join_looks(((look, UP if look.is_up else HOST_NOT_UP) for look in looks), None)


def _join_looks(states: Iterable[tuple[Look, str | None]], key: PortKey | None) -> Iterator[Span]:
    span: Span | None = None
    for look, state in states:
        if state is None:
            continue
        if span and _continues(span, look, state):
            span = Span(key, state, span.first, look, span.looks + 1)
            continue
        if span:
            yield span
        span = Span(key, state, look, look, 1)
    if span:
        yield span


def _continues(span: Span, look: Look, state: str) -> bool:
    service = find_service(look, span.key) if span.key else None
    return span.state == state and not _differs(span.service, service)


def _differs(before: SeenService | None, after: SeenService | None) -> bool:
    """Both looks probed the service and saw different ones."""
    if not (before and after and before.probed and after.probed):
        return False
    details = (before.name, before.product, before.version)
    return details != (after.name, after.product, after.version)


def find_open_ports(
    past: Past,
    query: InventoryQuery,
    moment: datetime,
    *,
    stale: timedelta | None = None,
    vantage: str = DEFAULT_VANTAGE,
) -> Iterator[tuple[HostRecord, Answer]]:
    """The ports of the whole inventory that were open at the moment, in order of address and port.

    `query`: which hosts and ports; it has to include those that are not open any more.
    """
    networks = _by_network(past.hosts(query, vantage=vantage))
    while batch := list(islice(networks, NETWORKS_AT_ONCE)):
        by_address = {host.address: host for hosts in batch for host in hosts}
        asked: list[Ports] = []
        opened: list[datetime | None] = []
        for hosts in batch:
            # A port that was not yet open then need not be looked for
            ports = [(host, port) for host in hosts for port in query.ports_of(host) if port.first_seen <= moment]
            asked.append(_group_keys((host.address, port.key) for host, port in ports))
            opened.append(min((port.first_seen for _, port in ports), default=None))
        # Every port was open in a look at the time of the earliest, so the search ends there
        answers = _answer_all(past, asked, moment, since=opened, stale=stale, vantage=vantage)
        found = [[answer for answer in of_network if answer.state == OPEN] for of_network in answers]
        for answer in _add_next_looks(past, found, moment, vantage):
            yield by_address[answer.address], answer


def find_differences(
    past: Past,
    query: InventoryQuery,
    since: datetime,
    until: datetime,
    *,
    stale: timedelta | None = None,
    vantage: str = DEFAULT_VANTAGE,
) -> Iterator[Difference]:
    """The ports whose state or service at `until` differs from that at `since`.

    A port that was not covered at one of the times is listed where it was open at the other.
    """
    networks = _by_network(past.hosts(query, vantage=vantage))
    while batch := list(islice(networks, NETWORKS_AT_ONCE)):
        names = {host.address: host.hostname for hosts in batch for host in hosts}
        asked = [{host.address: {port.key for port in query.ports_of(host)} for host in hosts} for hosts in batch]
        earlier = _answer_all(past, asked, since, stale=stale, vantage=vantage)
        later = _answer_all(past, asked, until, stale=stale, vantage=vantage)
        for before, after in zip(chain.from_iterable(earlier), chain.from_iterable(later), strict=True):
            is_otherwise = (before.state == OPEN) != (after.state == OPEN)
            if is_otherwise or _differs(before.service, after.service):
                yield Difference(before, after, names[before.address])


def _answer_all(
    past: History,
    asked: Sequence[Ports],
    moment: datetime,
    *,
    since: Sequence[datetime | None] | None = None,
    stale: timedelta | None,
    vantage: str,
) -> list[list[Answer]]:
    """The answers for ports of each network, in order of host and port.

    `since`, for each network: every port has a look that covered it between then and the moment.
    """
    starts = since or [None] * len(asked)
    if stale is not None:
        starts = [max(start or moment - stale, moment - stale) for start in starts]
    chosen = _choose_all(asked, starts, partial(past.looks_until_by_network, moment=moment, vantage=vantage))
    answers = []
    for ports, looks in zip(asked, chosen, strict=True):
        keys = ((address, key) for address in ports for key in sorted(ports[address]))
        answers.append([_build_answer(looks, vantage, address, key, moment) for address, key in keys])
    return answers


def _build_answer(chosen: ChosenLooks, vantage: str, address: str, key: PortKey, moment: datetime) -> Answer:
    look = chosen.get((address, key))
    state = find_state(look, key) if look else None
    return Answer(vantage, address, key, moment, state or NOT_COVERED, look)


def _add_next_looks(
    past: History, by_network: Sequence[Sequence[Answer]], moment: datetime, vantage: str
) -> Iterator[Answer]:
    """The answers with the first looks after the moment that covered their ports."""
    asked = [_group_keys((answer.address, answer.key) for answer in answers) for answers in by_network]
    read = partial(past.looks_after_by_network, moment=moment, vantage=vantage)
    following = _choose_all(asked, [None] * len(asked), read)
    for answers, looks in zip(by_network, following, strict=True):
        for answer in answers:
            yield replace(answer, next_look=looks.get((answer.address, answer.key)))


def _group_keys(keys: Iterable[tuple[str, PortKey]]) -> Ports:
    """The ports by address."""
    grouped: dict[str, set[PortKey]] = {}
    for address, key in keys:
        grouped.setdefault(address, set()).add(key)
    return grouped


def _choose_all(
    asked: Sequence[Ports],
    starts: Sequence[datetime | None],
    read: Callable[[Sequence[NetworkQuery]], list[Iterator[Look]]],
) -> list[ChosenLooks]:
    """For each port of each network, the first look that covered it."""
    queries = []
    for ports, start in zip(asked, starts, strict=True):
        addresses = [address for address, keys in ports.items() if keys]
        queries.append(NetworkQuery(addresses, start))
    streams = read([query for query in queries if query.addresses])
    remaining = iter(streams)
    return [
        _choose_looks(next(remaining), ports) if query.addresses else {}
        for ports, query in zip(asked, queries, strict=True)
    ]


def _choose_looks(looks: Iterable[Look], asked: Ports) -> ChosenLooks:
    """For each port, the first of the looks that covered it."""
    waiting = {address: set(keys) for address, keys in asked.items() if keys}
    chosen: ChosenLooks = {}
    for look in looks:
        for key in list(waiting.get(look.address, ())):
            if find_state(look, key) is not None:
                chosen[look.address, key] = look
                waiting[look.address].discard(key)
        if look.address in waiting and not waiting[look.address]:
            del waiting[look.address]
            if not waiting:
                break
    return chosen


def _by_network(hosts: Iterable[HostRecord]) -> Iterator[list[HostRecord]]:
    """Hosts that come one after the other and share a network."""
    batch: list[HostRecord] = []
    network: tuple[int, int] | None = None
    for host in hosts:
        belongs_to = find_network(host.address)
        if batch and belongs_to != network:
            yield batch
            batch = []
        network = belongs_to
        batch.append(host)
    if batch:
        yield batch
