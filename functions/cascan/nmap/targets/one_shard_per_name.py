"""Packed shards → shards with at most one name each: only then can scripts send the name to the host.

nmap is given a name's address, and one run can send one name: in TLS (SNI) and in HTTP (Host).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cascan.limits import MAX_SINGLE_NAME_SHARDS
from cascan.model.shard import TargetSlice
from cascan.nmap.targets.kinds import Name, Target

RUN_SCRIPTS = frozenset({"-sV", "-sC", "--script"})  # options; -sV has scripts of its own
Slices = tuple[TargetSlice, ...]


def one_shard_per_name(
    shards: Sequence[Slices], options: Sequence[str], targets: Iterable[Target]
) -> tuple[tuple[Slices, ...], str]:
    """The shards, and a note where there are too many names to separate, else an empty text.

    Without names or without scripts the shards stay as they are. A name with a mask counts as the block around its
    address, not as a name.
    """
    named = {target.expression for target in targets if isinstance(target, Name) and target.count == 1}
    if not named or not RUN_SCRIPTS & set(options):
        return tuple(shards), ""
    names: list[TargetSlice] = []
    shards_without_names: list[Slices] = []
    for shard in shards:
        names += (target_slice for target_slice in shard if target_slice.expression in named)
        others = tuple(target_slice for target_slice in shard if target_slice.expression not in named)
        if others:
            shards_without_names.append(others)
    if len(names) > MAX_SINGLE_NAME_SHARDS:
        effect = "scripts tell hosts their addresses, not their names, in TLS and HTTP"
        note = f"{len(names)} names are more than {MAX_SINGLE_NAME_SHARDS}: {effect}; ask for fewer at once"
        return tuple(shards), note
    return (*shards_without_names, *((name,) for name in names)), ""
