"""Copies of the operator's decisions in the bucket: rules, schedules, a halt. A rebuild reads them.

    switch.json                     why the stack is halted; null: it is not
    severity.json                   the rules on findings
    rules/<name>/<version>.json     each version of a cascading rule
    rules/<name>/deleted.json       when it was deleted
    schedules/<name>.json           a schedule's manifest
    vantages/<name>.json            a vantage: its queues, and what its workers reach
    expectations.json               the file of expected exposure
    exposures/<id>.json             an exposure that a person decided on
    networks.json                   by what the hosts of networks are known
    channels.json                   the file of channels that messages go to

The process that changed the table writes each record afterwards. A version of a rule never changes,
so that two processes may apply a rule at the same time. Every other record is a copy of what the
table holds when the record is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from cascan.clock import utc_now
from cascan.gateways import (
    ChannelStore,
    Exposures,
    NetworkIdentities,
    OperatorRecords,
    RuleTable,
    ScheduleTable,
    SeverityRules,
    StackSwitch,
    Vantages,
)
from cascan.limits import (
    MAX_RESTORED_EXPOSURES,
    MAX_RULE_VERSIONS,
    MAX_RULES,
    MAX_SCHEDULES,
    MAX_VANTAGES,
)
from cascan.model.agenda import Switch
from cascan.model.cascade import StoredRule
from cascan.model.exposure import Exposure, ExposureDay, StoredExpectations
from cascan.model.identity import StoredNetworks
from cascan.model.message import StoredChannels
from cascan.model.schedule import StoredSchedule
from cascan.model.vantage import Vantage
from cascan.rules.severity import StoredRules
from cascan.stored import read_all_stored

T = TypeVar("T")
NETWORKS = "networks.json"
SWITCH, SEVERITY, RULES, SCHEDULES = "switch.json", "severity.json", "rules/", "schedules/"
VANTAGES = "vantages/"
CHANNELS = "channels.json"
EXPECTATIONS, EXPOSURES = "expectations.json", "exposures/"
DELETED = "deleted.json"


class OperatorTable(StackSwitch, SeverityRules, Vantages, Exposures, NetworkIdentities, Protocol):
    """The operator's decisions that the scan table stores."""


@dataclass(slots=True)
class RestoreResult:
    """What the table lacked, and a restore has stored."""

    halted: bool = False
    severity_rules: int = 0
    rules: list[str] = field(default_factory=list)  # names, without deleted rules
    schedules: list[str] = field(default_factory=list)  # names; EventBridge does not have them yet
    vantages: list[str] = field(default_factory=list)  # names
    expectations: bool = False  # the file of expected exposure
    exposures: int = 0  # that a person decided on
    networks: int = 0  # whose hosts are known by an identity
    channels: bool = False  # the file of channels; its mutes are not stored yet


def record_switch(records: OperatorRecords, stack_switch: StackSwitch) -> None:
    records.put(SWITCH, msgspec.json.encode(stack_switch.switch()))


def is_switch_recorded(switch: Switch | None, records: OperatorRecords) -> bool:
    """Whether the record equals the switch. A switch that was never set has no record."""
    return (records.get(SWITCH) or b"null") == msgspec.json.encode(switch)


def record_severity_rules(records: OperatorRecords, severity_rules: SeverityRules) -> None:
    records.put(SEVERITY, msgspec.json.encode(severity_rules.severity_rules()))


def record_vantage(records: OperatorRecords, vantages: Vantages, name: str) -> None:
    records.put(f"{VANTAGES}{name}.json", msgspec.json.encode(vantages.get_vantage(name)))


def record_expectations(records: OperatorRecords, exposures: Exposures) -> None:
    records.put(EXPECTATIONS, msgspec.json.encode(exposures.expectations()))


def record_exposure(records: OperatorRecords, exposure: Exposure) -> None:
    records.put(f"{EXPOSURES}{exposure.exposure_id}.json", msgspec.json.encode(exposure))


def record_network_identities(records: OperatorRecords, table: NetworkIdentities) -> None:
    records.put(NETWORKS, msgspec.json.encode(table.network_identities()))


def record_channels(records: OperatorRecords, channels: ChannelStore) -> None:
    records.put(CHANNELS, msgspec.json.encode(channels.channels()))


def record_rule(records: OperatorRecords, rule: StoredRule) -> None:
    records.put(f"{RULES}{rule.name}/{rule.version:06d}.json", msgspec.json.encode(rule))


def record_rule_deletion(records: OperatorRecords, name: str, deleted_at: datetime) -> None:
    records.put(f"{RULES}{name}/{DELETED}", msgspec.json.encode(deleted_at))


