"""Do what is due: deadlines, windows that open, scans whose time to live is over, lost messages, a changed scan type.

Wakes on    a tick every minute
Reads       the agenda and the scans that it names, and what the scan types were made of, from the scan table
Writes      the end of scans past their deadline; the removal of those whose time to live is over
Emits       ShardQueued for shards that may go on; ScanCompleted or ScanFailed after a scan's last shard; ScheduleDue
            for schedules whose scan type is another one than before, and for those that were put off
On failure  what could not be done stays on the agenda for the next tick; a call that fails is parked in WakeupDLQ
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.aws.wiring import ClosingSettings, closing_gateways
from cascan.clock import utc_now
from cascan.model.request import ScanType
from cascan.settings import from_env
from edge import count, instrument, logger, seconds_left
from on_minute_passed.retrigger_schedules import RetriggerContext, retrigger_schedules
from on_minute_passed.run_due_tasks import AgendaContext, run_due_tasks
from on_minute_passed.send_delayed_messages import DelayedContext, send_delayed_messages


@dataclass(frozen=True, slots=True)
class Settings(ClosingSettings):
    report_bucket: str
    schedule_queue_url: str
    scan_type_nmap: str
    scan_type_nmap_privileged: str


@cache
def wire() -> tuple[AgendaContext, RetriggerContext, DelayedContext]:
    settings = from_env(Settings, os.environ)
    house = AgendaContext(
        **closing_gateways(settings),
        reports=S3ReportStore(settings.report_bucket),
    )
    schedule_queue = SqsRequestQueue(settings.schedule_queue_url, "schedule queue")
    deployed = RetriggerContext(
        made_of={
            ScanType.NMAP.value: settings.scan_type_nmap,
            ScanType.NMAP_PRIVILEGED.value: settings.scan_type_nmap_privileged,
        },
        schedules=DynamoScheduleTable(settings.scan_table),
        due=schedule_queue,
        clock=utc_now,
    )
    return house, deployed, DelayedContext(DynamoDelayedMessages(settings.scan_table), schedule_queue, utc_now)


@instrument
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    house, deployed, put_off = wire()
    kept = asdict(run_due_tasks(house, seconds_left(context)))
    if any(kept.values()):
        logger.info("house kept", extra=kept)
    for scan_id, error in kept["failures"]:
        logger.error("left for the next tick", extra={"scan_id": scan_id, "error": error})
    count("DeedsFailed", len(kept["failures"]))
    sent = send_delayed_messages(put_off)  # behind the deadlines: if it fails, they are met
    told = retrigger_schedules(deployed)
    if told:
        logger.info("a scan type has changed", extra={"schedules": told})
    return kept | {"retriggered": told, "sent": sent}
