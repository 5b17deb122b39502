"""A shard's targets → the addresses that nmap is given.

A name is looked up once, here, so nmap never resolves it.
"""

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
    """The addresses to scan. `reasons` says why a name or a target is not scanned."""

    addresses: dict[str, None] = field(default_factory=dict)  # in order, without repeats
    resolved: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Name → the name that was looked up, if it differs
    asked_as: dict[str, str] = field(default_factory=dict)
    unresolved: list[str] = field(default_factory=list)  # names that have no address
    # One sentence for each target outside the scope
    refused: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    # Names that DNS failed for: they may have an address
    unanswered: dict[str, Reason] = field(default_factory=dict)
    name: str = ""  # the name that all addresses belong to; empty if there is no such name

    def refuse(self, code: ReasonCode, subject: str, sentence: str) -> None:
        self.refused.append(sentence)
        self.reasons.append(Reason.of(code, subject, sentence))


def pin_targets(
    shard: Shard, *, scope: Scope, resolver: Resolver, give_up: Callable[[], object] = bool
) -> PinnedTargets:
    """Every address of the shard that is inside the scope and not excluded.

    A name is scanned only if all its addresses are inside the scope: an address outside means that
    the name is not what the operator allowed. Like nmap, this takes the first address of a name, or
    with `--resolve-all` each of them, up to MAX_ADDRESSES_PER_NAME; a reason names a name that has
    more. A name that fails does not affect the others. Once `give_up()` is true, names without an
    answer so far are unanswered.
    """
    pinned = PinnedTargets()
    exclusion = Exclusion.parse(shard.exclude, shard.family)
    targets = [(item, parse_target(item.expression, shard.family)) for item in shard.slices]
    lookups = resolver.look_up(_names(target for _, target in targets), shard.family, give_up)
    labels: set[str] = set()
    for target_slice, target in targets:
        if not _may_be_scanned(target, lookups, shard, pinned, scope):
            continue
        label = ""
        if isinstance(target, Name) and target.count == 1:
            label = lookups[target.name].asked
        labels.add(label)
        for address in enumerate_slice(target_slice, shard.family, pinned.resolved):
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
    if refusal := scope.find_refusal(target):  # the scope was narrowed after the request
        pinned.refuse(ReasonCode.OUT_OF_SCOPE, target.expression, refusal)
    return not refusal


def _resolve(
    target: Name,
    lookup: Lookup,
    shard: Shard,
    pinned: PinnedTargets,
    scope: Scope,
) -> bool:
    """Record the addresses of the name, or the reason why it is not scanned."""
    if lookup.asked != target.name:
        pinned.asked_as[target.name] = lookup.asked
    if lookup.failure or not lookup.addresses:
        _record_failure(target, lookup, pinned)
        return False
    for address in lookup.addresses:
        if refusal := _refusal_of(target, lookup.asked, address, scope):
            pinned.refuse(ReasonCode.OUT_OF_SCOPE, target.name, f"{target.name}: {refusal}")
            return False
    count, resolve_all = len(lookup.addresses), RESOLVE_ALL in shard.arguments
    pinned.resolved[target.name] = lookup.addresses[: MAX_ADDRESSES_PER_NAME if resolve_all else 1]
    if resolve_all and count > MAX_ADDRESSES_PER_NAME:
        scanned = f"of its {count} addresses the first {MAX_ADDRESSES_PER_NAME} are scanned"
        sentence = f"{target.name}: {scanned}; name the others by their numbers"
        pinned.refuse(ReasonCode.ADDRESSES_LEFT_OUT, target.name, sentence)
    return True


def _record_failure(target: Name, lookup: Lookup, pinned: PinnedTargets) -> None:
    # It is in the shard twice, with two masks
    if target.name in pinned.unanswered or target.name in pinned.unresolved:
        return
    failure = lookup.failure or ReasonCode.NAME_WITHOUT_ADDRESS
    is_same_name = lookup.asked == target.name.removesuffix(".")
    looked_up = "" if is_same_name else f", looked up as {lookup.asked}"
    sentence = f"{target.name}{looked_up}: {lookup.why or 'DNS has no address for it'}"
    reason = Reason.of(failure, target.name, sentence)
    if lookup.may_succeed_later:
        pinned.unanswered[target.name] = reason
    else:
        pinned.unresolved.append(target.name)
        pinned.reasons.append(reason)


def _refusal_of(target: Name, asked: str, address: str, scope: Scope) -> str | None:
    """Find the reason why an address of a target is outside the scope, if it is.

    An allowed domain covers the address of a name, but not the network of a name with a mask.
    """
    if target.count == 1:
        return scope.find_address_refusal(address, asked)
    return scope.find_refusal(target.pin(address))
