"""The gateways that all steps of a scan need: planning, releasing, closing, cancelling."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.clock import Clock
from cascan.gateways.event_bus import EventBus
from cascan.gateways.queues import ShardQueues
from cascan.gateways.scan_table import ScanLifecycle


@dataclass(frozen=True, slots=True)
class ScanGateways:
    """The four gateways together.

    A function that ends a shard needs all of them: it may release the next shard, or end the scan
    and announce the end.
    """

    table: ScanLifecycle
    queues: ShardQueues
    bus: EventBus
    clock: Clock
