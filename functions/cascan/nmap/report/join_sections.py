"""Join several host elements of one address in a report into one Host.

masscan writes an element for every port and banner; nmap writes two if a target is given twice.
Only elements near each other are joined, so that memory stays constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Any

from msgspec.structs import replace

from cascan.limits import MAX_JOINED_HOSTS, MAX_JOINED_SECTIONS
from cascan.model.host import Host, Port

OPEN = "open"
# Fields of Host that take the distinct values of all sections.
LISTS = ("addresses", "hostnames", "extraports", "scripts", "os_matches")
PortKey = tuple[str, int]


def join_sections(hosts: Iterable[Host], window: int = MAX_JOINED_HOSTS) -> Iterator[Host]:
    """The hosts, in order of their first elements.

    Elements of one address are joined within `window` hosts. Hosts without an address are not
    changed.
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
    """One host with the content of all its elements.

    If elements contradict each other, the first whose state is up decides.
    """
    if len(sections) == 1:
        return sections[0]
    main = next((host for host in sections if host.state == "up"), sections[0])
    lists = {name: _distinct(getattr(host, name) for host in sections) for name in LISTS}
    started_at, finished_at = _join_times(sections)
    return replace(
        main,
        **lists,
        ports=tuple(_join_ports(chain.from_iterable(host.ports for host in sections))),
        timed_out=any(host.timed_out for host in sections),
        started_at=started_at,
        finished_at=finished_at,
        details=_join_details(sections),
    )


def _join_times(sections: list[Host]) -> tuple[datetime | None, datetime | None]:
    """The earliest start and the latest end."""
    starts = [host.started_at for host in sections if host.started_at]
    ends = [host.finished_at for host in sections if host.finished_at]
    return min(starts, default=None), max(ends, default=None)


def _join_ports(ports: Iterable[Port]) -> Iterator[Port]:
    """The ports, with the elements of each port joined.

    A port with two services, for which masscan found two banners, remains as two.
    """
    by_key: dict[PortKey, list[Port]] = {}
    for port in ports:
        by_key.setdefault((port.protocol, port.number), []).append(port)
    for same_port in by_key.values():
        if len(same_port) == 1:
            yield same_port[0]
        else:
            yield from _choose_elements(same_port)


def _choose_elements(same_port: list[Port]) -> Iterable[Port]:
    """The distinct elements of one port that are kept.

    An open element replaces those in other states; otherwise the last element decides on the state.
    Elements with a service or scripts replace those with only a state.
    """
    state = OPEN if any(port.state == OPEN for port in same_port) else same_port[-1].state
    agreeing = [port for port in same_port if port.state == state]
    detailed = [port for port in agreeing if port.service or port.scripts]
    return _distinct([detailed or agreeing[-1:]])


def _join_details(sections: list[Host]) -> dict[str, list[dict[str, Any]]]:
    tags = dict.fromkeys(tag for host in sections for tag in host.details)
    return {tag: list(_distinct(host.details.get(tag, ()) for host in sections)) for tag in tags}


def _distinct(groups: Iterable[Iterable[Any]]) -> tuple[Any, ...]:
    """The distinct values of all groups, in order.

    They are compared by their `repr`, since they may contain lists.
    """
    return tuple({repr(value): value for value in chain.from_iterable(groups)}.values())
