"""Slices of targets → shards, and a slice → addresses. Nothing is materialised: a /8 is cut in arithmetic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.syntax import parse_target


def pack_shards(
    slices: Iterable[TargetSlice], hosts_per_shard: int, max_slices: int = MAX_SLICES_PER_SHARD
) -> Iterator[tuple[TargetSlice, ...]]:
    """The slices of one shard after another, cut so that each has at most `hosts_per_shard` addresses."""
    shard: list[TargetSlice] = []
    room = hosts_per_shard
    for part in slices:
        start = part.start
        while start < part.stop:
            stop = min(part.stop, start + room)
            shard.append(TargetSlice(part.expression, start, stop))
            room -= stop - start
            start = stop
            if not room or len(shard) == max_slices:
                yield tuple(shard)
                shard, room = [], hosts_per_shard
    if shard:
        yield tuple(shard)


def enumerate_slice(part: TargetSlice, family: int, resolved: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """The slice's addresses, in nmap's order. A name gives those of every address in `resolved`; none when it has none.

    Raises: RequestRefused: the expression is not a target of the family.
    """
    target = parse_target(part.expression, family)
    if not isinstance(target, Name):
        yield from target.addresses(part.start, part.stop)
        return
    blocks = {block.bounds: block for block in map(target.pin, resolved.get(target.name, ()))}
    for block in blocks.values():  # two addresses of one name may lie in the same block
        yield from block.addresses(part.start, part.stop)
