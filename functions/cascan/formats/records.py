"""What is exported: findings, each with its scan, its state and what else is known of its place."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from cascan.findings.to_json import scan_fields
from cascan.formats.hub_product import HubProduct
from cascan.model.finding import Finding
from cascan.model.scan import Scan
from cascan.model.vantage import DEFAULT_VANTAGE

# The category of findings that say what differs from the expected exposure
VIOLATION = "Expected Exposure"


class Status(StrEnum):
    """Of a finding in the selection."""

    OPEN = "open"
    GONE = "gone"  # a scan looked at the place again, and it was not there any more
    SUPPRESSED = "suppressed"  # a severity rule suppressed it, or accepted it until a date


class ScanFields(msgspec.Struct, frozen=True):
    """What findings say about their scan. All records of a scan share one of these."""

    scan_id: str
    fields: dict[str, str]  # as `cascan.findings.to_json.scan_fields` gives them
    encoded: bytes  # the fields as JSON

    @classmethod
    def of(cls, scan: Scan) -> ScanFields:
        fields = scan_fields(scan)
        return cls(scan.scan_id, fields, msgspec.json.encode(fields))


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One finding of an export."""

    finding: Finding
    scan: ScanFields | None = None  # None: of a report file, or the scan was removed
    status: Status = Status.OPEN
    vantage: str = DEFAULT_VANTAGE
    first_seen: datetime | None = None  # its port open, or its host up; None: not known
    last_seen: datetime | None = None  # None: when the finding was made
    change: str = ""  # what happened, as `cascan.model.inventory.ChangeKind` names it
    # False: the newest scan of the series did not look at its place, so an older scan reports it
    is_covered: bool = True
    labels: dict[str, str] = {}  # of the scan, such as the site
    owner: str = ""  # of the host, as the expected exposure names it
    note: str = ""  # what a reader of the record has to know, in one sentence

    @property
    def uid(self) -> str:
        """The same in every scan: the vantage and what the finding is about."""
        return f"{self.vantage}/{self.finding.fingerprint}"

    @property
    def seen_at(self) -> datetime:
        """When it was seen last."""
        return self.last_seen or self.finding.parsed_at


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What all records of one document have in common."""

    title: str  # such as `office-lan, latest scan`
    generated_at: datetime
    version: str  # of cascan
    vantage: str = ""  # empty: the records are from several
    shows_secrets: bool = False  # False: passwords that scripts found are left out
    hub_product: HubProduct | None = None  # the account and Region of an ASFF document; None: not known
    notes: tuple[str, ...] = ()  # what a reader of the document has to know, a sentence each


def find_status(finding: Finding) -> Status:
    """The status of a finding that a scan reports."""
    attributes = finding.attributes  # looked into directly: this is done for each of a million findings
    is_silenced = "suppressed" in attributes or "accepted_until" in attributes
    return Status.SUPPRESSED if is_silenced else Status.OPEN


def build_record(finding: Finding, scan: Scan, fields: ScanFields, first_seen: datetime | None = None) -> Record:
    """The record of a finding that the scan reports. `fields` are those of the scan."""
    return Record(
        finding=finding,
        scan=fields,
        status=find_status(finding),
        vantage=scan.vantage,
        first_seen=first_seen,
        labels=scan.labels,
    )
