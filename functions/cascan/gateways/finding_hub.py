"""AWS Security Hub, as the place that findings are sent to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol


class RefusedFinding(NamedTuple):
    """A finding that Security Hub does not take, whenever it is sent."""

    finding_id: str
    code: str
    message: str


class FindingHub(Protocol):
    def import_findings(self, findings: Iterable[dict[str, Any]]) -> list[RefusedFinding]:
        """Create or update the findings, which are in ASFF. Returns those that were refused.

        Raises: GatewayUnavailable: some were not taken, and may be later.
        """
