"""What every function that moves scans on is given: the settings, and the gateways that cascan.scans.close asks for."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.scans.close import ClosingGateways


@dataclass(frozen=True, slots=True)
class ClosingSettings:
    """To be extended by the function's own."""

    scan_table: str
    scan_bus: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str


def closing_gateways(settings: ClosingSettings) -> ClosingGateways:
    """As keyword arguments: `partial(settle_scan, **closing_gateways(settings))`."""
    return ClosingGateways(
        table=DynamoScanTable(settings.scan_table),
        queues=SqsShardQueues.of(
            express=settings.express_shard_queue_url,
            connect=settings.connect_shard_queue_url,
            raw=settings.raw_shard_queue_url,
        ),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )
