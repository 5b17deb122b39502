"""Many proposals of one rule → few requests. Nothing is requested that no proposal asks for.

Proposals that differ only in target and port are merged: the ports of a target become one list, and
targets with the same list become one request. Where that makes more requests than there are ports,
targets are merged port by port.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from heapq import nsmallest
from typing import Any

from cascan.cascades.argument_positions import ArgumentPositions
from cascan.cascades.scan_proposal import ScanProposal
from cascan.limits import MAX_CHILD_TARGET_BYTES, MAX_FINDINGS_LISTED, MAX_TARGETS_PER_CHILD
from cascan.nmap.targets.own_ports import find_family

PORTS_PLACEHOLDER = "\0ports"  # no argument of a rule holds it: a request is printable text
NO_PORTS: frozenset[int] = frozenset()


def compute_digest(text: str) -> str:
    """16 characters of a-z2-7 that identify the text."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return b32encode(digest[:10]).decode().lower()


@dataclass(slots=True)
class MatchedFindings:
    """How many findings there are, and the first ids of them."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, finding_id: str) -> None:
        self.count += 1
        if len(self.ids) < MAX_FINDINGS_LISTED:
            self.ids.append(finding_id)

    @classmethod
    def merge(cls, several: Sequence[MatchedFindings]) -> MatchedFindings:
        ids = {finding_id for findings in several for finding_id in findings.ids}
        return cls(sum(findings.count for findings in several), nsmallest(MAX_FINDINGS_LISTED, ids))


@dataclass(frozen=True, slots=True)
class MergeKey:
    """What merged proposals have in common."""

    # its arguments without the targets, and with PORTS_PLACEHOLDER for the ports
    proposal: ScanProposal
    prefix: str  # before the ports, in the same argument
    family: int

    @property
    def values(self) -> tuple[Any, ...]:
        """Everything in it as plain values, for a digest that no renaming in this code changes."""
        return (*self.proposal.values, self.prefix, self.family)


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """One request to make."""

    base: str  # a digest of the merge key
    ports: tuple[int, ...]
    proposal: ScanProposal
    arguments: tuple[str, ...]  # of nmap, without targets
    targets: tuple[str, ...]
    findings: tuple[MatchedFindings, ...]  # of each target

    def split(self, addresses: Mapping[str, int], max_addresses: int) -> Iterator[ChildRequest]:
        """The same as several requests, each with at most `max_addresses`, or with one target that
        has more.

        `addresses`: how many each target has.
        """
        start = size = 0
        for number, target in enumerate(self.targets):
            if number > start and size + addresses[target] > max_addresses:
                yield self._slice(start, number)
                start, size = number, 0
            size += addresses[target]
        yield self._slice(start, len(self.targets))

    def _slice(self, start: int, end: int) -> ChildRequest:
        return replace(self, targets=self.targets[start:end], findings=self.findings[start:end])


class ProposalMerger:
    """The proposals of one rule, merged as they come."""

    def __init__(self, requested: Mapping[str, Mapping[str, Set[int]]]) -> None:
        """`requested`: by other scans of the cascade, as ports by target, by the digest of the
        merge key.
        """
        self.requested = requested
        self.digests: dict[MergeKey, str] = {}
        self.groups: dict[MergeKey, dict[str, set[int]]] = {}
        self.findings: dict[tuple[MergeKey, str], MatchedFindings] = defaultdict(MatchedFindings)
        self.duplicates = MatchedFindings()

    def add(
        self,
        proposal: ScanProposal,
        positions: ArgumentPositions,
        target: str,
        finding_id: str,
    ) -> None:
        """Add one target of a proposal."""
        plain_ports = positions.read_ports(proposal.arguments)
        key = _build_key(proposal, positions, target, plain_ports)
        ports = plain_ports or NO_PORTS
        by_others = self.requested.get(self._digest(key), {}).get(target)
        if by_others is not None and ports <= by_others:
            self.duplicates.add(finding_id)
            return
        group = self.groups.setdefault(key, {})
        if target in group and ports <= group[target]:
            self.duplicates.add(finding_id)
        else:
            group.setdefault(target, set()).update(ports - (by_others or NO_PORTS))
        self.findings[key, target].add(finding_id)

    def requests(self) -> Iterator[ChildRequest]:
        """In an order that depends only on what was proposed."""
        for key in sorted(self.groups, key=_sort_key):
            for ports, targets in _fewest_requests(self.groups[key]):
                arguments = _build_arguments(key, ports)
                for chunk in _split_targets(targets):
                    findings = tuple(self.findings[key, target] for target in chunk)
                    yield ChildRequest(
                        self._digest(key),
                        ports,
                        key.proposal,
                        arguments,
                        chunk,
                        findings,
                    )

    def _digest(self, key: MergeKey) -> str:
        if key not in self.digests:
            self.digests[key] = compute_digest(repr(key.values))
        return self.digests[key]


def _sort_key(key: MergeKey) -> tuple[str, tuple[str, ...], str]:
    return key.proposal.scan_type, key.proposal.arguments, repr(key.values)


def _build_key(
    proposal: ScanProposal, positions: ArgumentPositions, target: str, ports: frozenset[int] | None
) -> MergeKey:
    arguments = tuple(
        PORTS_PLACEHOLDER if ports is not None and position == positions.ports else argument
        for position, argument in enumerate(proposal.arguments)
        if position not in positions.targets
    )
    common = ScanProposal(
        proposal.scan_type,
        arguments,
        proposal.labels,
        proposal.annotations,
        proposal.spec,
    )
    return MergeKey(
        common,
        positions.prefix if ports is not None else "",
        find_family(target),
    )


def _build_arguments(key: MergeKey, ports: tuple[int, ...]) -> tuple[str, ...]:
    port_list = key.prefix + ",".join(map(str, ports))
    proposed = key.proposal.arguments
    arguments = tuple(port_list if text == PORTS_PLACEHOLDER else text for text in proposed)
    needs_option = key.family == 6 and "-6" not in arguments  # noqa: PLR2004  the address family
    return (*arguments, "-6") if needs_option else arguments


def _fewest_requests(
    ports_by_target: dict[str, set[int]],
) -> list[tuple[tuple[int, ...], list[str]]]:
    """Ports with their targets: by equal lists, or port by port, whichever makes fewer requests."""
    by_list: dict[tuple[int, ...], list[str]] = defaultdict(list)
    by_port: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for target, ports in ports_by_target.items():
        by_list[tuple(sorted(ports))].append(target)
        for port in ports:
            by_port[port,].append(target)
    fewest = by_port if 0 < len(by_port) < len(by_list) and () not in by_list else by_list
    return sorted((ports, sorted(targets)) for ports, targets in fewest.items())


def _split_targets(targets: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Within the limits on the targets of one child."""
    chunk: list[str] = []
    size = 0
    for target in targets:
        exceeds_bytes = size + len(target) > MAX_CHILD_TARGET_BYTES
        if chunk and (len(chunk) == MAX_TARGETS_PER_CHILD or exceeds_bytes):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(target)
        size += len(target)
    if chunk:
        yield tuple(chunk)
