"""Slices of targets with ports of their own → groups of slices whose hosts are asked the same ports.

A host of several targets is asked the ports of all of them. The addresses themselves are never
listed: where targets with different ports overlap, their intervals are compared.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple

import msgspec

from cascan.limits import MAX_OVERLAPS_PER_SCAN
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name, Network6, Target
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.own_ports import OwnPorts
from cascan.nmap.targets.slice_targets import OverlapBudget, Space, find_space

NO_PORTS = OwnPorts()


class PortChoice(msgspec.Struct, frozen=True):
    """Which ports of a host are asked."""

    own: OwnPorts = NO_PORTS  # written at its targets
    common: bool = False  # also those that the options choose, as one of its targets has no ports


class TargetPorts(NamedTuple):
    """One target of a request and its ports."""

    target: Target
    choice: PortChoice


class _Segment(NamedTuple):
    """Consecutive addresses that are asked the same ports."""

    low: int
    high: int
    choice: PortChoice


Segments = dict[Space, list[_Segment]]
Groups = dict[PortChoice, list[TargetSlice]]


def group_by_ports(entries: Sequence[TargetPorts], slices: Iterable[TargetSlice]) -> Groups:
    """The slices by the ports that their hosts are asked, in order of appearance.

    `slices` are those of the targets: without excludes, each address once. They are cut where an
    address is asked other ports than the one before it.

    Raises: RequestRefused: the targets overlap more than can be compared.
    """
    budget = OverlapBudget(MAX_OVERLAPS_PER_SCAN)
    by_expression, names = _merge_equal_targets(entries)
    segments = _find_segments(list(by_expression.values()), budget)
    groups: Groups = {}
    for target_slice in slices:
        target, choice = by_expression[target_slice.expression]
        if isinstance(target, Name):
            groups.setdefault(names[target.name, target.bits], []).append(target_slice)
            continue
        for part, part_choice in _cut_slice(target_slice, target, choice, segments, budget):
            groups.setdefault(part_choice, []).append(part)
    return groups


def unite(choices: Iterable[PortChoice]) -> PortChoice:
    own, common = NO_PORTS, False
    for choice in choices:
        own, common = own | choice.own, common or choice.common
    return PortChoice(own, common)


def _merge_equal_targets(
    entries: Iterable[TargetPorts],
) -> tuple[dict[str, TargetPorts], dict[tuple[str, int | None], PortChoice]]:
    """The targets by expression, and the ports of the names, each with the ports of all its entries."""
    by_expression: dict[str, list[TargetPorts]] = {}
    by_name: dict[tuple[str, int | None], list[PortChoice]] = {}
    for entry in entries:
        by_expression.setdefault(entry.target.expression, []).append(entry)
        if isinstance(entry.target, Name):
            by_name.setdefault((entry.target.name, entry.target.bits), []).append(entry.choice)
    merged = {
        expression: TargetPorts(equal[0].target, unite(entry.choice for entry in equal))
        for expression, equal in by_expression.items()
    }
    return merged, {name: unite(choices) for name, choices in by_name.items()}


def _find_segments(entries: Iterable[TargetPorts], budget: OverlapBudget) -> Segments:
    """The addresses of targets that overlap targets with other ports, with the ports of all of them."""
    by_space: dict[Space, list[tuple[Octets | Network6, PortChoice]]] = {}
    for target, choice in entries:
        if not isinstance(target, Name):
            by_space.setdefault(find_space(target), []).append((target, choice))
    return {
        space: [segment for cluster in _find_clusters(targets) for segment in _unite_overlaps(cluster, budget)]
        for space, targets in by_space.items()
    }


def _find_clusters(
    targets: list[tuple[Octets | Network6, PortChoice]],
) -> Iterator[list[tuple[Octets | Network6, PortChoice]]]:
    """Targets whose bounds overlap and whose ports differ, in ascending order."""
    cluster: list[tuple[Octets | Network6, PortChoice]] = []
    end = -1
    for target, choice in sorted(targets, key=lambda entry: entry[0].bounds):
        low, high = target.bounds
        if cluster and low > end:
            if len({member[1] for member in cluster}) > 1:
                yield cluster
            cluster = []
        cluster.append((target, choice))
        end = max(end, high)
    if len({member[1] for member in cluster}) > 1:
        yield cluster


def _unite_overlaps(
    cluster: Iterable[tuple[Octets | Network6, PortChoice]], budget: OverlapBudget
) -> Iterator[_Segment]:
    """Disjoint segments in ascending order."""
    changes: list[tuple[int, int, PortChoice]] = []  # address, +1 or -1, ports that begin or end
    for target, choice in cluster:
        for low, high in budget.spend(target.intervals()):
            changes += ((low, 1, choice), (high + 1, -1, choice))
    changes.sort(key=lambda change: change[0])
    active: Counter[PortChoice] = Counter()
    united: dict[frozenset[PortChoice], PortChoice] = {}
    start = 0
    for address, step, choice in changes:
        if active and address > start:
            budget.count(len(active))
            key = frozenset(active)
            if key not in united:
                budget.count(sum(member.own.interval_count for member in key))
                united[key] = unite(key)
            yield _Segment(start, address - 1, united[key])
        start = address
        active[choice] += step
        if not active[choice]:
            del active[choice]


def _cut_slice(
    target_slice: TargetSlice,
    target: Octets | Network6,
    choice: PortChoice,
    segments: Segments,
    budget: OverlapBudget,
) -> Iterator[tuple[TargetSlice, PortChoice]]:
    """The parts of the slice, each with its ports."""
    in_space = segments[find_space(target)]
    low, high = _to_address(target, target_slice.start), _to_address(target, target_slice.stop - 1)
    index = bisect_left(in_space, low, key=lambda segment: segment.high)
    if index == len(in_space) or in_space[index].low > high:
        yield target_slice, choice
        return
    start, stop, current = target_slice.start, target_slice.start, choice
    while index < len(in_space) and in_space[index].low <= high:
        budget.count(1)
        segment = in_space[index]
        end = min(target_slice.stop, target.rank(segment.high + 1))
        if end > stop:  # else the segment lies in a gap of the target
            if segment.choice != current and stop > start:
                yield TargetSlice(target_slice.expression, start, stop), current
                start = stop
            stop, current = end, segment.choice
        index += 1
    yield TargetSlice(target_slice.expression, start, stop), current


def _to_address(target: Octets | Network6, place: int) -> int:
    return int(ip_address(next(target.addresses(place, place + 1)).partition("%")[0]))
