"""An interrupted shard → the slices that nmap finished, and those of the remainder."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.slices import enumerate_slice
from cascan.nmap.targets.syntax import parse_target

Slices = tuple[TargetSlice, ...]
Run = tuple[TargetSlice, bool]  # consecutive addresses, and whether they are still to be scanned


class CutSlices(NamedTuple):
    done: Slices
    remainder: Slices


def cut_slices(
    shard: Shard,
    resolved: Mapping[str, Sequence[str]],
    unfinished: Container[str],
    unfinished_names: Container[str] = (),
) -> CutSlices:
    """The shard's slices, divided into finished and unfinished ones. Both keep their order.

    `resolved` holds the addresses of the shard's names. `unfinished_names` are names to resolve
    again. A name is never divided. Addresses that were not to be scanned (excluded, outside the
    scope) and names without an address count as done. Neither side gets more slices than a shard
    may have: surplus slices go to the remainder and are scanned again.
    """
    done: list[TargetSlice] = []
    remainder: list[TargetSlice] = []
    for index, target_slice in enumerate(shard.slices):
        later = len(shard.slices) - index - 1  # each takes at least one place on one side
        room = MAX_SLICES_PER_SHARD - later - max(len(done), len(remainder))
        runs = list(_find_runs(target_slice, shard.family, resolved, unfinished, unfinished_names))
        for run, is_unfinished in _limit_runs(runs, target_slice, room):
            side = remainder if is_unfinished else done
            side.append(run)
    return CutSlices(tuple(done), tuple(remainder))


def _limit_runs(runs: list[Run], target_slice: TargetSlice, room: int) -> list[Run]:
    """At most `room` runs, and at least one.

    The surplus becomes one run that is still to be scanned.
    """
    if len(runs) <= room or len(runs) == 1:
        return runs
    head = runs[: max(0, room - 1)]
    start = head[-1][0].stop if head else target_slice.start
    surplus = TargetSlice(target_slice.expression, start, target_slice.stop)
    return [*head, (surplus, True)]


def _find_runs(
    target_slice: TargetSlice,
    family: int,
    resolved: Mapping[str, Sequence[str]],
    unfinished: Container[str],
    unfinished_names: Container[str],
) -> Iterator[Run]:
    """The slice as runs of addresses that are all finished or all unfinished, in order."""
    expression = target_slice.expression
    addresses = enumerate_slice(target_slice, family, resolved)
    target = parse_target(expression, family)
    if isinstance(target, Name):
        has_unfinished_address = any(address in unfinished for address in addresses)
        yield target_slice, target.name in unfinished_names or has_unfinished_address
        return
    start, was_unfinished = target_slice.start, False
    for position, address in enumerate(addresses, target_slice.start):
        is_unfinished = address in unfinished
        if is_unfinished is not was_unfinished:
            if position > start:
                yield TargetSlice(expression, start, position), was_unfinished
            start, was_unfinished = position, is_unfinished
    yield TargetSlice(expression, start, target_slice.stop), was_unfinished
