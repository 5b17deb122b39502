"""Send messages about exposures, and notices, on the operator's channels.

Wakes on    moves of exposures, skipped schedules and ends of scans, through the message queue behind a rule
            on the bus (batches of 1); the end of a mute and the daily check of certificates, from
            on_minute_passed
Reads       the channels and mutes, the exposure and its threads, from the scan table; of an ended scan, its
            findings and looks, and those of the scan before it; the owners of hosts, from the file of
            expected exposure; URLs of webhooks, from SSM
Writes      threads of messages; the certificates that end soon; what a mute holds, and how far its end is
Sends       messages to webhooks, the SNS topic and, on one machine, commands; its own message again, where
            a channel was busy
Emits       MessageReady, for channels on the bus
On failure  the message returns to the queue; the fifth failure parks it in its DLQ. A channel that fails is
            no failure: its message is parked in its thread, and counted
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from functools import cache

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.clock import utc_now
from cascan.events import MessageReady, ScanCompleted
from cascan.messages.review_certificates import CERTIFICATES, review_certificates
from cascan.messages.review_scan import ScanReview
from cascan.messages.work import MessageWork, read_message_work
from cascan.model.certificate import CERTIFICATE_DAY_PREFIX
from cascan.settings import from_env
from edge import count, logger, queue_handler, seconds_left
from on_message_due.find_owner import OwnerFinder
from on_message_due.open_channels import ChannelEnds, ChannelOpener
from on_message_due.take_turns import TurnGateways, take_turns


@dataclass(frozen=True, slots=True)
class Settings:
    scan_table: str
    scan_bus: str
    message_queue_url: str
    messages_topic_arn: str = ""
    messages_parameters: str = ""  # the path below which parameters with URLs are
    messages_commands: str = ""  # `true` on one machine: channels may run commands


@cache
def wire() -> TurnGateways:
    settings = from_env(Settings, os.environ)
    threads = DynamoMessageTable(settings.scan_table)
    table = DynamoScanTable(settings.scan_table)
    bus = EventBridgeBus(settings.scan_bus)
    ends = ChannelEnds(
        bus=bus,
        topic_arn=settings.messages_topic_arn,
        parameter_path=settings.messages_parameters,
        runs_commands=settings.messages_commands == "true",
    )
    return TurnGateways(
        exposures=table,
        scans=table,
        mutes=DynamoMuteTable(settings.scan_table),
        certificates=threads,
        bus=bus,
        owners=OwnerFinder(table, utc_now),
        channels=ChannelOpener(threads, ends, utc_now),
        queue=SqsRequestQueue(settings.message_queue_url, "message queue"),
        clock=utc_now,
    )


def on_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    gateways = wire()
    for work in read_message_work(record.body):
        if isinstance(work, MessageReady):
            gateways.bus.put([work])
        elif isinstance(work, ScanCompleted):
            _review_scan(work, gateways, lambda_context)
        elif work.key.startswith(CERTIFICATE_DAY_PREFIX):
            _review_certificates(work, gateways, lambda_context)
        else:
            _take_turns(work, gateways, lambda_context)


def _review_scan(event: ScanCompleted, gateways: TurnGateways, lambda_context: LambdaContext) -> None:
    file, listeners = gateways.channels.open()
    review = ScanReview(
        event=event,
        listeners=listeners,
        table=gateways.scans,
        watches=gateways.certificates,
        certificate_days=file.certificate_days,
        find_owner=gateways.owners.find_owner,
        clock=gateways.clock,
        left_s=seconds_left(lambda_context),
    )
    for work in review.list_works() if listeners else ():
        _take_turns(work, gateways, lambda_context)


def _review_certificates(day: MessageWork, gateways: TurnGateways, lambda_context: LambdaContext) -> None:
    file, listeners = gateways.channels.open()
    if not file.certificate_days or not any(listener.settings.notices for listener in listeners):
        return
    cause = replace(day, key=f"{CERTIFICATES}/{day.key.removeprefix(CERTIFICATE_DAY_PREFIX)}")
    now = gateways.clock()
    for work in review_certificates(cause, (), gateways.certificates, now, file.certificate_days):
        _take_turns(work, gateways, lambda_context)


def _take_turns(work: MessageWork, gateways: TurnGateways, lambda_context: LambdaContext) -> None:
    outcome = take_turns(work, gateways, left_s=seconds_left(lambda_context))
    for channel, reason in outcome.parked.items():
        logger.error("message parked", extra={"channel": channel, "key": work.key, "reason": reason})
    if any((outcome.sent, outcome.again, outcome.held_by, outcome.quiet, outcome.held_sent)):
        logger.info("messages", extra=asdict(outcome))
    count("MessagesSent", outcome.sent)
    count("ChannelMessagesParked", len(outcome.parked))


handler = queue_handler(on_record, wire)
