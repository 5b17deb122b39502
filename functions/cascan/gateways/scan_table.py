"""The protocols of the one table, in the combinations that several functions need.

A function that needs only a part of them takes `Scans`, `Shards` or another protocol of this
folder.
"""

from __future__ import annotations

from typing import Protocol

from cascan.gateways.agenda import Agenda
from cascan.gateways.audit_list import AuditList
from cascan.gateways.exposures import Exposures
from cascan.gateways.findings import Findings, FindingsByHost
from cascan.gateways.history import History
from cascan.gateways.inventory import Inventory
from cascan.gateways.network_identities import NetworkIdentities
from cascan.gateways.recordings import Recordings
from cascan.gateways.saved_filters import SavedFilters
from cascan.gateways.scans import Scans
from cascan.gateways.severity_rules import SeverityRules
from cascan.gateways.shards import Shards
from cascan.gateways.stack_switch import StackSwitch
from cascan.gateways.vantages import Vantages
from cascan.model.migration import MigrationResult, TellMigration


class ScanLifecycle(Scans, Shards, Agenda, Vantages, NetworkIdentities, Protocol):
    """What a function needs that takes a scan from its plan to its end."""


class ReportResults(Findings, Inventory, History, Recordings, SeverityRules, Protocol):
    """What a function needs to record a report, apart from its scan and its shard."""


class ScanTable(
    ScanLifecycle, ReportResults, FindingsByHost, Exposures, StackSwitch, AuditList, SavedFilters, Protocol
):
    """The whole table. Only the command and the code that builds gateways use all of it."""

    def needs_migration(self) -> bool:
        """Whether an earlier version stored a part of the inventory, which `migrate` moves."""

    def migrate(self, tell: TellMigration) -> MigrationResult:
        """Move what an earlier version stored. May be interrupted, and repeated.

        `tell`: called again and again with what was done so far.
        """
