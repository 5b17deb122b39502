"""The findings of a scan, whether it has shards or members."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan.gateways import Findings
    from cascan.model.finding import Finding
    from cascan.model.scan import Scan


def read_findings(scan: Scan, table: Findings) -> Iterator[Finding]:
    """The scan's findings; of a scan with members theirs, one member after the other."""
    return chain.from_iterable(map(table.findings, scan.members or (scan.scan_id,)))
