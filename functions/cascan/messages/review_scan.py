"""The notices about an ended scan, from its findings and those of the scan before it.

Everything is read from the table, so a repeat of the event leads to the same notices. The keys of
their threads keep each from being sent twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cascan.clock import Clock, TimeLeft, no_time_limit
from cascan.events import ScanCompleted
from cascan.gateways import CertificateWatches
from cascan.limits import MAX_OWNED_HOSTS, MAX_REVIEWED_FINDINGS, MIN_JUDGING_S
from cascan.messages.compare_series import SeriesComparison, compare_series
from cascan.messages.notices import OWNER_LABEL
from cascan.messages.review_certificates import CERTIFICATES, review_certificates
from cascan.messages.send_next import Listener
from cascan.messages.series_notices import build_coverage_key, build_digest, build_loss, build_recovery, find_base_id
from cascan.messages.watch_certificates import CATEGORY, read_certificate
from cascan.messages.work import MessageWork
from cascan.model.certificate import WatchedCertificate
from cascan.model.message import Statement
from cascan.model.scan import Scan
from cascan.queries.reachability_findings import FindingsAndLooks
from cascan.queries.read_findings import read_findings_by_vantage
from cascan.queries.since_last_scan import find_earlier_scan


@dataclass(frozen=True, slots=True)
class ScanReview:
    """An ended scan, the channels that may get notices about it, and where its findings are."""

    event: ScanCompleted
    listeners: Sequence[Listener]
    table: FindingsAndLooks
    watches: CertificateWatches
    certificate_days: Sequence[int]
    find_owner: Callable[[str], str]  # of the host with the address; empty: it has none
    clock: Clock
    left_s: TimeLeft = no_time_limit

    def list_works(self) -> Iterator[MessageWork]:
        """The threads that may need their next message."""
        scan = self.table.get_scan(self.event.scan_id)
        if scan is not None and scan.member_of:
            return  # the scan that it is a member of has the notices
        if self.event.name:
            yield from self._review_series(scan)
        if self.certificate_days and any(listener.settings.notices for listener in self.listeners):
            # Of a scan without certificates, too: time has passed for those that earlier ones saw
            seen = self._read_certificates(scan) if scan is not None and self._has_certificates(scan) else ()
            cause = self._to_work(f"{CERTIFICATES}/{self.event.scan_id}", {})
            yield from review_certificates(cause, seen, self.watches, self.clock(), self.certificate_days)

    def _has_certificates(self, scan: Scan) -> bool:
        has_some = self.event.findings.categories.get(CATEGORY, 0) > 0
        return has_some and scan.findings.count <= MAX_REVIEWED_FINDINGS

    def _read_certificates(self, scan: Scan) -> Iterator[WatchedCertificate]:
        """As far as there is time."""
        for vantage, finding in read_findings_by_vantage(scan, self.table):
            if self.left_s() < MIN_JUDGING_S:
                return
            certificate = read_certificate(finding, vantage, self.event.finished_at)
            if certificate is not None:
                yield certificate

    def _review_series(self, scan: Scan | None) -> Iterator[MessageWork]:
        wants_digest = any(listener.settings.digest for listener in self.listeners)
        wants_notices = any(listener.settings.notices for listener in self.listeners)
        comparison = self._compare(scan) if scan is not None and (wants_digest or wants_notices) else None
        if scan is not None and comparison is not None and wants_notices:
            yield from self._review_coverage(scan, comparison)
        if wants_digest:
            key, notice = build_digest(self.event, comparison)
            yield self._to_work(key, notice)

    def _compare(self, scan: Scan) -> SeriesComparison | None:
        """With the scan before; None: there is none, or too much to compare."""
        if scan.findings.count > MAX_REVIEWED_FINDINGS:
            return None
        earlier = find_earlier_scan(self.table, scan)
        return compare_series(scan, earlier, self.table, left_s=self.left_s) if earlier else None

    def _review_coverage(self, scan: Scan, comparison: SeriesComparison) -> Iterator[MessageWork]:
        key = build_coverage_key(scan.name)
        base_id = find_base_id(self._list_latest(key))
        if comparison.is_smaller:
            notice, detail = build_loss(scan, comparison, base_id or comparison.earlier.scan_id)
            yield self._to_work(key, notice | self._find_owner(scan, comparison), detail)
            return
        base = self.table.get_scan(base_id) if base_id else None
        if base is None or base_id == scan.scan_id:
            return
        since_base = compare_series(scan, base, self.table, left_s=self.left_s)
        if since_base is not None and not since_base.is_smaller:
            notice, detail = build_recovery(scan, base)
            yield self._to_work(key, notice, detail)

    def _find_owner(self, scan: Scan, comparison: SeriesComparison) -> dict[str, str]:
        """The field of the owner: of the scan's label, or else the owner that all lost hosts have in common."""
        labelled = scan.request.labels.get(OWNER_LABEL, "") if scan.request else ""
        addresses = {address for _, address, _ in comparison.lost}
        if labelled or len(addresses) > MAX_OWNED_HOSTS:
            owners = {labelled}
        else:
            owners = {self.find_owner(address) for address in addresses}
        return {"owner": owners.pop()} if len(owners) == 1 and owners != {""} else {}

    def _list_latest(self, key: str) -> Iterator[Statement | None]:
        """The statement of the last message on each channel."""
        for listener in self.listeners:
            thread = listener.sender.threads.get_thread(key, listener.settings.name)
            yield thread.latest if thread else None

    def _to_work(self, key: str, notice: dict[str, str], detail: str = "") -> MessageWork:
        event = self.event
        return MessageWork(
            scan_id=event.scan_id, cause_id=event.event_id, hop=event.hop, key=key, notice=notice, detail=detail
        )
