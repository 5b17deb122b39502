"""Slices of targets → shards, and a slice → its addresses.

Even a /8 is cut without listing its addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.syntax import parse_target


def pack_shards(
    slices: Iterable[TargetSlice], hosts_per_shard: int, max_slices: int = MAX_SLICES_PER_SHARD
) -> Iterator[tuple[TargetSlice, ...]]:
    """The slices of each shard.

    Slices are cut so that a shard has at most `hosts_per_shard` addresses.
    """
    shard: list[TargetSlice] = []
    room = hosts_per_shard
    for target_slice in slices:
        start = target_slice.start
        while start < target_slice.stop:
            stop = min(target_slice.stop, start + room)
            shard.append(TargetSlice(target_slice.expression, start, stop))
            room -= stop - start
            start = stop
            if not room or len(shard) == max_slices:
                yield tuple(shard)
                shard, room = [], hosts_per_shard
    if shard:
        yield tuple(shard)


def enumerate_slice(target_slice: TargetSlice, family: int, resolved: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The slice's addresses, in nmap's order. `resolved` holds the addresses of each name.

    Raises: RequestRefused: the expression is not a target of the family.
    """
    target = parse_target(target_slice.expression, family)
    if not isinstance(target, Name):
        yield from target.addresses(target_slice.start, target_slice.stop)
        return
    blocks = {block.bounds: block for block in map(target.pin, resolved.get(target.name, ()))}
    for block in blocks.values():  # two addresses of one name may lie in the same block
        yield from block.addresses(target_slice.start, target_slice.stop)
