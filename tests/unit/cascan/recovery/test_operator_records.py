"""What the operator decided is given to a table made again: as it stood, and never over what is newer there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from msgspec.structs import replace

from cascan.model.agenda import Switch
from cascan.model.identity import IdentityKind, NetworkIdentity, StoredNetworks
from cascan.model.message import StoredChannels
from cascan.recovery.operator_records import (
    RestoreResult,
    record_channels,
    record_network_identities,
    record_rule,
    record_rule_deletion,
    record_schedule,
    record_severity_rules,
    record_switch,
    restore_records,
)
from cascan.rules.severity import StoredRules
from cascan.rules.severity_form import read_severity_rules
from tests.fakes import MemoryOperatorRecords, MemoryScanTable
from tests.fakes.cascades import MemoryRuleTable
from tests.fakes.message_threads import MemoryMessageThreads
from tests.fakes.schedules import MemoryScheduleTable
from tests.support.builders import NOW
from tests.support.cascading import rule_document

HALT = Switch(halted_at=NOW, by="soc", reason="too loud")
FILE = "rules: [{name: telnet, matches: {anyOf: [{name: x}]}, override: {severity: HIGH}}]"


@dataclass
class House:
    """Tables that can be lost, and the records beside them."""

    records: MemoryOperatorRecords = field(default_factory=MemoryOperatorRecords)
    table: MemoryScanTable = field(default_factory=MemoryScanTable)
    rules: MemoryRuleTable = field(default_factory=MemoryRuleTable)
    schedules: MemoryScheduleTable = field(default_factory=MemoryScheduleTable)
    channels: MemoryMessageThreads = field(default_factory=MemoryMessageThreads)
    hours: int = 0

    def lose_the_tables(self) -> None:
        self.channels = MemoryMessageThreads()
        self.table, self.rules, self.schedules = MemoryScanTable(), MemoryRuleTable(), MemoryScheduleTable()

    def restore(self) -> RestoreResult:
        return restore_records(
            self.records, table=self.table, rules=self.rules, schedules=self.schedules, channels=self.channels
        )

    def apply(self, name: str, scan_type: str) -> None:
        """As `cascan apply` does it, an hour after the last time."""
        self.hours += 1
        rule = self.rules.put_rule(name, rule_document(name, scanType=scan_type))
        record_rule(self.records, replace(rule, stored_at=NOW + timedelta(hours=self.hours)))

    def delete(self, name: str) -> None:
        self.hours += 1
        self.rules.delete_rule(name)
        record_rule_deletion(self.records, name, NOW + timedelta(hours=self.hours))

    def standing(self) -> dict[str, tuple[int, str]]:
        """The version and the scan type of each rule."""
        return {rule.name: (rule.version, rule.document["spec"]["scanSpec"]["scanType"]) for rule in self.rules.rules()}


@pytest.fixture
def house() -> House:
    return House()


def test_a_halt_is_there_again_and_one_that_was_lifted_is_not(house: House) -> None:
    house.table.halt(HALT)
    record_switch(house.records, house.table)
    house.lose_the_tables()
    assert house.restore().halted
    assert house.table.switch() == HALT
    house.table.lift()
    record_switch(house.records, house.table)
    house.lose_the_tables()
    assert not house.restore().halted
    assert house.table.switch() is None


def test_networks_whose_hosts_have_an_identity_are_there_again_and_count_anew(house: House) -> None:
    lan = NetworkIdentity(network="10.0.3.0/24", identity=IdentityKind.MAC)
    for version in (1, 2):
        house.table.put_network_identities(StoredNetworks(version=version, stored_at=NOW, networks=(lan,)))
    record_network_identities(house.records, house.table)
    house.lose_the_tables()
    assert house.restore().networks == 1
    assert house.table.network_identities() == StoredNetworks(version=1, stored_at=NOW, networks=(lan,))


def test_severity_rules_are_there_again_and_count_anew(house: House) -> None:
    rules = read_severity_rules(FILE)
    for version in (1, 2):
        house.table.put_severity_rules(StoredRules(version=version, applied_at=NOW, text=FILE, rules=rules))
    record_severity_rules(house.records, house.table)
    house.lose_the_tables()
    assert house.restore().severity_rules == 1
    assert house.table.severity_rules() == StoredRules(version=1, applied_at=NOW, text=FILE, rules=rules)


def test_severity_rules_that_were_applied_since_stay(house: House) -> None:
    old, new = (StoredRules(version=1, applied_at=NOW, text=text, rules=()) for text in ("old", "new"))
    house.table.put_severity_rules(old)
    record_severity_rules(house.records, house.table)
    house.lose_the_tables()
    house.table.put_severity_rules(new)
    assert house.restore().severity_rules == 0
    assert house.table.severity_rules() == new


def test_every_version_of_a_rule_is_there_again_under_its_number(house: House) -> None:
    for scan_type in ("nmap", "nikto", "sslyze"):
        house.apply("web", scan_type)
    house.apply("other", "nmap")
    house.lose_the_tables()
    assert house.restore().rules == ["other", "web"]
    assert house.standing() == {"other": (1, "nmap"), "web": (3, "sslyze")}
    second = house.rules.rule("web", 2)
    assert second
    assert second.document == rule_document("web", scanType="nikto")


@pytest.mark.parametrize(("comes_back", "standing"), [(False, {}), (True, {"web": (2, "nmap")})])
def test_a_deleted_rule_stays_deleted_unless_it_came_back(
    house: House, comes_back: bool, standing: dict[str, tuple[int, str]]
) -> None:
    house.apply("web", "nmap")
    house.delete("web")
    if comes_back:
        house.apply("web", "nmap")
    house.lose_the_tables()
    house.restore()
    assert house.standing() == standing


def test_a_rule_that_began_anew_since_the_table_was_lost_is_not_outdone_by_its_old_versions(house: House) -> None:
    for scan_type in ("nmap", "nikto"):
        house.apply("web", scan_type)
    house.lose_the_tables()
    house.apply("web", "sslyze")
    assert house.restore().rules == []
    assert house.standing() == {"web": (1, "sslyze")}
    house.lose_the_tables()  # once more: the old version 2 lies there still
    assert house.restore().rules == ["web"]
    assert house.standing() == {"web": (1, "sslyze")}


def test_a_schedule_is_there_again_as_it_was_and_a_deleted_one_is_not(house: House) -> None:
    for name in ("nightly", "weekly"):
        house.schedules.put_schedule(name, {"spec": {"interval": "1h"}})
        record_schedule(house.records, house.schedules, name)
    before = house.schedules.schedule("nightly")
    house.schedules.delete_schedule("weekly")
    record_schedule(house.records, house.schedules, "weekly")
    house.lose_the_tables()
    assert house.restore().schedules == ["nightly"]
    assert list(house.schedules.schedules()) == [before]


def test_the_file_of_channels_is_restored_unless_a_newer_one_was_stored(house: House) -> None:
    for version in (1, 2):
        assert house.channels.put_channels(StoredChannels(version=version, stored_at=NOW, text=f"{version}"))
    record_channels(house.records, house.channels)
    house.lose_the_tables()
    assert house.restore().channels
    assert house.channels.channels() == StoredChannels(version=1, stored_at=NOW, text="2")
    house.lose_the_tables()
    newer = StoredChannels(version=1, stored_at=NOW, text="3")
    assert house.channels.put_channels(newer)
    assert not house.restore().channels
    assert house.channels.channels() == newer


def test_the_second_time_nothing_is_restored(house: House) -> None:
    house.table.halt(HALT)
    record_switch(house.records, house.table)
    house.apply("web", "nmap")
    house.delete("web")
    house.schedules.put_schedule("nightly", {})
    record_schedule(house.records, house.schedules, "nightly")
    house.lose_the_tables()
    house.restore()
    assert house.restore() == RestoreResult()


def test_a_stack_that_nobody_decided_anything_of_is_given_nothing(house: House) -> None:
    assert house.restore() == RestoreResult()


def test_a_damaged_record_costs_the_others_nothing_and_one_of_the_switch_halts_the_stack(house: House) -> None:
    house.records.put("switch.json", b"{")
    house.records.put("schedules/odd.json", b"[]")
    restored = house.restore()
    assert restored.halted
    assert house.table.halted is not None
    assert "switch.json cannot be read" in house.table.halted.reason
    assert restored.schedules == []
