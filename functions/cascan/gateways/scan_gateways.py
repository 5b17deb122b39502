"""The gateways of everything that moves a scan on: planning, releasing, closing, cancelling."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.gateways.event_bus import EventBus
from cascan.gateways.queues import ShardQueues
from cascan.gateways.scan_table import ScanLifecycle


@dataclass(frozen=True, slots=True)
class ScanGateways:
    """One value for the four, since whatever ends a shard may release the next, or end the scan and announce it."""

    table: ScanLifecycle
    queues: ShardQueues
    bus: EventBus
    clock: Clock
