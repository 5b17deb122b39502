"""The whole inventory of a vantage, judged by what looks saw: after a new file, or a day that ended
an entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cascan.clock import TimeLeft, no_time_limit
from cascan.exposure_updates.context import WatchContext, WatchTable
from cascan.exposure_updates.judge_hosts import JudgedHosts, judge_hosts
from cascan.exposure_updates.places import Place, group_by_network, list_required, to_address, to_place
from cascan.limits import MAX_LISTED_EXPOSURES
from cascan.model.exposure import ACTIVE_STATES, Exposure
from cascan.model.inventory import InventoryQuery
from cascan.model.vantage import DEFAULT_VANTAGE

EVERYTHING = InventoryQuery()
MIN_TURN_S = 20.0  # that judging one network may take
ALL_ADDRESSES = {4: (0, 2**32 - 1), 6: (0, 2**128 - 1)}


def judge_inventory(
    context: WatchContext,
    vantage: str,
    *,
    after: str = "",
    left_s: TimeLeft = no_time_limit,
    tell: Callable[[JudgedHosts], None] = lambda _: None,
) -> tuple[JudgedHosts, str]:
    """What was judged, and the address behind which another turn goes on; empty: all were judged.

    `tell`: called after each network with what was judged so far.
    """
    start = to_place(after) if after else None
    judged = JudgedHosts()
    addresses = (to_address(place) for place in _list_places(context, vantage) if start is None or place > start)
    for network in group_by_network(addresses):
        judged.add(judge_hosts(network, context, vantage=vantage))
        tell(judged)
        if left_s() < MIN_TURN_S:
            return judged, network[-1]
    return judged, ""


def list_vantages(context: WatchContext) -> list[str]:
    """The vantages that have looks, in order."""
    return sorted({DEFAULT_VANTAGE, *context.table.history_vantages()})


def list_active(table: WatchTable) -> Iterator[Exposure]:
    """The exposures that are not resolved, at most MAX_LISTED_EXPOSURES of each state."""
    for state in sorted(ACTIVE_STATES):
        for number, (_, exposure) in enumerate(table.list_exposures(state)):
            if number >= MAX_LISTED_EXPOSURES:
                break
            yield exposure


def _list_places(context: WatchContext, vantage: str) -> list[Place]:
    """The hosts that were ever up, that the file requires, or that have an exposure, in order."""
    places = {to_place(host.address) for host in context.table.hosts(EVERYTHING, vantage=vantage)}
    for family, interval in ALL_ADDRESSES.items():
        places.update(list_required(context.index, vantage, family, interval))
    active = (exposure.subject for exposure in list_active(context.table))
    places.update(to_place(subject.address) for subject in active if subject.vantage == vantage)
    return sorted(places)
