"""What changed since the last scan of the same series: findings that are new, resolved, or not covered.

    since = SinceLastScan.open(scan, table)
    for vantage, finding, standing in since.compare(read_findings_by_vantage(scan, table)):
        …
    gone = since.judge_gone()  # what the earlier scan had, and this one does not

A finding that this scan does not have is resolved only if the scan looked. It did not look at ports
that it did not cover, at hosts that it did not reach, or with scripts that it did not run; nor with
all of its scripts at a host that ran into --host-timeout. Nothing of it is stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby, islice

from cascan.clock import TimeLeft, no_time_limit
from cascan.findings.by_host import find_address, find_port_key
from cascan.findings.hosts import CATEGORY as HOST
from cascan.gateways import History, Scans
from cascan.inventory.looks import find_state
from cascan.limits import MAX_COMPARED_FINDINGS, MAX_GONE_FINDINGS, MAX_SERIES_SCANS, MIN_JUDGING_S
from cascan.model.finding import Finding
from cascan.model.history import Look
from cascan.model.inventory import OPEN, OPEN_OR_FILTERED
from cascan.model.reason import ReasonCode
from cascan.model.scan import Outcome, Scan, ScanState
from cascan.nmap.addresses import find_network, is_address, order_address
from cascan.queries.reachability_findings import CATEGORY as REACHABILITY
from cascan.queries.reachability_findings import CLOCK_SKEW, FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.rules.severity import ACCEPTED, SUPPRESSED, to_count_key

FINDINGS_AT_ONCE = 500  # whose places are looked up together


def find_earlier_scan(table: Scans, scan: Scan) -> Scan | None:
    """The newest scan of the same series and vantage that was requested before `scan` and is Done."""
    return next(list_earlier_scans(table, scan), None)


def list_earlier_scans(table: Scans, scan: Scan, most_read: int = MAX_SERIES_SCANS) -> Iterator[Scan]:
    """The scans of the same series and vantage that were requested before `scan` and are Done, the newest first.

    `most_read`: of the latest scans of the stack, how many are looked through.
    """
    place = (scan.name, scan.vantage, bool(scan.member_of))
    for other in table.list_scans(most_read):
        is_earlier = (other.requested_at, other.scan_id) < (scan.requested_at, scan.scan_id)
        same_place = (other.name, other.vantage, bool(other.member_of)) == place
        if is_earlier and same_place and other.state is ScanState.DONE:
            yield other


class Standing(StrEnum):
    """How a finding stands to the scan before."""

    KNOWN = "known"  # the earlier scan has it
    NEW = "new"  # the earlier scan looked there, and does not have it
    NOT_COVERED = "not covered"  # the earlier scan does not have it, and did not look there


@dataclass(frozen=True, slots=True)
class GoneFindings:
    """Findings of the earlier scan that the scan does not have, each with its vantage."""

    resolved: list[tuple[str, Finding]] = field(default_factory=list)
    not_covered: list[tuple[str, Finding]] = field(default_factory=list)
    unlisted: int = 0  # beyond MAX_GONE_FINDINGS: not judged, and so not known to be resolved

    @property
    def resolved_count(self) -> int:
        """Without suppressed and accepted ones."""
        return sum(is_counted(finding) for _, finding in self.resolved)

    @property
    def not_covered_count(self) -> int:
        """Without suppressed and accepted ones; with those that were not judged."""
        return sum(is_counted(finding) for _, finding in self.not_covered) + self.unlisted


def is_counted(finding: Finding) -> bool:
    """Whether it can be new or gone: it is neither suppressed nor accepted."""
    return to_count_key(finding) not in (SUPPRESSED, ACCEPTED)


class SinceLastScan:
    """Compares the findings of a scan with those of the scan before it in its series."""

    def __init__(
        self, scan: Scan, earlier: Scan | None, table: FindingsAndLooks, max_compared: int | None = None
    ) -> None:
        """`earlier`: None, if there is no scan to compare with. `max_compared`: MAX_COMPARED_FINDINGS, or fewer."""
        self.scan, self.earlier = scan, earlier
        self._table = table
        self._earlier_keys: set[bytes] = set()
        # None is compared, so that memory stays bounded
        self.is_too_large = earlier is not None and earlier.findings.count > (
            MAX_COMPARED_FINDINGS if max_compared is None else max_compared
        )
        if self.is_compared and earlier is not None:
            findings = read_findings_by_vantage(earlier, table)
            self._earlier_keys = {_to_key(finding, vantage) for vantage, finding in findings}
        self._gone = set(self._earlier_keys)

    @property
    def is_compared(self) -> bool:
        """There is an earlier scan, and it is not too large."""
        return self.earlier is not None and not self.is_too_large

    @classmethod
    def open(cls, scan: Scan, table: FindingsAndLooks, max_compared: int | None = None) -> SinceLastScan:
        """Find the earlier scan, and read which findings it has."""
        return cls(scan, find_earlier_scan(table, scan), table, max_compared)

    def compare(self, findings: Iterable[tuple[str, Finding]]) -> Iterator[tuple[str, Finding, Standing]]:
        """The findings of the scan, in their order; KNOWN if nothing is compared."""
        if self.earlier is None or self.is_too_large:
            yield from ((vantage, finding, Standing.KNOWN) for vantage, finding in findings)
            return
        yield from Coverage(self.earlier, self.scan, self._table).compare(findings, self._find)

    def add(self, finding: Finding, vantage: str = "") -> bool:
        """Take one finding of the scan, instead of `compare`. True: the earlier scan does not have it, whether or not
        it looked there. False also if nothing is compared.
        """
        return self.is_compared and not self._find(vantage, finding)

    def _find(self, vantage: str, finding: Finding) -> bool:
        """Whether the earlier scan has the finding; then it is not gone."""
        key = _to_key(finding, vantage)
        self._gone.discard(key)
        return key in self._earlier_keys

    def judge_gone(self, left_s: TimeLeft = no_time_limit) -> GoneFindings:
        """What the earlier scan has and the scan has not. All findings of the scan have to be compared before.

        `left_s`: with less than MIN_JUDGING_S left, the others are counted.
        """
        if self.earlier is None or not self._gone:
            return GoneFindings()
        gone = [
            (vantage, finding)
            for vantage, finding in read_findings_by_vantage(self.earlier, self._table)
            if _to_key(finding, vantage) in self._gone
        ]
        judged, unlisted = gone[:MAX_GONE_FINDINGS], len(gone[MAX_GONE_FINDINGS:])
        result = GoneFindings(unlisted=unlisted)
        covered = Coverage(self.scan, self.earlier, self._table)
        for number, (vantage, finding, is_resolved) in enumerate(covered.judge(judged)):
            if left_s() < MIN_JUDGING_S:
                return replace(result, unlisted=unlisted + len(judged) - number)
            (result.resolved if is_resolved else result.not_covered).append((vantage, finding))
        return result


class Coverage:
    """Decides whether `scan` looked where `earlier` has findings that `scan` does not have.

    `earlier` may as well be a later scan: then these are its findings that `scan` did not have before.
    """

    def __init__(self, scan: Scan, earlier: Scan, table: FindingsAndLooks) -> None:
        self._table = table
        members = filter(None, map(table.get_scan, scan.members)) if scan.members else [scan]
        self._scans = {member.vantage: member for member in members}
        self._timed_out = {vantage: _list_timed_out_hosts(member) for vantage, member in self._scans.items()}
        self._asks_the_same = _asks_the_same(scan, earlier)
        self._until = (scan.finished_at or scan.requested_at) + CLOCK_SKEW
        self._since = scan.requested_at - CLOCK_SKEW
        self._ended_whole = scan.outcome is Outcome.COMPLETE

    def compare(
        self, findings: Iterable[tuple[str, Finding]], has: Callable[[str, Finding], bool]
    ) -> Iterator[tuple[str, Finding, Standing]]:
        """The findings, each with its vantage, in their order. `has`: whether `scan` has one."""
        stream = iter(findings)
        while batch := list(islice(stream, FINDINGS_AT_ONCE)):
            absent = [entry for entry in batch if not has(*entry)]
            placed = [entry for entry in absent if is_address(find_address(entry[1]))]
            # A finding without an address has no looks, so it counts as new
            standings = {finding.id: Standing.NEW for _, finding in absent}
            for _, finding, is_covered in self.judge(placed):
                standings[finding.id] = Standing.NEW if is_covered else Standing.NOT_COVERED
            for vantage, finding in batch:
                yield vantage, finding, standings.get(finding.id, Standing.KNOWN)

    def judge(self, findings: Sequence[tuple[str, Finding]]) -> Iterator[tuple[str, Finding, bool]]:
        """Each finding with its vantage, and whether it is resolved; in order of vantage and address."""
        for vantage, finding, looks in self._find_looks(findings):
            repeats_scripts = self._repeats_scripts(vantage, find_address(finding))
            yield vantage, finding, self._is_resolved(finding, looks, repeats_scripts=repeats_scripts)

    def list_uncovered(self, findings: Sequence[tuple[str, Finding]]) -> Iterator[tuple[str, Finding]]:
        """The findings at whose host or port the scan did not look at all, each with its vantage.

        A look that could not decide the port's state is a look.
        """
        placed = [entry for entry in findings if entry[1].category != REACHABILITY and _find_network(entry[1])]
        for vantage, finding, looks in self._find_looks(placed):
            port = find_port_key(finding)
            is_covered = any(port is None or find_state(look, port) is not None for look in looks)
            if not is_covered:
                yield vantage, finding

    def _find_looks(self, findings: Sequence[tuple[str, Finding]]) -> Iterator[tuple[str, Finding, list[Look]]]:
        """Each finding with its vantage and the scan's looks at its host, in order of vantage and address."""
        ordered = sorted(findings, key=_order)
        for (vantage, network), batch in groupby(ordered, key=lambda entry: (entry[0], _find_network(entry[1]))):
            entries = list(batch)
            addresses = {find_address(finding) for _, finding in entries} if network else ()
            looks: defaultdict[str, list[Look]] = defaultdict(list)  # by address
            for look in self._read_looks(vantage, addresses):
                looks[look.address].append(look)
            for _, finding in entries:
                yield vantage, finding, looks[find_address(finding)]

    def _read_looks(self, vantage: str, addresses: Collection[str]) -> Iterator[Look]:
        """The scan's looks at the addresses, the newest first. They share a network."""
        scan = self._scans.get(vantage) if addresses else None
        table: History = self._table
        for place in scan.vantages_of_looks if scan else ():
            looks = table.looks_until(addresses, self._until, since=self._since, vantage=place)
            yield from (look for look in looks if scan and look.scan_id == scan.scan_id)

    def _repeats_scripts(self, vantage: str, address: str) -> bool:
        """Whether the scan looked at the host for all that the other one looked for."""
        timed_out = self._timed_out.get(vantage)
        return self._asks_the_same and timed_out is not None and address not in timed_out

    def _is_resolved(self, finding: Finding, looks: Sequence[Look], *, repeats_scripts: bool) -> bool:
        if finding.category == REACHABILITY:  # computed from the looks of all members
            return self._ended_whole and self._asks_the_same
        key = find_port_key(finding)
        if key is None:
            return _is_host_resolved(finding, looks, repeats_scripts=repeats_scripts)
        states = {find_state(look, key) for look in looks} - {None}
        if not states or OPEN_OR_FILTERED in states:
            return False
        return repeats_scripts if OPEN in states else True


def _is_host_resolved(finding: Finding, looks: Sequence[Look], *, repeats_scripts: bool) -> bool:
    if not looks:
        return False
    return not looks[0].is_up or (finding.category != HOST and repeats_scripts)


def _to_key(finding: Finding, vantage: str) -> bytes:
    """A short key: a million of them fit into memory."""
    try:
        digest = bytes.fromhex(finding.fingerprint)
    except ValueError:  # no version so far makes such fingerprints
        digest = finding.fingerprint.encode(errors="surrogatepass")
    return digest + vantage.encode()


def _asks_the_same(scan: Scan, other: Scan) -> bool:
    """Whether both were requested with the same options of nmap. A scan without its request says nothing."""
    if scan.request is None or other.request is None:
        return False
    return scan.request.parameters == other.request.parameters


def _list_timed_out_hosts(scan: Scan) -> frozenset[str] | None:
    """The addresses that ran into --host-timeout, so that not all scripts ran. None: not all are known."""
    code = ReasonCode.HOST_TIMED_OUT
    addresses = [reason.subject for reason in scan.reasons.listed if reason.code == code]
    return frozenset(addresses) if len(addresses) >= scan.reasons.counts.get(code, 0) else None


def _order(entry: tuple[str, Finding]) -> tuple[str, tuple[int, int]]:
    address = find_address(entry[1])
    return entry[0], order_address(address) if is_address(address) else (0, 0)


def _find_network(finding: Finding) -> tuple[int, int] | None:
    """None: the finding has no valid address, and so no looks."""
    address = find_address(finding)
    return find_network(address) if is_address(address) else None
