"""The cascade runner with its gateways.

Apart from app.py, so that only a scan with cascades loads their modules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.cascades.bundled_rules import read_bundled_rules
from cascan.cascades.caps import MICRO, Caps
from cascan.clock import utc_now
from cascan.cost.stack_shape import StackShape
from cascan.permissions.permissions import Permissions
from on_scan_completed.follow_up import CascadeRunner

if TYPE_CHECKING:
    from on_scan_completed.app import Settings


def build_runner(settings: Settings) -> CascadeRunner:
    return CascadeRunner(
        table=DynamoScanTable(settings.scan_table),
        cascades=DynamoCascadeTable(settings.scan_table),
        rules=DynamoRuleTable(settings.scan_table),
        requests=SqsRequestQueue(settings.request_queue_url),
        bus=EventBridgeBus(settings.scan_bus),
        permit=Permissions.of(settings),
        clock=utc_now,
        caps=Caps(
            scans=settings.cascade_max_scans,
            probes=settings.cascade_max_probes,
            cost_micro_usd=settings.cascade_max_cost_usd * MICRO,
            shape=StackShape.of_worker(settings.worker_cpu, settings.worker_memory, settings.worker_storage),
        ),
        bundled=read_bundled_rules if settings.cascading_rules == "enabled" else dict,
    )
