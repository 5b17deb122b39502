"""Hosts whose looks are judged: each of their ports that is open, required, or an exposure already.

A turn reads the newest looks from the history, whichever report they came with. So reports may be
recorded in any order and repeatedly, and a turn may be repeated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import NamedTuple

from msgspec.structs import replace

from cascan.exposure.expectations import normalize_name
from cascan.exposure.judge import ObservedPort, Verdict, VerdictKind, judge
from cascan.exposure.life import add_looks, pass_time, start_exposure
from cascan.exposure_updates.apply_severity_rules import apply_severity_rules
from cascan.exposure_updates.context import WatchContext
from cascan.exposure_updates.store_moves import announce_moves, change_exposure
from cascan.ids import ReportKey
from cascan.inventory.looks import find_service, find_state
from cascan.limits import (
    EXPOSURE_LOOK_DAYS,
    MAX_LOOKS_PER_EXPOSURE,
    MAX_LOOKS_PER_NETWORK,
    MAX_PORTS_JUDGED,
)
from cascan.model.exposure import (
    FINDING_PREFIX,
    Exposure,
    ExposureKind,
    ExposureState,
    ExposureSubject,
    JudgedLook,
    MoveKind,
)
from cascan.model.finding import Finding, Severity
from cascan.model.history import Look, SeenService
from cascan.model.inventory import OPEN, OPEN_OR_FILTERED, HostRecord, PortKey

CLOCK_SKEW = timedelta(hours=1)  # by which a worker's clock may be ahead
JUDGED_KINDS = (VerdictKind.UNEXPECTED_OPEN, VerdictKind.OTHER_SERVICE, VerdictKind.MISSING, VerdictKind.ABSENT)
SEVERITY_ORDER = list(Severity)  # the least first
PortPlace = tuple[str, PortKey]  # an address and its port


class SeenPort(NamedTuple):
    """A look that covered a port, and what it saw."""

    look: Look
    state: str
    service: SeenService | None = None

    @property
    def probed_service(self) -> str:
        return self.service.name if self.service and self.service.probed else ""

    @property
    def report(self) -> ReportKey:
        return ReportKey(self.look.scan_id, self.look.shard, self.look.attempt)

    def agrees(self, other: SeenPort) -> bool:
        """Whether two looks, of different runs, saw the same."""
        is_other_run = self.report != other.report
        return is_other_run and (self.state, self.probed_service) == (other.state, other.probed_service)


@dataclass(slots=True)
class ReportNews:
    """What a shard's report brought, beside looks."""

    opened: Collection[tuple[str, PortKey]] = ()  # ports that were closed or not up before
    findings: Mapping[str, list[Finding]] = field(default_factory=dict)  # by address
    key: ReportKey | None = None


@dataclass(slots=True)
class JudgedHosts:
    """What became of the exposures of some hosts."""

    hosts: int = 0
    ports: int = 0
    ports_left: int = 0  # of hosts with more than MAX_PORTS_JUDGED
    moves: list[tuple[MoveKind, Exposure]] = field(default_factory=list)

    def add(self, other: JudgedHosts) -> None:
        self.hosts += other.hosts
        self.ports += other.ports
        self.ports_left += other.ports_left
        self.moves += other.moves

    @property
    def opened(self) -> list[Exposure]:
        """Those that one look has shown, and no second one yet."""
        begun = (MoveKind.OPENED, MoveKind.REOPENED)
        return [exposure for kind, exposure in self.moves if kind in begun and exposure.state is ExposureState.OPEN]


@dataclass(frozen=True, slots=True)
class _JudgedPort:
    """A look at a port, and what the judge says of it."""

    look: Look
    state: str
    verdict: Verdict

    def shows(self, kind: str) -> bool | None:
        """Whether it shows an exposure of the kind. None: it says nothing of that."""
        if kind == ExposureKind.UNTESTED:
            return None if self.verdict.kind is VerdictKind.UNTESTED else False
        if kind == ExposureKind.CHANGE or kind.startswith(FINDING_PREFIX):
            if self.state == OPEN_OR_FILTERED:
                return None
            is_open = self.state == OPEN
            return is_open if kind == ExposureKind.CHANGE or not is_open else None
        if self.verdict.kind is VerdictKind.UNTESTED:
            return None
        if kind == VerdictKind.OTHER_SERVICE and not self.verdict.is_service_known:
            return None
        return self.verdict.kind == kind

    def to_look(self, *, holds: bool) -> JudgedLook:
        key = ReportKey(self.look.scan_id, self.look.shard, self.look.attempt)
        return JudgedLook(seen_at=self.look.seen_at, report_key=str(key), holds=holds, scan_id=self.look.scan_id)


