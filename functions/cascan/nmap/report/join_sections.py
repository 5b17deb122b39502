"""Several host elements of one address in one report → one Host. masscan writes one for every port and banner.

nmap writes two if a target is given twice. Elements near each other are joined, so that memory stays constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from msgspec.structs import replace

from cascan.limits import MAX_JOINED_HOSTS, MAX_JOINED_SECTIONS
from cascan.model.host import Host, Port

OPEN = "open"
PortKey = tuple[str, int]


def join_sections(hosts: Iterable[Host], window: int = MAX_JOINED_HOSTS) -> Iterator[Host]:
    """The hosts, in order of their first elements. Elements of one address are joined within `window` hosts.

    Hosts without an address stay as they are.
    """
    waiting: dict[str, list[Host]] = {}
    for host in hosts:
        if not host.address:
            yield host
            continue
        sections = waiting.setdefault(host.address, [])
        sections.append(host)
        if len(sections) >= MAX_JOINED_SECTIONS:
            yield join_hosts(waiting.pop(host.address))
        elif len(waiting) > window:
            yield join_hosts(waiting.pop(next(iter(waiting))))
    yield from map(join_hosts, waiting.values())


def join_hosts(sections: list[Host]) -> Host:
    """One host with all that its elements hold. Where they contradict each other, one whose state is up wins."""
    if len(sections) == 1:
        return sections[0]
    main = next((host for host in sections if host.state == "up"), sections[0])
    starts = [host.started_at for host in sections if host.started_at]
    ends = [host.finished_at for host in sections if host.finished_at]
    return replace(
        main,
        addresses=_distinct(host.addresses for host in sections),
        hostnames=_distinct(host.hostnames for host in sections),
        ports=tuple(_join_ports(chain.from_iterable(host.ports for host in sections))),
        extraports=_distinct(host.extraports for host in sections),
        scripts=_distinct(host.scripts for host in sections),
        os_matches=_distinct(host.os_matches for host in sections),
        timed_out=any(host.timed_out for host in sections),
        started_at=min(starts, default=None),
        finished_at=max(ends, default=None),
        details=_join_details(sections),
    )


def _join_ports(ports: Iterable[Port]) -> Iterator[Port]:
    """Each port once, if its elements agree. Open wins over other states; an element without more than that is dropped.

    A port with two services (masscan: with two banners) stays as two.
    """
    by_key: dict[PortKey, list[Port]] = {}
    for port in ports:
        by_key.setdefault((port.protocol, port.number), []).append(port)
    for same_port in by_key.values():
        if len(same_port) == 1:
            yield same_port[0]
            continue
        state = OPEN if any(port.state == OPEN for port in same_port) else same_port[-1].state
        agreeing = [port for port in same_port if port.state == state]
        detailed = [port for port in agreeing if port.service or port.scripts]
        yield from _distinct([detailed or agreeing[-1:]])


def _join_details(sections: list[Host]) -> dict[str, list[dict[str, Any]]]:
    tags = dict.fromkeys(tag for host in sections for tag in host.details)
    return {tag: list(_distinct(host.details.get(tag, ()) for host in sections)) for tag in tags}


def _distinct(groups: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    """The values of all groups in order, each once. They may hold lists, so they are compared by their `repr`."""
    return tuple({repr(value): value for value in chain.from_iterable(groups)}.values())
