"""A finding, in secureCodeBox's format."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec


class Severity(StrEnum):
    INFORMATIONAL = "INFORMATIONAL"
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One finding.

    Source: secureCodeBox's finding format; the id is derived, and the fingerprint is ours.
    """

    id: str  # UUIDv5 of the scan and the fingerprint
    fingerprint: str  # identifies what it is about; the same in every scan
    parsed_at: datetime
    name: str
    description: str
    category: str
    severity: Severity
    osi_layer: str
    location: str
    attributes: dict[str, Any]
    added: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET  # further fields, from severity rules


class FindingLine(msgspec.Struct, frozen=True, gc=False):
    """A finding as JSON, with the fields by which it is stored and counted."""

    id: str
    severity: str
    category: str
    encoded: bytes  # without a line break


class HostFindings(msgspec.Struct, frozen=True, gc=False):
    """The findings of one host element of a report. They are stored together."""

    address: str  # of the host; any text, since a report may have no valid address
    findings: Iterable[Finding | FindingLine]
    place: int = 0  # tells the elements of one report apart that have the same address