def judge_hosts(
    addresses: Collection[str],
    context: WatchContext,
    *,
    vantage: str,
    names: Mapping[str, Collection[str]] | None = None,
    news: ReportNews | None = None,
) -> JudgedHosts:
    """Judge hosts that share a /24 of IPv4 or a /120 of IPv6; store what changed, and announce it.

    `names`: by address, names under which a host was scanned, beside the one in the inventory.
    """
    return _NetworkJudge(context, vantage, names or {}, news or ReportNews()).judge(addresses)


class _NetworkJudge:
    def __init__(
        self, context: WatchContext, vantage: str, names: Mapping[str, Collection[str]], news: ReportNews
    ) -> None:
        self._context = context
        self._vantage = vantage
        self._names = names
        self._news = news
        self._now = context.clock()
        self._outcome = JudgedHosts()

    def judge(self, addresses: Collection[str]) -> JudgedHosts:
        table = self._context.table
        records = table.known_hosts(addresses, vantage=self._vantage)
        known = table.exposures_at(addresses, vantage=self._vantage)
        by_host: defaultdict[str, list[Exposure]] = defaultdict(list)
        for exposure in known:
            by_host[exposure.subject.address].append(exposure)
        ports = {address: self._list_ports(address, records.get(address), by_host[address]) for address in addresses}
        looks = self._read_looks(ports)
        changed: list[Exposure] = []
        for address, keys in ports.items():
            self._outcome.hosts += 1
            for key in keys:
                of_port = [exposure for exposure in by_host[address] if exposure.subject.key == key]
                changed += self._judge_port(address, key, of_port, records.get(address), looks.get((address, key), []))
        self._count(changed)
        announce_moves(table, self._context.bus, changed)
        return self._outcome

    def _host_names(self, address: str, record: HostRecord | None) -> tuple[str, ...]:
        names = {record.hostname} if record else set()
        names.update(self._names.get(address, ()))
        return tuple(sorted({normalize_name(name) for name in names if name}))

    def _list_ports(self, address: str, record: HostRecord | None, exposures: Iterable[Exposure]) -> list[PortKey]:
        """The ports to judge: with an exposure, required, opened, or open. At most MAX_PORTS_JUDGED."""
        keys = dict.fromkeys(exposure.subject.key for exposure in exposures)
        keys |= dict.fromkeys(self._list_required(address, record))
        keys |= dict.fromkeys(key for opened, key in self._news.opened if opened == address)
        keys |= dict.fromkeys(filter(None, map(_find_key, self._news.findings.get(address, ()))))
        keys |= dict.fromkeys(port.key for port in record.open_ports) if record else {}
        self._outcome.ports += min(len(keys), MAX_PORTS_JUDGED)
        self._outcome.ports_left += max(0, len(keys) - MAX_PORTS_JUDGED)
        return list(islice(keys, MAX_PORTS_JUDGED))

    def _list_required(self, address: str, record: HostRecord | None) -> Iterator[PortKey]:
        for held in self._context.index.find_entries(address, self._host_names(address, record)):
            entry = held.entry
            if entry.required and entry.includes_vantage(self._vantage):
                for ports in entry.ports:
                    yield from ports.keys

    def _read_looks(self, ports: Mapping[str, list[PortKey]]) -> Mapping[PortPlace, list[SeenPort]]:
        """The newest looks that covered each port, back to two in a row that agree."""
        waiting = {address: set(keys) for address, keys in ports.items() if keys}
        found: defaultdict[PortPlace, list[SeenPort]] = defaultdict(list)
        if not waiting:
            return found
        looks = self._context.table.looks_until(
            list(waiting),
            self._now + CLOCK_SKEW,
            since=self._now - timedelta(days=EXPOSURE_LOOK_DAYS),
            vantage=self._vantage,
        )
        for look in islice(looks, MAX_LOOKS_PER_NETWORK):
            of_host = waiting.get(look.address, set())
            for key in list(of_host):
                state = find_state(look, key)
                if state is None:
                    continue
                seen = found[look.address, key]
                seen.append(SeenPort(look, state, find_service(look, key) if state == OPEN else None))
                if _is_enough(seen):
                    of_host.discard(key)
            if not of_host:
                waiting.pop(look.address, None)
                if not waiting:
                    break
        return found

    def _judge_port(
        self,
        address: str,
        key: PortKey,
        exposures: list[Exposure],
        record: HostRecord | None,
        looks: list[SeenPort],
    ) -> Iterator[Exposure]:
        """The exposures of the port that changed, and those whose moves are still to be announced."""
        hostname, names = record.hostname if record else "", self._host_names(address, record)
        judged = [self._judge_look(address, key, names, seen) for seen in looks]
        known = {exposure.subject.kind: exposure for exposure in exposures}
        kinds = dict.fromkeys([*known, *(each.verdict.kind for each in judged if each.verdict.kind in JUDGED_KINDS)])
        if (address, key) in self._news.opened and self._context.settings.changes:
            kinds[ExposureKind.CHANGE] = None
        for kind in kinds:
            subject = ExposureSubject(
                vantage=self._vantage, address=address, kind=str(kind), protocol=key[0], port=key[1]
            )
            shown = [(each, each.shows(str(kind))) for each in judged]
            evidence = [each.to_look(holds=holds) for each, holds in shown if holds is not None]
            reason = next((each.verdict for each, holds in shown if holds), None)
            change = partial(self._change, looks=evidence, reason=reason, hostname=hostname)
            yield from self._store(known.get(str(kind)) or start_exposure(subject), change)
        yield from self._judge_findings(address, key, known, hostname)

    def _judge_look(self, address: str, key: PortKey, names: tuple[str, ...], seen: SeenPort) -> _JudgedPort:
        observed = ObservedPort(
            vantage=self._vantage,
            address=address,
            key=key,
            state=seen.state,
            names=names,
            service=seen.probed_service,
        )
        return _JudgedPort(seen.look, seen.state, judge(self._context.index, observed, self._now))

    def _judge_findings(
        self, address: str, key: PortKey, known: Mapping[str, Exposure], hostname: str
    ) -> Iterator[Exposure]:
        """The findings of the report that are severe enough, as exposures of their categories."""
        least, report = self._context.settings.findings, self._news.key
        if least is None or report is None:
            return
        by_category: dict[str, Finding] = {}
        for finding in self._news.findings.get(address, ()):
            if _find_key(finding) != key or SEVERITY_ORDER.index(finding.severity) < SEVERITY_ORDER.index(least):
                continue
            if "suppressed" not in finding.attributes and "accepted_until" not in finding.attributes:
                by_category.setdefault(finding.category, finding)
        for category, finding in by_category.items():
            kind = f"{FINDING_PREFIX}{category}"
            subject = ExposureSubject(vantage=self._vantage, address=address, kind=kind, protocol=key[0], port=key[1])
            look = JudgedLook(seen_at=finding.parsed_at, report_key=str(report), holds=True, scan_id=report.scan_id)
            change = partial(self._change, looks=[look], reason=finding, hostname=hostname)
            yield from self._store(known.get(kind) or start_exposure(subject), change)

    def _store(self, exposure: Exposure, change: partial[Exposure]) -> Iterator[Exposure]:
        changed = change_exposure(self._context.table, exposure, change)
        if changed is not exposure or changed.pending:
            yield changed

    def _change(
        self, exposure: Exposure, *, looks: list[JudgedLook], reason: Verdict | Finding | None, hostname: str
    ) -> Exposure:
        version = self._context.version
        is_judged_anew = not exposure.is_new and exposure.judged_by != version
        changed = add_looks(exposure, looks, self._now, is_judged_anew=is_judged_anew)
        if isinstance(reason, Finding):
            changed = replace(changed, sentence=reason.name, found_severity=reason.severity)
        elif reason:
            owner = reason.entry.owner if reason.entry else ""
            changed = replace(changed, sentence=reason.sentence, line=reason.line, owner=owner)
        changed = replace(changed, judged_by=version, hostname=hostname or changed.hostname)
        return apply_severity_rules(pass_time(changed, self._now), self._context.rules, self._now)

    def _count(self, changed: Iterable[Exposure]) -> None:
        self._outcome.moves += [(move.kind, exposure) for exposure in changed for move in exposure.pending]


def _find_key(finding: Finding) -> PortKey | None:
    number, protocol = finding.attributes.get("port"), finding.attributes.get("protocol")
    return (str(protocol), int(number)) if isinstance(number, int) and protocol else None


def _is_enough(seen: list[SeenPort]) -> bool:
    """Whether older looks cannot change what these lead to; the newest come first."""
    if len(seen) >= MAX_LOOKS_PER_EXPOSURE:
        return True
    return len(seen) > 1 and seen[-1].agrees(seen[-2])
