"""A shard's targets → the addresses that nmap is given. Names are looked up here, once, and scanned as numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from cascan.gateways import Lookup, Resolver
from cascan.limits import MAX_ADDRESSES_PER_NAME
from cascan.model.reason import Reason, ReasonCode
from cascan.model.shard import Shard
from cascan.nmap.targets.target_set import Exclusion, Name, Target, enumerate_slice, parse_target
from cascan.permissions.scope import Scope

RESOLVE_ALL = "--resolve-all"


@dataclass(slots=True)
class PinnedTargets:
    """What the shard comes down to. `reasons` says of each name and target that is not scanned why it is not."""

    addresses: dict[str, None] = field(default_factory=dict)  # in order, without repeats
    resolved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked_as: dict[str, str] = field(default_factory=dict)  # name → the name that was looked up, where it is another
    unresolved: list[str] = field(default_factory=list)  # names that have no address
    refused: list[str] = field(default_factory=list)  # a sentence for each target that is outside the scope
    reasons: list[Reason] = field(default_factory=list)
    unanswered: dict[str, Reason] = field(default_factory=dict)  # names that may have an address: DNS failed for them
    name: str = ""  # the one name that every address stands for; empty: some stand for another, or for none

    def refuse(self, code: ReasonCode, subject: str, sentence: str) -> None:
        self.refused.append(sentence)
        self.reasons.append(Reason.of(code, subject, sentence))


def pin_targets(
    shard: Shard, *, scope: Scope, resolver: Resolver, give_up: Callable[[], object] = bool
) -> PinnedTargets:
    """Every address of the shard that is inside the scope and not excluded.

    A name is scanned only when all its addresses are inside: one answer outside says that the name is not what the
    operator allowed. As with nmap it is scanned at its first address, or at each with `--resolve-all`: of more than
    MAX_ADDRESSES_PER_NAME at the first of them, and a reason says so. One name's trouble is its own: the others are
    pinned. Once `give_up()` is true, names that have no answer yet are unanswered.
    """
    pinned = PinnedTargets()
    exclusion = Exclusion.parse(shard.exclude, shard.family)
    targets = [(piece, parse_target(piece.expression, shard.family)) for piece in shard.slices]
    lookups = resolver.look_up(_names(target for _, target in targets), shard.family, give_up)
    labels: set[str] = set()
    for piece, target in targets:
        if not _may_be_scanned(target, lookups, shard, pinned, scope):
            continue
        labels.add(lookups[target.name].asked if isinstance(target, Name) and target.count == 1 else "")
        for address in enumerate_slice(piece, shard.family, pinned.resolved):
            if not exclusion.contains(address):
                pinned.addresses[address] = None
    pinned.name = labels.pop() if len(labels) == 1 else ""
    return pinned


def _names(targets: Iterable[Target]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(target.name for target in targets if isinstance(target, Name)))


def _may_be_scanned(
    target: Target, lookups: Mapping[str, Lookup], shard: Shard, pinned: PinnedTargets, scope: Scope
) -> bool:
    if isinstance(target, Name):
        return _resolve(target, lookups[target.name], shard, pinned, scope)
    if refusal := scope.find_refusal(target):  # the scope is narrower now than at the request
        pinned.refuse(ReasonCode.OUT_OF_SCOPE, target.expression, refusal)
    return not refusal


def _resolve(target: Name, lookup: Lookup, shard: Shard, pinned: PinnedTargets, scope: Scope) -> bool:
    """Write down the name's addresses if it may be scanned; else, why not."""
    if lookup.asked != target.name:
        pinned.asked_as[target.name] = lookup.asked
    if lookup.failure or not lookup.addresses:
        _note_failure(target, lookup, pinned)
        return False
    for address in lookup.addresses:
        if refusal := _refusal_of(target, lookup.asked, address, scope):
            pinned.refuse(ReasonCode.OUT_OF_SCOPE, target.name, f"{target.name}: {refusal}")
            return False
    found, resolve_all = lookup.addresses, RESOLVE_ALL in shard.arguments
    pinned.resolved[target.name] = found[: MAX_ADDRESSES_PER_NAME if resolve_all else 1]
    if resolve_all and len(found) > MAX_ADDRESSES_PER_NAME:
        kept = f"of its {len(found)} addresses the first {MAX_ADDRESSES_PER_NAME} are scanned"
        sentence = f"{target.name}: {kept}; name the others by their numbers"
        pinned.refuse(ReasonCode.ADDRESSES_LEFT_OUT, target.name, sentence)
    return True


def _note_failure(target: Name, lookup: Lookup, pinned: PinnedTargets) -> None:
    if target.name in pinned.unanswered or target.name in pinned.unresolved:  # asked for with two masks
        return
    failure = lookup.failure or ReasonCode.NAME_WITHOUT_ADDRESS
    looked_up = "" if lookup.asked == target.name.removesuffix(".") else f", looked up as {lookup.asked}"
    sentence = f"{target.name}{looked_up}: {lookup.why or 'DNS has no address for it'}"
    reason = Reason.of(failure, target.name, sentence)
    if lookup.may_succeed_later:
        pinned.unanswered[target.name] = reason
    else:
        pinned.unresolved.append(target.name)
        pinned.reasons.append(reason)


def _refusal_of(target: Name, asked: str, address: str, scope: Scope) -> str | None:
    """An allowed domain covers the address of the name that was looked up, never the block that a mask makes of it."""
    return scope.find_address_refusal(address, asked) if target.count == 1 else scope.find_refusal(target.pin(address))
