"""Run the tasks that are due: of scans (deadlines, windows …) and of schedules.

Wakes on    a tick every minute
Reads       the agenda and its scans, and the scan types of the last deployment, from the scan table
Writes      the end of scans past their deadline; the removal of expired scans
Emits       ShardQueued for shards that may go on; ScanCompleted or ScanFailed after a scan's last
            shard; ScheduleDue for schedules whose scan type has changed, and for those that were
            delayed; once a day the check of exposures; the end of mutes
On failure  a task that fails stays on the agenda for the next tick; an event that fails is parked
            in WakeupDLQ
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
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.aws.wiring import ScanSettings, scan_gateways
from cascan.clock import utc_now
from cascan.gateways import ReportStore, ScanGateways
from cascan.model.request import ScanType
from cascan.settings import from_env
from edge import count, instrument, logger, seconds_left
from on_minute_passed.end_mutes import MuteContext, end_mutes
from on_minute_passed.retrigger_schedules import RetriggerContext, retrigger_schedules
from on_minute_passed.run_due_tasks import run_due_tasks
from on_minute_passed.send_delayed_messages import DelayedContext, send_delayed_messages
from on_minute_passed.start_exposure_day import DailyContext, start_exposure_day


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    report_bucket: str
    schedule_queue_url: str
    exposure_queue_url: str
    message_queue_url: str
    scan_type_nmap: str
    scan_type_nmap_privileged: str


@cache
def wire() -> tuple[ScanGateways, ReportStore, RetriggerContext, DelayedContext, DailyContext, MuteContext]:
    settings = from_env(Settings, os.environ)
    schedule_queue = SqsRequestQueue(settings.schedule_queue_url, "schedule queue")
    retrigger = RetriggerContext(
        made_of={
            ScanType.NMAP.value: settings.scan_type_nmap,
            ScanType.NMAP_PRIVILEGED.value: settings.scan_type_nmap_privileged,
        },
        schedules=DynamoScheduleTable(settings.scan_table),
        due=schedule_queue,
        clock=utc_now,
    )
    reports = S3ReportStore(settings.report_bucket)
    delayed = DelayedContext(DynamoDelayedMessages(settings.scan_table), schedule_queue, utc_now)
    table = DynamoScanTable(settings.scan_table)
    daily = DailyContext(table, SqsRequestQueue(settings.exposure_queue_url, "exposure queue"), utc_now)
    message_queue = SqsRequestQueue(settings.message_queue_url, "message queue")
    mutes = MuteContext(DynamoMuteTable(settings.scan_table), message_queue, utc_now)
    return scan_gateways(settings, table), reports, retrigger, delayed, daily, mutes


@instrument
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    gateways, reports, retrigger, delayed, daily, mutes = wire()
    results = asdict(run_due_tasks(gateways, reports, seconds_left(context)))
    if any(results.values()):
        logger.info("agenda tasks run", extra=results)
    for scan_id, error in results["failures"]:
        logger.error("left for the next tick", extra={"scan_id": scan_id, "error": error})
    for scan_id in results["stuck"]:
        logger.error("the scan is stuck", extra={"scan_id": scan_id})
    count("DeedsFailed", len(results["failures"]))
    count("ScansStuck", len(results["stuck"]))
    sent = send_delayed_messages(delayed)  # after the deadlines, which its failure does not affect
    ended_mutes = end_mutes(mutes)
    is_day_due = start_exposure_day(daily)
    retriggered = retrigger_schedules(retrigger)
    if retriggered:
        logger.info("a scan type has changed", extra={"schedules": retriggered})
    return results | {"retriggered": retriggered, "sent": sent, "exposure_day": is_day_due, "ended_mutes": ended_mutes}
