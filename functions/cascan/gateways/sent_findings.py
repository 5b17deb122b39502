"""What was sent to AWS Security Hub."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from cascan.model.sent_finding import SentFinding


class SentFindings(Protocol):
    """The findings that Security Hub has from this stack, active and archived ones."""

    def sent_findings(self, addresses: Collection[str], *, vantage: str) -> list[SentFinding]:
        """Those of the addresses, read consistently, in order of address and fingerprint.

        The addresses are all in one /24 of IPv4, or one /120 of IPv6.
        """

    def put_sent_findings(self, findings: Iterable[SentFinding]) -> bool:
        """Store each over its preceding revision; the first is 1.

        False: another writer was faster with one of them; the others are stored.
        """
