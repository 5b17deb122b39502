"""Packed shards → shards with at most one name each.

Only then can scripts send the name to the host: nmap gets a name's addresses, and one run of nmap
can send one name only, in TLS (SNI) and HTTP (Host).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from itertools import chain

from cascan.limits import MAX_SINGLE_NAME_SHARDS
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name, Target

RUN_SCRIPTS = frozenset({"-sV", "-sC", "--script"})  # options that run scripts
Slices = tuple[TargetSlice, ...]


def find_single_names(
    shards: Iterable[Slices], options: Sequence[str], targets: Iterable[Target]
) -> tuple[Set[str], str]:
    """The expressions of the names to separate, and a note if there are too many, else an empty text.

    Without names or without scripts there is nothing to separate. A name with a mask counts as the
    block around its address, not as a name.
    """
    all_names = (target for target in targets if isinstance(target, Name))
    names = {target.expression for target in all_names if target.count == 1}
    if not names or not RUN_SCRIPTS & set(options):
        return frozenset(), ""
    named = sum(entry.expression in names for entry in chain.from_iterable(shards))
    if named > MAX_SINGLE_NAME_SHARDS:
        excess = f"{named} names are more than {MAX_SINGLE_NAME_SHARDS}"
        effect = "scripts tell hosts their addresses, not their names, in TLS and HTTP"
        return frozenset(), f"{excess}: {effect}; ask for fewer at once"
    return names, ""


def separate_names(shards: Sequence[Slices], names: Set[str]) -> tuple[Slices, ...]:
    """The shards without the names, and a shard for each name behind them."""
    if not names:
        return tuple(shards)
    named = [entry for entry in chain.from_iterable(shards) if entry.expression in names]
    without_names = (_remove_names(shard, names) for shard in shards)
    single_names = ((entry,) for entry in named)
    return (*filter(None, without_names), *single_names)


def _remove_names(shard: Slices, names: Set[str]) -> Slices:
    return tuple(entry for entry in shard if entry.expression not in names)
