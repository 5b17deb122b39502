"""Packed shards → shards in which each name stands alone: only then can scripts say the name to the host.

nmap is given a name's address, and one run says one name: in TLS (SNI) and in HTTP (Host).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cascan.limits import MAX_SINGLE_NAME_SHARDS
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name, Target

TALKATIVE = frozenset({"-sV", "-sC", "--script"})  # options that run scripts; -sV has some of its own
Slices = tuple[TargetSlice, ...]


def one_shard_per_name(
    shards: Sequence[Slices], options: Sequence[str], targets: Iterable[Target]
) -> tuple[tuple[Slices, ...], str]:
    """The shards, and a note (or an empty text) where names are too many to be set apart.

    Without scripts, and where nothing else is asked for, the shards are as they were. The block that a mask makes
    around a name's address is no name.
    """
    named = {target.expression for target in targets if isinstance(target, Name) and target.count == 1}
    if not named or not TALKATIVE & set(options):
        return tuple(shards), ""
    names = [piece for shard in shards for piece in shard if piece.expression in named]
    if len(names) > MAX_SINGLE_NAME_SHARDS:
        told = "scripts tell hosts their addresses, not their names, in TLS and HTTP"
        return tuple(
            shards
        ), f"{len(names)} names are more than {MAX_SINGLE_NAME_SHARDS}: {told}; ask for fewer at once"
    others = (tuple(piece for piece in shard if piece.expression not in named) for shard in shards)
    return (*filter(None, others), *((name,) for name in names)), ""
