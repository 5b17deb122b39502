"""Protocols for the services outside the process: the table, the bucket, the queues, the bus.

`cascan.aws` implements them on AWS, `tests/fakes` in memory; functions take them as arguments.

Every method may raise GatewayUnavailable, also when a service did only a part of a call. Every
write may be repeated.

A protocol is imported with its module when it is first named: they import most of the model, and a
command or a function names a few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan.gateways.agenda import Agenda
    from cascan.gateways.audit_list import AuditList
    from cascan.gateways.cascades import CascadeTable, RuleTable
    from cascan.gateways.delayed_messages import DelayedMessage, DelayedMessages
    from cascan.gateways.event_bus import EventBus
    from cascan.gateways.exposures import Exposures
    from cascan.gateways.finding_hub import FindingHub, RefusedFinding
    from cascan.gateways.findings import FindingReplacement, Findings, FindingsByHost
    from cascan.gateways.fleet import Fleet, Launch
    from cascan.gateways.history import History
    from cascan.gateways.inventory import Inventory
    from cascan.gateways.issued_requests import IssuedRequests
    from cascan.gateways.message_threads import CertificateWatches, ChannelStore, MessageChannel, MessageThreads
    from cascan.gateways.mutes import Mutes
    from cascan.gateways.network_identities import NetworkIdentities
    from cascan.gateways.operator_records import OperatorRecords
    from cascan.gateways.queues import Received, RequestQueue, ReturnedShards, ShardQueues, ShardSource
    from cascan.gateways.recordings import Recordings
    from cascan.gateways.report_store import ReportStore
    from cascan.gateways.resolver import Lookup, Resolver
    from cascan.gateways.saved_filters import SavedFilters
    from cascan.gateways.scan_gateways import ScanGateways
    from cascan.gateways.scan_table import ReportResults, ScanLifecycle, ScanTable
    from cascan.gateways.scans import ScanPlace, Scans
    from cascan.gateways.schedules import ScheduleTable
    from cascan.gateways.sent_findings import SentFindings
    from cascan.gateways.severity_rules import SeverityRules
    from cascan.gateways.shards import HeldShards, Shards
    from cascan.gateways.stack_switch import StackSwitch
    from cascan.gateways.vantages import Vantages

__all__ = [
    "Agenda",
    "AuditList",
    "CascadeTable",
    "CertificateWatches",
    "ChannelStore",
    "DelayedMessage",
    "DelayedMessages",
    "EventBus",
    "Exposures",
    "FindingHub",
    "FindingReplacement",
    "Findings",
    "FindingsByHost",
    "Fleet",
    "HeldShards",
    "History",
    "Inventory",
    "IssuedRequests",
    "Launch",
    "Lookup",
    "MessageChannel",
    "MessageThreads",
    "Mutes",
    "NetworkIdentities",
    "OperatorRecords",
    "Received",
    "Recordings",
    "RefusedFinding",
    "ReportResults",
    "ReportStore",
    "RequestQueue",
    "Resolver",
    "ReturnedShards",
    "RuleTable",
    "SavedFilters",
    "ScanGateways",
    "ScanLifecycle",
    "ScanPlace",
    "ScanTable",
    "Scans",
    "ScheduleTable",
    "SentFindings",
    "SeverityRules",
    "ShardQueues",
    "ShardSource",
    "Shards",
    "StackSwitch",
    "Vantages",
]
_HOMES = {
    "Agenda": "agenda",
    "AuditList": "audit_list",
    "CascadeTable": "cascades",
    "CertificateWatches": "message_threads",
    "ChannelStore": "message_threads",
    "DelayedMessage": "delayed_messages",
    "DelayedMessages": "delayed_messages",
    "EventBus": "event_bus",
    "Exposures": "exposures",
    "FindingHub": "finding_hub",
    "FindingReplacement": "findings",
    "Findings": "findings",
    "FindingsByHost": "findings",
    "Fleet": "fleet",
    "HeldShards": "shards",
    "History": "history",
    "Inventory": "inventory",
    "IssuedRequests": "issued_requests",
    "Launch": "fleet",
    "Lookup": "resolver",
    "MessageChannel": "message_threads",
    "MessageThreads": "message_threads",
    "Mutes": "mutes",
    "NetworkIdentities": "network_identities",
    "OperatorRecords": "operator_records",
    "Received": "queues",
    "Recordings": "recordings",
    "RefusedFinding": "finding_hub",
    "ReportResults": "scan_table",
    "ReportStore": "report_store",
    "RequestQueue": "queues",
    "Resolver": "resolver",
    "ReturnedShards": "queues",
    "RuleTable": "cascades",
    "SavedFilters": "saved_filters",
    "ScanGateways": "scan_gateways",
    "ScanLifecycle": "scan_table",
    "ScanPlace": "scans",
    "ScanTable": "scan_table",
    "Scans": "scans",
    "ScheduleTable": "schedules",
    "SentFindings": "sent_findings",
    "SeverityRules": "severity_rules",
    "ShardQueues": "queues",
    "ShardSource": "queues",
    "Shards": "shards",
    "StackSwitch": "stack_switch",
    "Vantages": "vantages",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
