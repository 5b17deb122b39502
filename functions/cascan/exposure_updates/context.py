"""What judging needs: the file, the severity rules, the table and the bus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cascan.clock import Clock
from cascan.exposure.expectations import ExpectationIndex, ExposureSettings
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.exposure_updates.store_moves import MoveTable
from cascan.gateways import EventBus, FindingsByHost, History, Inventory, ScanLifecycle, SeverityRules
from cascan.model.exposure import StoredExpectations
from cascan.rules.severity import RuleSet, to_rule_set


class WatchTable(MoveTable, History, Inventory, SeverityRules, Protocol):
    """What judging reads and writes."""


class ShardTable(WatchTable, FindingsByHost, ScanLifecycle, Protocol):
    """What judging a shard reads in addition."""


@dataclass(frozen=True, slots=True)
class WatchContext:
    """The file and the rules of one turn, with the gateways."""

    table: WatchTable
    bus: EventBus
    clock: Clock
    version: int  # of the file
    index: ExpectationIndex
    rules: RuleSet

    @property
    def settings(self) -> ExposureSettings:
        return self.index.file.settings


def open_context(stored: StoredExpectations, table: WatchTable, bus: EventBus, clock: Clock) -> WatchContext:
    """Raises: RequestRefused: another version of cascan stored a file that this one cannot read."""
    index = ExpectationIndex(read_exposure_file(stored.text))
    return WatchContext(table, bus, clock, stored.version, index, to_rule_set(table.severity_rules()))
