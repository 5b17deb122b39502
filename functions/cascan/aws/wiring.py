"""The settings and the gateways that all functions which work on scans share."""

from __future__ import annotations

from dataclasses import dataclass

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.gateways import ScanGateways


@dataclass(frozen=True, slots=True)
class ScanSettings:
    """The settings that these functions share; each extends them."""

    scan_table: str
    scan_bus: str
    express_shard_queue_url: str
    connect_shard_queue_url: str
    raw_shard_queue_url: str


def scan_gateways(settings: ScanSettings, table: DynamoScanTable | None = None) -> ScanGateways:
    """The gateways on AWS. `table`: a table that the function has already built for other uses."""
    table = table or DynamoScanTable(settings.scan_table)
    return ScanGateways(
        table=table,
        queues=SqsShardQueues.of(
            express=settings.express_shard_queue_url,
            connect=settings.connect_shard_queue_url,
            raw=settings.raw_shard_queue_url,
            find_vantage=table.get_vantage,
        ),
        bus=EventBridgeBus(settings.scan_bus),
        clock=utc_now,
    )
