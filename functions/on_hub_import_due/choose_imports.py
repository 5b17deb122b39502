"""Which findings of some hosts Security Hub gets, and which it has that are gone.

Pure: the same scan, inventory, looks and earlier imports give the same decisions, so a repeated or
a late delivery does no harm.

    a finding of the scan     is imported, unless a newer look decides on it: the port was closed then,
                              or that scan looked for the same
    one that was sent before  is archived if its port is closed or its host is not up now, or if this
                              scan looked at the place later, and saw it closed or looked for the same

The newest sighting in the inventory answers most of this. Looks are read where it is not of this scan.

Everything else stays as it is: what was not covered is not gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from cascan.findings.by_host import find_port_key
from cascan.findings.hosts import CATEGORY as HOST
from cascan.findings.redact import redact_finding
from cascan.formats.asff import SEVERITIES, archive, rate_severity, to_asff
from cascan.formats.hub_product import HubProduct
from cascan.formats.records import Record, ScanFields, Status, find_status
from cascan.inventory.coverage import CLOSED_STATES
from cascan.inventory.looks import find_state
from cascan.limits import MAX_IMPORTED_PER_HOST
from cascan.model.exposure import Exposure
from cascan.model.finding import Finding, Severity
from cascan.model.history import HOST_NOT_UP, Look
from cascan.model.inventory import NOT_UP, OPEN, UP, HostRecord, PortKey, Sighting
from cascan.model.scan import Scan
from cascan.model.sent_finding import SentFinding
from on_hub_import_due.probes import find_needs

HOST_KEY: PortKey = ("", 0)
PRESENT = frozenset({OPEN, UP})
ABSENT = CLOSED_STATES | {NOT_UP, HOST_NOT_UP}  # of other states nothing follows
LATER = timedelta(milliseconds=1)  # the least by which `UpdatedAt` grows
Probes = frozenset[str]


@dataclass(frozen=True, slots=True)
class ImportedScan:
    """The scan of one import, as it is seen from one vantage."""

    scan: Scan
    fields: ScanFields
    ended_at: datetime
    vantage: str
    probes: Probes
    product: HubProduct
    minimum: Severity
    find_probes: Callable[[str], Probes | None]  # of another scan; None: it was removed
    # The looks at an address down to that of this scan, the newest first; some may be missing
    find_looks: Callable[[str], Sequence[Look]]


@dataclass(frozen=True, slots=True)
class KnownState:
    """What is known of the hosts."""

    findings: Mapping[str, Sequence[Finding]]  # of the scan, by address
    sent: Sequence[SentFinding]
    records: Mapping[str, HostRecord]
    exposures: Sequence[Exposure]


class PlaceLooks(NamedTuple):
    """What looks say of a port, or of a host itself."""

    newer: dict[str, str]  # than the look of this scan: the states, by scan
    own_state: str | None  # None: this scan did not cover it, or its look is not stored any more


@dataclass(slots=True)
class Choice:
    imports: list[SentFinding]
    left_out: int = 0  # findings of hosts that have more than MAX_IMPORTED_PER_HOST


def choose_imports(source: ImportedScan, state: KnownState) -> Choice:
    """What to send: new findings, those that are seen again, and those that are gone."""
    chooser = _Chooser(source, state)
    imports = [sent for address in state.findings for sent in chooser.choose_found(address)]
    imports += chooser.choose_gone()
    return Choice(imports, chooser.left_out)


class _Chooser:
    def __init__(self, source: ImportedScan, state: KnownState) -> None:
        self._source = source
        self._state = state
        self._known = {(sent.address, sent.fingerprint): sent for sent in state.sent}
        self._unseen = dict(self._known)  # of them, what the scan does not have
        self._exposures = _find_worst_exposures(state.exposures)
        self._sightings: dict[str, dict[PortKey, Sighting]] = {}  # of ports, by address
        self.left_out = 0

    def choose_found(self, address: str) -> Iterator[SentFinding]:
        wanted: list[Record] = []
        for finding in self._state.findings[address]:
            sent = self._unseen.pop((address, finding.fingerprint), None)
            if self._is_outdated(address, finding):
                continue
            record = self._build_record(finding, sent)
            if self._is_wanted(address, record):
                wanted.append(record)
            elif sent:
                yield from self._close(sent)
        wanted.sort(key=lambda record: self._rank(address, record))
        self.left_out += max(0, len(wanted) - MAX_IMPORTED_PER_HOST)
        for record in wanted[:MAX_IMPORTED_PER_HOST]:
            yield self._build_sent(address, record)

    def choose_gone(self) -> Iterator[SentFinding]:
        """Of those that were sent before and that the scan does not have."""
        unread = {address for address, findings in self._state.findings.items() if any(map(_timed_out, findings))}
        for sent in self._unseen.values():
            was_chosen_before = sent.scan_id == self._source.scan.scan_id and not sent.is_active
            if was_chosen_before or (sent.is_active and self._is_gone(sent, has_timed_out=sent.address in unread)):
                yield from self._close(sent)

    def _is_gone(self, sent: SentFinding, *, has_timed_out: bool) -> bool:
        """Whether the newest look, or else the look of this scan, says so."""
        sighting = self._find_sighting(sent.address, sent.key)
        if sighting is None:
            return False
        if sighting.state not in PRESENT:
            return True
        own_state: str | None = sighting.state
        if sighting.scan_id != self._source.scan.scan_id:
            looks = self._find_looks(sent.address, sent.key)
            if sent.scan_id in looks.newer:
                return False
            own_state = looks.own_state
        if own_state in PRESENT:
            return not has_timed_out and self._source.probes.issuperset(sent.needs)
        return own_state in ABSENT

    def _is_outdated(self, address: str, finding: Finding) -> bool:
        """Whether a newer look decides on the finding: what its scan sees is imported with that scan."""
        key = _find_key(finding)
        sighting = self._find_sighting(address, key)
        if sighting is None or sighting.scan_id == self._source.scan.scan_id:
            return False
        if key == HOST_KEY and sighting.seen_at <= finding.parsed_at:
            return False  # with -Pn a scan cannot tell whether a host is up
        needs = find_needs(finding, self._source.probes)
        newer = {sighting.scan_id: sighting.state} | self._find_looks(address, key).newer
        return any(self._is_conclusive(newer_id, state, needs) for newer_id, state in newer.items())

    def _is_conclusive(self, scan_id: str, state: str, needs: Sequence[str]) -> bool:
        """Whether a look with this state says if a finding with these needs is there."""
        if state in PRESENT:
            probes = self._source.find_probes(scan_id)
            return probes is not None and probes.issuperset(needs)
        return state in ABSENT

    def _find_sighting(self, address: str, key: PortKey) -> Sighting | None:
        """The newest sighting of the place. None: no scan is known to have looked at it."""
        record = self._state.records.get(address)
        if record is None or not record.is_up or key == HOST_KEY:
            return record.latest if record else None
        if address not in self._sightings:  # a tarpit has 65,535 ports, and as many findings
            self._sightings[address] = {port.key: port.latest for port in record.ports}
        return self._sightings[address].get(key)

    def _find_looks(self, address: str, key: PortKey) -> PlaceLooks:
        newer: dict[str, str] = {}
        for look in self._source.find_looks(address):
            state = _find_state(look, key)
            if look.scan_id == self._source.scan.scan_id:
                return PlaceLooks(newer, state)
            if state is not None:
                newer.setdefault(look.scan_id, state)
        return PlaceLooks(newer, None)

    def _is_wanted(self, address: str, record: Record) -> bool:
        """Whether it is severe enough, not suppressed, and about a port that is open or a host that is up."""
        if record.status is Status.SUPPRESSED or record.finding.attributes.get("state", OPEN) != OPEN:
            return False
        severity = rate_severity(record, self._find_exposure(address, record.finding))
        return SEVERITIES.index(severity) >= SEVERITIES.index(self._source.minimum)

    def _rank(self, address: str, record: Record) -> tuple[int, str]:
        severity = rate_severity(record, self._find_exposure(address, record.finding))
        return -SEVERITIES.index(severity), record.finding.fingerprint

    def _find_exposure(self, address: str, finding: Finding) -> Exposure | None:
        return self._exposures.get((address, _find_key(finding)))

    def _build_record(self, finding: Finding, sent: SentFinding | None) -> Record:
        return Record(
            finding=redact_finding(finding),
            scan=self._source.fields,
            status=find_status(finding),
            vantage=self._source.vantage,
            first_seen=min(sent.first_seen, finding.parsed_at) if sent else finding.parsed_at,
            labels=self._source.scan.labels,
        )

    def _build_sent(self, address: str, record: Record) -> SentFinding:
        source, finding = self._source, record.finding
        previous = self._known.get((address, finding.fingerprint))
        updated_at = self._find_update_time(previous, is_active=True)
        protocol, port = _find_key(finding)
        return SentFinding(
            fingerprint=finding.fingerprint,
            vantage=source.vantage,
            address=address,
            protocol=protocol,
            port=port,
            needs=find_needs(finding, source.probes),
            scan_id=source.scan.scan_id,
            first_seen=record.first_seen or finding.parsed_at,
            updated_at=updated_at,
            asff=to_asff(record, source.product, updated_at, self._find_exposure(address, finding)),
            revision=previous.revision + 1 if previous else 1,
        )

    def _close(self, sent: SentFinding) -> Iterator[SentFinding]:
        """The finding, archived; it is sent once more where this import has archived it before."""
        scan_id = self._source.scan.scan_id
        if not sent.is_active and sent.scan_id != scan_id:
            return
        updated_at = self._find_update_time(sent, is_active=False)
        yield replace(
            sent,
            is_active=False,
            scan_id=scan_id,
            updated_at=updated_at,
            asff=archive(sent.asff, updated_at),
            revision=sent.revision + 1,
        )

    def _find_update_time(self, previous: SentFinding | None, *, is_active: bool) -> datetime:
        """The end of the scan; later where Security Hub has a later time already."""
        if previous is None:
            return self._source.ended_at
        is_repeat = previous.scan_id == self._source.scan.scan_id and previous.is_active == is_active
        return previous.updated_at if is_repeat else max(self._source.ended_at, previous.updated_at + LATER)


def _find_worst_exposures(exposures: Iterable[Exposure]) -> dict[tuple[str, PortKey], Exposure]:
    """Of each port, the active exposure with the highest severity."""
    worst: dict[tuple[str, PortKey], Exposure] = {}
    for exposure in exposures:
        place = exposure.subject.address, exposure.subject.key
        known = worst.get(place)
        if exposure.is_active and (known is None or _rank_exposure(exposure) > _rank_exposure(known)):
            worst[place] = exposure
    return worst


def _rank_exposure(exposure: Exposure) -> int:
    return SEVERITIES.index(exposure.severity)


def _find_key(finding: Finding) -> PortKey:
    """The finding's port; HOST_KEY for a finding of the host."""
    return find_port_key(finding) or HOST_KEY


def _find_state(look: Look, key: PortKey) -> str | None:
    """The state of the port, or of the host. None: the look did not cover it."""
    if key == HOST_KEY:
        return UP if look.is_up else HOST_NOT_UP
    return find_state(look, key)


def _timed_out(finding: Finding) -> bool:
    """Whether nmap gave the host up before it had looked for everything."""
    return finding.category == HOST and bool(finding.attributes.get("timed_out"))
