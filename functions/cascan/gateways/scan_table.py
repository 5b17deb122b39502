"""What the one table offers, whole and in the combinations that several functions need.

A function that needs less asks for less: `Scans`, `Shards` … each stand in a module of this folder.
"""

from __future__ import annotations

from typing import Protocol

from cascan.gateways.agenda import Agenda
from cascan.gateways.findings import Findings
from cascan.gateways.inventory import Inventory
from cascan.gateways.recordings import Recordings
from cascan.gateways.scans import Scans
from cascan.gateways.severity_rules import SeverityRules
from cascan.gateways.shards import Shards
from cascan.gateways.stack_switch import StackSwitch


class ScanLifecycle(Scans, Shards, Agenda, Protocol):
    """What moves a scan from its plan to its end."""


class ReportResults(Findings, Inventory, Recordings, SeverityRules, Protocol):
    """What recording a report reads and writes, apart from its scan and shard."""


class ScanTable(ScanLifecycle, ReportResults, StackSwitch, Protocol):
    """The whole table. Only what builds gateways, and the command, ask for all of it."""
