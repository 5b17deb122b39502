"""Every gateway is what its protocol says: mypy reads the assignments, the tests keep the lists complete."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from cascan import gateways
from cascan.aws.event_bus import EventBridgeBus
from cascan.aws.fleet import EcsFleet
from cascan.aws.message_channels import TopicChannel
from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.aws.s3.report_store import S3ReportStore
from cascan.aws.security_hub import SecurityHub
from cascan.aws.sqs.request_queue import SqsRequestQueue
from cascan.aws.sqs.returned_shards import SqsReturnedShards
from cascan.aws.sqs.shard_queues import SqsShardQueues
from cascan.aws.sqs.shard_source import SqsShardSource
from cascan.aws.tables.cascade_table import DynamoCascadeTable
from cascan.aws.tables.delayed_messages import DynamoDelayedMessages
from cascan.aws.tables.issued_requests import DynamoIssuedRequests
from cascan.aws.tables.message_table import DynamoMessageTable
from cascan.aws.tables.mute_table import DynamoMuteTable
from cascan.aws.tables.rule_table import DynamoRuleTable
from cascan.aws.tables.scan_table import DynamoScanTable
from cascan.aws.tables.schedule_table import DynamoScheduleTable
from cascan.aws.tables.sent_findings import DynamoSentFindings
from cascan.channels.command import CommandChannel
from cascan.channels.unusable import UnusableChannel
from cascan.channels.webhook import WebhookChannel
from cascan.gateways import (
    Agenda,
    AuditList,
    CascadeTable,
    CertificateWatches,
    ChannelStore,
    DelayedMessage,
    DelayedMessages,
    EventBus,
    Exposures,
    FindingHub,
    FindingReplacement,
    Findings,
    FindingsByHost,
    Fleet,
    HeldShards,
    History,
    Inventory,
    IssuedRequests,
    Launch,
    Lookup,
    MessageChannel,
    MessageThreads,
    Mutes,
    NetworkIdentities,
    OperatorRecords,
    Received,
    Recordings,
    RefusedFinding,
    ReportResults,
    ReportStore,
    RequestQueue,
    Resolver,
    ReturnedShards,
    RuleTable,
    SavedFilters,
    ScanGateways,
    ScanLifecycle,
    Scans,
    ScanTable,
    ScheduleTable,
    SentFindings,
    SeverityRules,
    ShardQueues,
    Shards,
    ShardSource,
    StackSwitch,
    Vantages,
)
from on_shard_queued.resolver import DnsResolver
from tests import fakes
from tests.fakes import cascades as fake_cascades
from tests.fakes import finding_hub as fake_hub
from tests.fakes import schedules as fake_schedules
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.mutes import MemoryMutes

SCAN_TABLES: tuple[ScanTable, ...] = (DynamoScanTable("table"), fakes.MemoryScanTable())
REPORT_STORES: tuple[ReportStore, ...] = (S3ReportStore("bucket"), fakes.MemoryReportStore())
EVENT_BUSES: tuple[EventBus, ...] = (EventBridgeBus("bus"), fakes.MemoryEventBus())
SHARD_QUEUES: tuple[ShardQueues, ...] = (SqsShardQueues({}), fakes.MemoryShardQueues())
RETURNED_SHARDS: tuple[ReturnedShards, ...] = (SqsReturnedShards("url"), fakes.MemoryReturnedShards())
SHARD_SOURCES: tuple[ShardSource, ...] = (SqsShardSource("url"),)  # its fake stands in the one test that needs it
FLEETS: tuple[Fleet, ...] = (EcsFleet("cluster", {}, (), ()), fakes.MemoryFleet())
RESOLVERS: tuple[Resolver, ...] = (DnsResolver(), fakes.FixedResolver({}))
RULE_TABLES: tuple[RuleTable, ...] = (DynamoRuleTable("table"), fake_cascades.MemoryRuleTable())
CASCADE_TABLES: tuple[CascadeTable, ...] = (DynamoCascadeTable("table"), fake_cascades.MemoryCascadeTable())
ISSUED_REQUESTS: tuple[IssuedRequests, ...] = (DynamoIssuedRequests("table"), fake_cascades.MemoryIssuedRequests())
REQUEST_QUEUES: tuple[RequestQueue, ...] = (SqsRequestQueue("url"), fake_cascades.MemoryRequestQueue())
SCHEDULE_TABLES: tuple[ScheduleTable, ...] = (DynamoScheduleTable("table"), fake_schedules.MemoryScheduleTable())
MESSAGE_THREADS: tuple[MessageThreads, ...] = (DynamoMessageTable("table"), MemoryMessageThreads())
MUTES: tuple[Mutes, ...] = (DynamoMuteTable("table"), MemoryMutes())
CERTIFICATE_WATCHES: tuple[CertificateWatches, ...] = (DynamoMessageTable("table"), MemoryMessageThreads())
CHANNEL_STORES: tuple[ChannelStore, ...] = (DynamoMessageTable("table"), MemoryMessageThreads())
MESSAGE_CHANNELS: tuple[MessageChannel, ...] = (
    CommandChannel(["true"]),
    TopicChannel("arn"),
    UnusableChannel("why"),
    WebhookChannel("https://a.test"),
)
OPERATOR_RECORDS: tuple[OperatorRecords, ...] = (S3OperatorRecords("bucket"), fakes.MemoryOperatorRecords())
DELAYED_MESSAGES: tuple[DelayedMessages, ...] = (
    DynamoDelayedMessages("table"),
    fake_schedules.MemoryDelayedMessages(),
)
REPLACEMENTS: tuple[FindingReplacement, ...] = (
    DynamoScanTable("table").replace_findings("scan"),
    fakes.MemoryScanTable().replace_findings("scan"),
)
PARTS_OF_SCAN_TABLE = (
    Agenda,
    AuditList,
    Exposures,
    Findings,
    FindingsByHost,
    HeldShards,
    History,
    Inventory,
    Recordings,
    ReportResults,
    SavedFilters,
    ReportResults,
    SavedFilters,
    ScanLifecycle,
    Scans,
    ScanTable,
    SeverityRules,
    Shards,
    StackSwitch,
    NetworkIdentities,
    Vantages,
)
SENT_FINDINGS: tuple[SentFindings, ...] = (DynamoSentFindings("table"), fake_hub.MemorySentFindings())
FINDING_HUBS: tuple[FindingHub, ...] = (SecurityHub(), fake_hub.MemoryFindingHub())
BY_PROTOCOL: dict[type, tuple[object, ...]] = {
    IssuedRequests: ISSUED_REQUESTS,
    FindingReplacement: REPLACEMENTS,
    **dict.fromkeys(PARTS_OF_SCAN_TABLE, SCAN_TABLES),
    ReportStore: REPORT_STORES,
    EventBus: EVENT_BUSES,
    ShardQueues: SHARD_QUEUES,
    ReturnedShards: RETURNED_SHARDS,
    ShardSource: SHARD_SOURCES,
    Fleet: FLEETS,
    Resolver: RESOLVERS,
    RuleTable: RULE_TABLES,
    CascadeTable: CASCADE_TABLES,
    RequestQueue: REQUEST_QUEUES,
    DelayedMessages: DELAYED_MESSAGES,
    ScheduleTable: SCHEDULE_TABLES,
    OperatorRecords: OPERATOR_RECORDS,
    MessageThreads: MESSAGE_THREADS,
    CertificateWatches: CERTIFICATE_WATCHES,
    ChannelStore: CHANNEL_STORES,
    Mutes: MUTES,
    MessageChannel: MESSAGE_CHANNELS,
    SentFindings: SENT_FINDINGS,
    FindingHub: FINDING_HUBS,
}


def test_every_protocol_of_the_gateways_is_implemented_here() -> None:
    declared = {
        kind
        for module in pkgutil.iter_modules(gateways.__path__, f"{gateways.__name__}.")
        for _, kind in inspect.getmembers(importlib.import_module(module.name), inspect.isclass)
        if kind.__module__ == module.name
    }
    assert declared - {DelayedMessage, Launch, Lookup, Received, RefusedFinding, ScanGateways} == set(BY_PROTOCOL)


def test_every_implementation_has_the_parameters_of_its_protocol() -> None:
    for protocol, implementations in BY_PROTOCOL.items():
        for name, method in inspect.getmembers(protocol, inspect.isfunction):
            if not name.startswith("_"):
                for implementation in implementations:
                    theirs = inspect.signature(getattr(type(implementation), name))
                    assert theirs == inspect.signature(method), f"{type(implementation).__name__}.{name}"
