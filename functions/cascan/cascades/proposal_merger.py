"""Many wishes of one rule → few requests. Nothing is asked for that no wish asked for.

Wishes that differ in target and port alone are joined: a target's ports become one list, and targets with the same
list become one request. Where that leaves more requests than there are ports, targets are joined port by port instead.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from heapq import nsmallest

from cascan.cascades.argument_positions import ArgumentPositions
from cascan.cascades.scan_proposal import ScanProposal
from cascan.limits import MAX_CHILD_TARGET_BYTES, MAX_FINDINGS_LISTED, MAX_TARGETS_PER_CHILD

PORTS_HERE = "\0ports"  # no word of a rule holds it: a request is printable text
NO_PORTS: frozenset[int] = frozenset()


def compute_digest(text: str) -> str:
    """16 characters of a-z2-7 that stand for the text."""
    return b32encode(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:10]).decode().lower()


@dataclass(slots=True)
class MatchedFindings:
    """Findings: how many, and the first ids of them."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, finding_id: str) -> None:
        self.count += 1
        if len(self.ids) < MAX_FINDINGS_LISTED:
            self.ids.append(finding_id)

    @classmethod
    def of(cls, several: Sequence[MatchedFindings]) -> MatchedFindings:
        ids = nsmallest(MAX_FINDINGS_LISTED, {finding_id for told in several for finding_id in told.ids})
        return cls(sum(told.count for told in several), ids)


@dataclass(frozen=True, slots=True)
class MergeKey:
    """What joined wishes have in common."""

    wish: ScanProposal  # with its words, less the targets, and PORTS_HERE for the ports
    prefix: str
    family: int


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """One request to make."""

    base: str
    ports: tuple[int, ...]
    wish: ScanProposal
    words: tuple[str, ...]  # of nmap, without targets
    targets: tuple[str, ...]
    told: tuple[MatchedFindings, ...]  # of each target

    def parts(self, addresses: Mapping[str, int], most: int) -> Iterator[ChildRequest]:
        """The same in several, each of at most so many addresses, or of one target that has more."""
        first = size = 0
        for number, target in enumerate(self.targets):
            if number > first and size + addresses[target] > most:
                yield replace(self, targets=self.targets[first:number], told=self.told[first:number])
                first, size = number, 0
            size += addresses[target]
        yield replace(self, targets=self.targets[first:], told=self.told[first:])


class ProposalMerger:
    """The wishes of one rule, joined as they come."""

    def __init__(self, asked: Mapping[str, Mapping[str, Set[int]]]) -> None:
        """`asked` is what other scans of the cascade asked for: ports by target, by what they have in common."""
        self.asked = asked
        self.bases: dict[MergeKey, str] = {}
        self.groups: dict[MergeKey, dict[str, set[int]]] = {}
        self.told: dict[tuple[MergeKey, str], MatchedFindings] = defaultdict(MatchedFindings)
        self.duplicates = MatchedFindings()

    def add(self, wish: ScanProposal, layout: ArgumentPositions, target: str, finding_id: str) -> None:
        """One target of a wish."""
        ports = layout.read_ports(wish.words)
        joint = _joint(wish, layout, target, ports)
        wanted, before = ports or NO_PORTS, self.asked.get(self._base(joint), {}).get(target)
        if before is not None and wanted <= before:
            self.duplicates.add(finding_id)
            return
        asked = self.groups.setdefault(joint, {})
        if target in asked and wanted <= asked[target]:
            self.duplicates.add(finding_id)
        else:
            asked.setdefault(target, set()).update(wanted - (before or NO_PORTS))
        self.told[joint, target].add(finding_id)

    def requests(self) -> Iterator[ChildRequest]:
        """In an order that depends on nothing but what was asked for."""
        for joint in sorted(self.groups, key=lambda joint: (joint.wish.scan_type, joint.wish.words, repr(joint))):
            for ports, targets in _fewest(self.groups[joint]):
                for chunk in _chunks(targets):
                    told = tuple(self.told[joint, target] for target in chunk)
                    yield ChildRequest(self._base(joint), ports, joint.wish, _words(joint, ports), chunk, told)

    def _base(self, joint: MergeKey) -> str:
        if joint not in self.bases:
            self.bases[joint] = compute_digest(repr(joint))
        return self.bases[joint]


def _joint(wish: ScanProposal, layout: ArgumentPositions, target: str, ports: frozenset[int] | None) -> MergeKey:
    words = tuple(
        PORTS_HERE if ports is not None and position == layout.ports else word
        for position, word in enumerate(wish.words)
        if position not in layout.targets
    )
    common = ScanProposal(wish.scan_type, words, wish.labels, wish.annotations, wish.spec)
    return MergeKey(common, layout.prefix if ports is not None else "", 6 if ":" in target else 4)


def _words(joint: MergeKey, ports: tuple[int, ...]) -> tuple[str, ...]:
    listed = joint.prefix + ",".join(map(str, ports))
    words = tuple(listed if word == PORTS_HERE else word for word in joint.wish.words)
    return (*words, "-6") if joint.family == 6 and "-6" not in words else words  # noqa: PLR2004  the address family


def _fewest(asked: dict[str, set[int]]) -> list[tuple[tuple[int, ...], list[str]]]:
    """Ports with the targets they are for: by equal lists, or port by port, whichever makes fewer requests."""
    by_list: dict[tuple[int, ...], list[str]] = defaultdict(list)
    by_port: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for target, ports in asked.items():
        by_list[tuple(sorted(ports))].append(target)
        for port in ports:
            by_port[port,].append(target)
    fewest = by_port if 0 < len(by_port) < len(by_list) and () not in by_list else by_list
    return sorted((ports, sorted(targets)) for ports, targets in fewest.items())


def _chunks(targets: Iterable[str]) -> Iterator[tuple[str, ...]]:
    chunk: list[str] = []
    size = 0
    for target in targets:
        if chunk and (len(chunk) == MAX_TARGETS_PER_CHILD or size + len(target) > MAX_CHILD_TARGET_BYTES):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(target)
        size += len(target)
    if chunk:
        yield tuple(chunk)
