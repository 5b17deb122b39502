"""An interrupted shard → the slices of its targets that nmap finished, and those of the remainder."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.slices import enumerate_slice
from cascan.nmap.targets.syntax import parse_target

Slices = tuple[TargetSlice, ...]
Run = tuple[TargetSlice, bool]  # addresses in a row; True: they are still to be scanned


class CutSlices(NamedTuple):
    done: Slices
    remainder: Slices


def cut_slices(
    shard: Shard,
    resolved: Mapping[str, Sequence[str]],
    unfinished: Container[str],
    unfinished_names: Container[str] = (),
) -> CutSlices:
    """The shard's slices, cut where an address is still to be scanned. Their order stays.

    `resolved` holds the addresses of its names. `unfinished_names` are names to resolve again. A name stays whole. What
    was not scanned on purpose (excluded, without an address, outside the scope) counts as done. Where a side would get
    more slices than a shard may have, the surplus is scanned again: it goes to the remainder as a whole.
    """
    done: list[TargetSlice] = []
    remainder: list[TargetSlice] = []
    for index, target_slice in enumerate(shard.slices):
        later = len(shard.slices) - index - 1  # slices that may each go to either side, whole
        room = MAX_SLICES_PER_SHARD - later - max(len(done), len(remainder))
        runs = list(_find_runs(target_slice, shard.family, resolved, unfinished, unfinished_names))
        for run, is_unfinished in _limit_runs(runs, target_slice, room):
            (remainder if is_unfinished else done).append(run)
    return CutSlices(tuple(done), tuple(remainder))


def _limit_runs(runs: list[Run], target_slice: TargetSlice, room: int) -> list[Run]:
    """At most `room` runs, and at least one. The surplus becomes one run that is still to be scanned."""
    if len(runs) <= room or len(runs) == 1:
        return runs
    head = runs[: max(0, room - 1)]
    start = head[-1][0].stop if head else target_slice.start
    return [*head, (TargetSlice(target_slice.expression, start, target_slice.stop), True)]


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
        is_unfinished = target.name in unfinished_names or any(address in unfinished for address in addresses)
        yield target_slice, is_unfinished
        return
    start, was_unfinished = target_slice.start, False
    for position, address in enumerate(addresses, target_slice.start):
        is_unfinished = address in unfinished
        if is_unfinished is not was_unfinished:
            if position > start:
                yield TargetSlice(expression, start, position), was_unfinished
            start, was_unfinished = position, is_unfinished
    yield TargetSlice(expression, start, target_slice.stop), was_unfinished
