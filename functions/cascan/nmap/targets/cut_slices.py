"""A shard that was broken off → what nmap finished, and the rest, both as slices of its targets."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from cascan.limits import MAX_SLICES_PER_SHARD
from cascan.model.shard import Shard, TargetSlice
from cascan.nmap.targets.kinds import Name
from cascan.nmap.targets.slices import enumerate_slice
from cascan.nmap.targets.syntax import parse_target

Slices = tuple[TargetSlice, ...]
Part = tuple[TargetSlice, bool]  # True: left to ask


class CutSlices(NamedTuple):
    done: Slices
    rest: Slices


def cut_slices(
    shard: Shard, resolved: Mapping[str, Sequence[str]], left: Container[str], names_left: Container[str] = ()
) -> CutSlices:
    """The shard's slices, parted by whether they hold an address that is `left` to ask. Order is kept.

    `resolved` is what its names stood for; `names_left` are names that are to be looked up again. A name stays whole;
    what was not asked at all (excluded, without an address, outside the scope) goes with what is done. Where the parts
    would be more than a shard may have, the surplus is asked again: it goes whole to the rest.
    """
    done: list[TargetSlice] = []
    rest: list[TargetSlice] = []
    for number, piece in enumerate(shard.slices):
        behind = len(shard.slices) - number - 1  # each of which may go to either side, whole
        room = MAX_SLICES_PER_SHARD - behind - max(len(done), len(rest))
        parts = list(_parts(piece, shard.family, resolved, left, names_left))
        for part, is_left in _bounded(parts, piece, room):
            (rest if is_left else done).append(part)
    return CutSlices(tuple(done), tuple(rest))


def _bounded(parts: list[Part], piece: TargetSlice, room: int) -> list[Part]:
    """At most `room` parts, at least one: what would be more is one part, and left."""
    if len(parts) <= room or len(parts) == 1:
        return parts
    kept = parts[: max(0, room - 1)]
    start = kept[-1][0].stop if kept else piece.start
    return [*kept, (TargetSlice(piece.expression, start, piece.stop), True)]


def _parts(
    piece: TargetSlice,
    family: int,
    resolved: Mapping[str, Sequence[str]],
    left: Container[str],
    names_left: Container[str],
) -> Iterator[Part]:
    """The slice in runs of addresses that are left or not, in order."""
    addresses = enumerate_slice(piece, family, resolved)
    target = parse_target(piece.expression, family)
    if isinstance(target, Name):
        yield piece, target.name in names_left or any(address in left for address in addresses)
        return
    start, was_left = piece.start, False
    for position, address in enumerate(addresses, piece.start):
        is_left = address in left
        if is_left is not was_left:
            if position > start:
                yield TargetSlice(piece.expression, start, position), was_left
            start, was_left = position, is_left
    yield TargetSlice(piece.expression, start, piece.stop), was_left
