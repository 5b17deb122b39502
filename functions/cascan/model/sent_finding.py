"""A finding as it was sent to AWS Security Hub last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from cascan.model.inventory import PortKey


class SentFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to send it again, and to know when it is gone."""

    fingerprint: str
    vantage: str
    address: str
    protocol: str = ""  # of a port; empty: the finding is about the host
    port: int = 0
    # What a scan has to look for, beside the port, to see the finding; see on_hub_import_due/probes.py
    needs: tuple[str, ...] = ()
    scan_id: str  # of the scan that decided on it last
    first_seen: datetime
    updated_at: datetime
    is_active: bool = True  # False: archived
    asff: dict[str, Any]  # as it was sent
    revision: int = 1  # grows with every change in the table

    @property
    def key(self) -> PortKey:
        return self.protocol, self.port
