"""A shard's targets → the addresses that nmap is given. Names are resolved here, once, and scanned as numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from cascan.gateways import Resolver
from cascan.limits import MAX_ADDRESSES_PER_NAME
from cascan.model.shard import Shard
from cascan.nmap.targets import Exclusion, Name, enumerate_slice, parse_target
from cascan.scope import Scope


@dataclass(slots=True)
class Pinned:
    """What the shard comes down to. `refused` holds a sentence for each address that is outside the scope."""

    addresses: dict[str, None] = field(default_factory=dict)  # in order, without repeats
    resolved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unresolved: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    name: str = ""  # the one name that every address stands for; empty: some stand for another, or for none


def pin_targets(shard: Shard, *, scope: Scope, resolver: Resolver) -> Pinned:
    """Every address of the shard that is inside the scope and not excluded.

    A name is scanned only when all its addresses are inside: one answer outside says that the name is not what the
    operator allowed. As with nmap it is scanned at its first address, or at each with `--resolve-all`: of more than
    MAX_ADDRESSES_PER_NAME at the first of them, and `refused` says so.
    Raises: GatewayUnavailable: the resolver had no answer, for now.
    """
    pinned = Pinned()
    exclusion = Exclusion.parse(shard.exclude, shard.family)
    names: set[str] = set()
    for piece in shard.slices:
        target = parse_target(piece.expression, shard.family)
        if isinstance(target, Name) and not _resolve(target, shard, pinned, scope, resolver):
            continue
        refusal = None if isinstance(target, Name) else scope.refusal_of(target)  # stricter now than at the request?
        if refusal:
            pinned.refused.append(refusal)
            continue
        names.add(target.name if isinstance(target, Name) and target.count == 1 else "")
        for address in enumerate_slice(piece, shard.family, pinned.resolved):
            if not exclusion.contains(address):
                pinned.addresses[address] = None
    pinned.name = names.pop() if len(names) == 1 else ""
    return pinned


def _resolve(target: Name, shard: Shard, pinned: Pinned, scope: Scope, resolver: Resolver) -> bool:
    """Write down the name's addresses if it may be scanned; else, why not."""
    found = resolver.addresses(target.name, shard.family)
    if not found:
        pinned.unresolved.append(target.name)
        return False
    for address in found:
        refusal = _refusal_of(target, address, scope)
        if refusal:
            pinned.refused.append(f"{target.name}: {refusal}")
            return False
    pinned.resolved[target.name] = found[: MAX_ADDRESSES_PER_NAME if "--resolve-all" in shard.arguments else 1]
    if "--resolve-all" in shard.arguments and len(found) > MAX_ADDRESSES_PER_NAME:
        reason = f"of its {len(found)} addresses the first {MAX_ADDRESSES_PER_NAME} are scanned"
        pinned.refused.append(f"{target.name}: {reason}; name the others by their numbers")
    return True


def _refusal_of(target: Name, address: str, scope: Scope) -> str | None:
    """An allowed domain covers the name's own address, never the block that a mask makes around it."""
    return (
        scope.refusal_of_address(address, target.name)
        if target.count == 1
        else scope.refusal_of(target.pinned(address))
    )
