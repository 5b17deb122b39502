"""ASFF, the AWS Security Finding Format: a JSON array of findings for AWS Security Hub.

Source: AWS Security Hub's user guide, "AWS Security Finding Format", for names, values and lengths.

A finding keeps its id over all scans, so that an import of it again is an update. `CreatedAt` is when
it was seen first; `UpdatedAt` never gets older with a newer scan. What is gone is `ARCHIVED`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from cascan.clock import to_wire
from cascan.formats.asff_details import build_details
from cascan.formats.asff_text import clean_text, drop_empty
from cascan.formats.hub_product import UNKNOWN_PRODUCT, HubProduct
from cascan.formats.records import Export, Record, Status
from cascan.limits import (
    MAX_ASFF_DESCRIPTION_CHARS,
    MAX_ASFF_ID_CHARS,
    MAX_ASFF_PRODUCT_FIELD_CHARS,
    MAX_ASFF_TITLE_CHARS,
)
from cascan.model.exposure import Exposure, ExposureState
from cascan.model.finding import Severity

SCHEMA_VERSION = "2018-10-08"
PRODUCT = COMPANY = "cascan"
ACTIVE, ARCHIVED = "ACTIVE", "ARCHIVED"
NOT_IN_GENERATOR = re.compile(r"[^a-z0-9]+")
SEVERITIES = list(Severity)  # the least first
CHECKS = "Software and Configuration Checks"
REACHABILITY = f"{CHECKS}/AWS Security Best Practices/Network Reachability"
VULNERABILITY = f"{CHECKS}/Vulnerabilities"
DATA_EXPOSURE = "Effects/Data Exposure"
TYPES = {
    "Open Port": (REACHABILITY,),
    "Open or Filtered Port": (REACHABILITY,),
    "Vulnerability": (VULNERABILITY,),
    "Anonymous Access": (VULNERABILITY, DATA_EXPOSURE),
}
WORKFLOWS = {ExposureState.ACCEPTED: "SUPPRESSED", ExposureState.ACKNOWLEDGED: "NOTIFIED"}


def render_asff(records: Iterable[Record], export: Export) -> Iterator[bytes]:
    """One JSON array, whose lines hold a finding each.

    `aws securityhub batch-import-findings` takes MAX_FINDINGS_PER_IMPORT of them in one call.
    """
    separator = b"[\n"
    for record in records:
        updated_at = export.generated_at if record.status is Status.GONE else record.seen_at
        yield separator + msgspec.json.encode(to_asff(record, export.hub_product or UNKNOWN_PRODUCT, updated_at))
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def to_asff(
    record: Record, product: HubProduct, updated_at: datetime, exposure: Exposure | None = None
) -> dict[str, Any]:
    """The finding as BatchImportFindings takes it.

    `exposure`: the most severe one of the finding's port, whose severity and state count too. The
    record's secrets are expected to be left out already.
    """
    finding, seen_at = record.finding, to_wire(record.seen_at)
    first_seen = to_wire(record.first_seen or record.seen_at)
    severity = {"Label": rate_severity(record, exposure).value, "Original": finding.severity.value}
    types = list(find_types(record))
    fields: dict[str, Any] = {
        "SchemaVersion": SCHEMA_VERSION,
        "Id": build_id(product, record),
        "ProductArn": product.arn,
        "ProductName": PRODUCT,
        "CompanyName": COMPANY,
        "GeneratorId": build_generator_id(record),
        "AwsAccountId": product.account,
        "Types": types,
        "CreatedAt": first_seen,
        "UpdatedAt": to_wire(updated_at),
        "FirstObservedAt": first_seen,
        "LastObservedAt": seen_at,
        "Severity": severity,
        "FindingProviderFields": {"Severity": severity, "Types": types},
        "Title": clean_text(finding.name, MAX_ASFF_TITLE_CHARS) or finding.category or PRODUCT,
        "Description": clean_text(finding.description, MAX_ASFF_DESCRIPTION_CHARS) or "No description",
        "ProductFields": build_product_fields(record, exposure),
        "Compliance": build_compliance(exposure),
        "RecordState": ARCHIVED if record.status is Status.GONE else ACTIVE,
        "Workflow": {"Status": find_workflow(record, exposure)},
    }
    return drop_empty(fields | build_details(record, product.region, product.partition))


def build_id(product: HubProduct, record: Record) -> str:
    """The same in every scan: product, vantage and fingerprint."""
    return clean_text(f"{product.arn}/{PRODUCT}/{record.uid}", MAX_ASFF_ID_CHARS)


def build_generator_id(record: Record) -> str:
    """What made the finding: a script, or the category. `cascan/ssl-cert`, `cascan/open-port`."""
    source = str(record.finding.attributes.get("script") or record.finding.category)
    name = NOT_IN_GENERATOR.sub("-", source.lower()).strip("-")
    return clean_text(f"{PRODUCT}/{name or 'finding'}", MAX_ASFF_ID_CHARS)


def find_types(record: Record) -> Iterator[str]:
    """Of the taxonomy that Security Hub documents."""
    types = TYPES.get(record.finding.category, (CHECKS,))
    has_cve = bool(record.finding.attributes.get("cve"))
    for name in types:
        yield f"{name}/CVE" if name == VULNERABILITY and has_cve else name


def rate_severity(record: Record, exposure: Exposure | None = None) -> Severity:
    """The severity of the finding, or that of its active exposure where it is higher."""
    severity = record.finding.severity
    if exposure is None or not exposure.is_active:
        return severity
    return max(severity, exposure.severity, key=SEVERITIES.index)


def find_workflow(record: Record, exposure: Exposure | None = None) -> str:
    """Security Hub takes it with the first import; afterwards it belongs to the people who use Security Hub."""
    if record.status is Status.SUPPRESSED:
        return "SUPPRESSED"
    return WORKFLOWS.get(exposure.state, "NEW") if exposure else "NEW"


def build_compliance(exposure: Exposure | None) -> dict[str, Any]:
    """Whether the port meets the file of expected exposure; empty where the file says nothing."""
    if exposure is None or not exposure.is_active:
        return {}
    status = "WARNING" if exposure.state is ExposureState.ACCEPTED else "FAILED"
    requirement = f"expected exposure, line {exposure.line}" if exposure.line else "expected exposure"
    return {"Status": status, "RelatedRequirements": [requirement]}


def build_product_fields(record: Record, exposure: Exposure | None) -> dict[str, str]:
    """What else is known of the finding, by names of ours."""
    finding, attributes = record.finding, record.finding.attributes
    values = {
        "category": finding.category,
        "fingerprint": finding.fingerprint,
        "vantage": record.vantage,
        "location": finding.location,
        "service": attributes.get("service"),
        "scan": record.scan.scan_id if record.scan else "",
        "series": record.scan.fields.get("name") if record.scan else "",
        "owner": record.owner or (exposure.owner if exposure else ""),
        "exposure": exposure.exposure_id if exposure else "",
        "expectation": exposure.sentence if exposure else "",
        "suppressed": attributes.get("suppressed"),
        "accepted-until": attributes.get("accepted_until"),
        "note": record.note,
    }
    texts = {name: clean_text(value, MAX_ASFF_PRODUCT_FIELD_CHARS) for name, value in values.items() if value}
    return {f"{PRODUCT}/{name}": text for name, text in texts.items()}


def archive(asff: dict[str, Any], updated_at: datetime) -> dict[str, Any]:
    """The finding as it was imported last, now archived."""
    return asff | {"RecordState": ARCHIVED, "UpdatedAt": to_wire(updated_at)}
