"""What was sent to AWS Security Hub, and Security Hub itself, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import ip_address
from typing import Any

from cascan.gateways import RefusedFinding
from cascan.model.sent_finding import SentFinding


class MemorySentFindings:
    def __init__(self) -> None:
        self.sent: dict[tuple[str, str, str], SentFinding] = {}
        self.conflicts = 0  # further writes that another writer is faster with

    def sent_findings(self, addresses: Collection[str], *, vantage: str) -> list[SentFinding]:
        found = [sent for sent in self.sent.values() if sent.vantage == vantage and sent.address in addresses]
        return sorted(found, key=lambda sent: (int(ip_address(sent.address)), sent.fingerprint))

    def put_sent_findings(self, findings: Iterable[SentFinding]) -> bool:
        held = True
        for sent in findings:
            key = sent.vantage, sent.address, sent.fingerprint
            stored = self.sent.get(key)
            if self.conflicts or sent.revision != (stored.revision if stored else 0) + 1:
                self.conflicts = max(0, self.conflicts - 1)
                held = False
            else:
                self.sent[key] = sent
        return held


class MemoryFindingHub:
    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}

    def import_findings(self, findings: Iterable[dict[str, Any]]) -> list[RefusedFinding]:
        self.findings |= {finding["Id"]: finding for finding in findings}
        return []
