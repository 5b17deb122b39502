"""Run the tasks that are due: of scans (deadlines, windows …) and of schedules.

Wakes on    a tick every minute
Reads       the agenda and its scans, and the scan types of the last deployment, from the scan table
Writes      the end of scans past their deadline; the removal of expired scans
Emits       ShardQueued for shards that may go on; ScanCompleted or ScanFailed after a scan's last
            shard; ScheduleDue for schedules whose scan type has changed, and for those that were
            delayed; once a day the check of exposures, and that of certificates; the end of mutes
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
from cascan.aws.tables.message_table import DynamoMessageTable
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
from on_minute_passed.start_certificate_day import CertificateContext, start_certificate_day
from on_minute_passed.start_exposure_day import DailyContext, start_exposure_day


@dataclass(frozen=True, slots=True)
class Settings(ScanSettings):
    report_bucket: str
    schedule_queue_url: str
    exposure_queue_url: str
    message_queue_url: str
    scan_type_nmap: str
    scan_type_nmap_privileged: str


@dataclass(frozen=True, slots=True)
class TickContext:
    """What one tick needs."""

    gateways: ScanGateways
    reports: ReportStore
    retrigger: RetriggerContext
    delayed: DelayedContext
    daily: DailyContext
    certificates: CertificateContext
    mutes: MuteContext


@cache
def wire() -> TickContext:
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
    message_queue = SqsRequestQueue(settings.message_queue_url, "message queue")
    return TickContext(
        gateways=scan_gateways(settings, table),
        reports=reports,
        retrigger=retrigger,
        delayed=delayed,
        daily=DailyContext(table, SqsRequestQueue(settings.exposure_queue_url, "exposure queue"), utc_now),
        certificates=CertificateContext(DynamoMessageTable(settings.scan_table), message_queue, utc_now),
        mutes=MuteContext(DynamoMuteTable(settings.scan_table), message_queue, utc_now),
    )


@instrument
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    tick = wire()
    results = asdict(run_due_tasks(tick.gateways, tick.reports, seconds_left(context)))
    if any(results.values()):
        logger.info("agenda tasks run", extra=results)
    for scan_id, error in results["failures"]:
        logger.error("left for the next tick", extra={"scan_id": scan_id, "error": error})
    for scan_id in results["stuck"]:
        logger.error("the scan is stuck", extra={"scan_id": scan_id})
    count("DeedsFailed", len(results["failures"]))
    count("ScansStuck", len(results["stuck"]))
    results["sent"] = send_delayed_messages(tick.delayed)  # after the deadlines, which its failure does not affect
    results["ended_mutes"] = end_mutes(tick.mutes)
    results["exposure_day"] = start_exposure_day(tick.daily)
    results["certificate_day"] = start_certificate_day(tick.certificates)
    results["retriggered"] = retrigger_schedules(tick.retrigger)
    if results["retriggered"]:
        logger.info("a scan type has changed", extra={"schedules": results["retriggered"]})
    return results
