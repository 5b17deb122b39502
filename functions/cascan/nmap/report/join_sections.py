"""Host elements of one address in one report → one Host: masscan writes one for every port and banner.

nmap writes two where a target is given twice. Elements that stand near each other are joined; memory stays constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace

from cascan.limits import MAX_JOINED_HOSTS, MAX_JOINED_SECTIONS
from cascan.model.host import Host, Port

OPEN = "open"
PortKey = tuple[str, int]


def join_sections(hosts: Iterable[Host], window: int = MAX_JOINED_HOSTS) -> Iterator[Host]:
    """The hosts, in order of their first elements. Elements of one address are one host, `window` hosts from the first.

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
    """One host with all that its elements say. Where they say two things of it, an element that is up comes first."""
    if len(sections) == 1:
        return sections[0]
    first = next((host for host in sections if host.state == "up"), sections[0])
    starts = [host.started_at for host in sections if host.started_at]
    ends = [host.finished_at for host in sections if host.finished_at]
    return replace(
        first,
        addresses=_distinct(address for host in sections for address in host.addresses),
        hostnames=_distinct(name for host in sections for name in host.hostnames),
        ports=tuple(_ports(port for host in sections for port in host.ports)),
        extraports=_distinct(extra for host in sections for extra in host.extraports),
        scripts=_distinct(script for host in sections for script in host.scripts),
        os_matches=_distinct(match for host in sections for match in host.os_matches),
        timed_out=any(host.timed_out for host in sections),
        started_at=min(starts, default=None),
        finished_at=max(ends, default=None),
        details=_details(sections),
    )


def _ports(ports: Iterable[Port]) -> Iterator[Port]:
    """Each port once, where its elements agree: open wins over other states, and what says nothing more goes.

    A port of two services (masscan: of two banners) stays as two.
    """
    by_key: dict[PortKey, list[Port]] = {}
    for port in ports:
        by_key.setdefault((port.protocol, port.number), []).append(port)
    for several in by_key.values():
        if len(several) == 1:
            yield several[0]
            continue
        state = OPEN if any(port.state == OPEN for port in several) else several[-1].state
        agreeing = [port for port in several if port.state == state]
        telling = [port for port in agreeing if port.service or port.scripts]
        yield from _distinct(telling or agreeing[-1:])


def _details(sections: list[Host]) -> dict[str, list[dict[str, Any]]]:
    tags = dict.fromkeys(tag for host in sections for tag in host.details)
    return {tag: list(_distinct(row for host in sections for row in host.details.get(tag, ()))) for tag in tags}


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values in order, each once; they may hold lists, so that their text tells them apart."""
    return tuple({repr(value): value for value in values}.values())