def record_schedule(records: OperatorRecords, schedules: ScheduleTable, name: str) -> None:
    stored = schedules.schedule(name)
    if stored:
        records.put(f"{SCHEDULES}{name}.json", msgspec.json.encode(stored))
    else:
        records.remove(f"{SCHEDULES}{name}.json")


def restore_records(
    records: OperatorRecords,
    *,
    table: OperatorTable,
    rules: RuleTable,
    schedules: ScheduleTable,
    channels: ChannelStore,
) -> RestoreResult:
    """Store in the table the records that it lacks. A repeat is harmless.

    A record that cannot be read is skipped. If it is the record of the switch, the stack is halted.
    """
    restored = RestoreResult()
    switch = _read_switch(records)
    if switch and table.switch() is None:
        table.halt(switch)
        restored.halted = True
    severity = _read(records, SEVERITY, StoredRules)
    # The table rejects version 1 if it has newer rules.
    if severity and table.put_severity_rules(replace(severity, version=1)):
        restored.severity_rules = len(severity.rules)
    networks = _read(records, NETWORKS, StoredNetworks)
    if networks and table.put_network_identities(replace(networks, version=1)):
        restored.networks = len(networks.networks)
    for name in islice(_rule_names(records), MAX_RULES):
        if _restore_rule(records, name, rules):
            restored.rules.append(name)
    for name in islice(records.names(SCHEDULES), MAX_SCHEDULES):
        stored = _read(records, name, StoredSchedule)
        if stored and schedules.restore_schedule(stored):
            restored.schedules.append(stored.name)
    for name in islice(records.names(VANTAGES), MAX_VANTAGES):
        vantage = _read(records, name, Vantage)
        if vantage and table.get_vantage(vantage.name) is None:
            table.put_vantage(vantage)
            restored.vantages.append(vantage.name)
    _restore_exposures(records, table, restored)
    file = _read(records, CHANNELS, StoredChannels)
    restored.channels = file is not None and channels.put_channels(replace(file, version=1))
    return restored


def _restore_exposures(records: OperatorRecords, table: Exposures, restored: RestoreResult) -> None:
    """The file, so that reports are judged again, and the exposures that a person decided on.

    The others come back as reports are judged, under the same ids.
    """
    stored = _read(records, EXPECTATIONS, StoredExpectations)
    if stored and table.put_expectations(replace(stored, version=1)):
        restored.expectations = True
        now = utc_now()
        table.put_exposure_day(ExposureDay(due_at=now, done_at=stored.applied_at))
    for name in islice(records.names(EXPOSURES), MAX_RESTORED_EXPOSURES):
        exposure = _read(records, name, Exposure)
        if exposure and table.put_exposure(replace(exposure, revision=1)):
            restored.exposures += 1


def _read_switch(records: OperatorRecords) -> Switch | None:
    """The switch. If it cannot be read, a halt that lasts until a person lifts it."""
    text = records.get(SWITCH)
    if text in (None, b"null"):
        return None
    switch = _read(records, SWITCH, Switch)
    return switch or Switch(halted_at=utc_now(), reason=f"{SWITCH} cannot be read")


def _rule_names(records: OperatorRecords) -> Iterator[str]:
    return iter(dict.fromkeys(name.split("/")[1] for name in records.names(RULES)))


def _restore_rule(records: OperatorRecords, name: str, rules: RuleTable) -> bool:
    versions = list(islice(_read_versions(records, name), MAX_RULE_VERSIONS))
    restored = [rules.restore_rule(version) for version in versions]  # the latest comes last
    deleted_at = _read(records, f"{RULES}{name}/{DELETED}", datetime)
    latest_at = versions[-1].stored_at if versions else None
    is_deleted = deleted_at is not None and latest_at is not None and deleted_at >= latest_at
    if any(restored) and is_deleted:
        rules.delete_rule(name)
    return any(restored) and not is_deleted


def _read_versions(records: OperatorRecords, name: str) -> Iterator[StoredRule]:
    """The rule's versions in order, up to one that is older than its predecessor.

    An older version was written before an earlier loss of the table, after which the versions
    started again from 1.
    """
    previous: StoredRule | None = None
    for path in records.names(f"{RULES}{name}/"):
        rule = None if path.endswith(DELETED) else _read(records, path, StoredRule)
        if rule is None or rule.stored_at is None:
            continue
        if previous and previous.stored_at and rule.stored_at < previous.stored_at:
            return
        previous = rule
        yield rule


def _read(records: OperatorRecords, name: str, kind: type[T]) -> T | None:
    text = records.get(name)
    if text in (None, b"null"):
        return None
    decode = partial(msgspec.json.decode, type=kind)
    return next(read_all_stored([text], decode, lambda _: f"the record house/{name}"), None)
