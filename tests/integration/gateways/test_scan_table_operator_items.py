"""ScanTable's contract: the agenda, the switch, and the brief. Every test runs on the fake and on DynamoDB."""

from __future__ import annotations

import random
from datetime import date, timedelta

from msgspec.structs import replace

from cascan.gateways import ScanTable
from cascan.ids import derive_scan_id
from cascan.limits import MAX_SEVERITY_RULES_BYTES
from cascan.model.agenda import AgendaEntry, AgendaTask, Switch
from cascan.model.finding import Severity
from cascan.model.identity import IdentityKind, NetworkIdentity, StoredNetworks
from cascan.model.scan import ScanBrief, ScanState
from cascan.model.vantage import Vantage
from cascan.rules.severity import Acceptance, Override, SeverityRule, StoredRules
from tests.integration.gateways.examples import AT, SCAN_ID, a_scan

NIGHTLY = ("Mon,Tue 22:00-06:00 Europe/Berlin",)


def entry(seconds: int, what: AgendaTask = AgendaTask.DEADLINE, scan: str = "example") -> AgendaEntry:
    return AgendaEntry(AT + timedelta(seconds=seconds), derive_scan_id(scan), what)


class TestAgenda:
    def test_entries_that_are_due_come_oldest_first_up_to_the_limit(self, table: ScanTable) -> None:
        for planned in (entry(3), entry(1), entry(2), entry(1, AgendaTask.EXPIRE), entry(9)):
            table.add_to_agenda(planned)
        assert list(table.due(AT, 10)) == []
        assert list(table.due(AT + timedelta(seconds=3), 3)) == [entry(1), entry(1, AgendaTask.EXPIRE), entry(2)]
        assert list(table.due(AT + timedelta(seconds=3), 10))[-1] == entry(3)

    def test_what_is_done_is_not_due_again_and_what_was_planned_twice_is_due_once(self, table: ScanTable) -> None:
        for planned in (entry(1), entry(1), entry(1, scan="another")):
            table.add_to_agenda(planned)
        table.done(entry(1))
        table.done(entry(1))
        assert list(table.due(AT + timedelta(days=1), 10)) == [entry(1, scan="another")]


class TestSwitch:
    def test_the_stack_is_halted_until_it_is_lifted(self, table: ScanTable) -> None:
        assert table.switch() is None
        halted = Switch(halted_at=AT, by="soc", reason="too loud")
        table.halt(halted)
        assert table.switch() == halted
        table.lift()
        table.lift()
        assert table.switch() is None


class TestNetworkIdentities:
    def test_of_two_writers_of_a_version_the_first_one_wins(self, table: ScanTable) -> None:
        assert table.network_identities() is None
        lan = NetworkIdentity(network="10.0.3.0/24", identity=IdentityKind.MAC)
        first = StoredNetworks(version=1, stored_at=AT, networks=(lan,))
        assert table.put_network_identities(first)
        assert not table.put_network_identities(StoredNetworks(version=1, stored_at=AT))
        assert table.network_identities() == first
        assert table.put_network_identities(StoredNetworks(version=2, stored_at=AT))


class TestVantages:
    def test_vantages_are_listed_by_name_as_they_were_stored_last(self, table: ScanTable) -> None:
        office = Vantage(name="office", queues={"connect": "https://sqs.local/office"}, networks=("10.0.0.0/8",))
        internet = Vantage(name="internet", queues={}, has_ipv6=True, stored_at=AT)
        for stored in (replace(office, networks=()), internet, office):
            table.put_vantage(stored)
        assert list(table.vantages()) == [internet, office]
        assert table.get_vantage("office") == office
        assert table.get_vantage("moon") is None


class TestBrief:
    def test_the_brief_of_a_scan_is_what_a_worker_must_know_of_it(self, table: ScanTable) -> None:
        table.create_scan(a_scan(deadline_at=AT, windows=NIGHTLY))
        table.create_scan(a_scan("bare", state=ScanState.SUSPENDED))
        assert table.scan_brief(SCAN_ID) == ScanBrief(state=ScanState.SCANNING, deadline_at=AT, windows=NIGHTLY)
        assert table.scan_brief(derive_scan_id("bare")) == ScanBrief(state=ScanState.SUSPENDED)

    def test_the_brief_of_every_scan_says_that_the_stack_is_halted(self, table: ScanTable) -> None:
        table.create_scan(a_scan())
        table.halt(Switch(halted_at=AT))
        assert table.scan_brief(SCAN_ID) == ScanBrief(state=ScanState.SCANNING, halted=True)

    def test_a_scan_that_does_not_exist_has_no_brief(self, table: ScanTable) -> None:
        assert table.scan_brief(SCAN_ID) is None


class TestSeverityRules:
    def rules(self, version: int, text: str = "rules: …") -> StoredRules:
        rule = SeverityRule(
            name="a",
            any_of=({"category": "Host", "attributes": {"port": 1, "hostname": None}},),
            override=Override(severity=Severity.HIGH, attributes={"owner": "net"}),
            accept=Acceptance(date(2027, 3, 31), "known"),
        )
        return StoredRules(version=version, applied_at=AT, text=text, rules=(rule,))

    def test_there_are_none_until_somebody_stores_the_first_version(self, table: ScanTable) -> None:
        assert table.severity_rules() is None
        assert not table.put_severity_rules(self.rules(2))
        assert table.severity_rules() is None
        assert table.put_severity_rules(self.rules(1))
        assert table.severity_rules() == self.rules(1)

    def test_of_two_writers_of_the_same_version_one_fails(self, table: ScanTable) -> None:
        assert table.put_severity_rules(self.rules(1))
        assert table.put_severity_rules(self.rules(2, "mine"))
        assert not table.put_severity_rules(self.rules(2, "yours"))
        assert not table.put_severity_rules(self.rules(1, "yours"))
        assert table.severity_rules() == self.rules(2, "mine")

    def test_the_largest_allowed_file_is_stored(self, table: ScanTable) -> None:
        noise = bytes(random.Random(1).choices(range(33, 127), k=MAX_SEVERITY_RULES_BYTES)).decode()  # noqa: S311 (noise, the same each time)
        rule = SeverityRule(name="a", any_of=({"name": noise},), suppress="x")
        stored = StoredRules(version=1, applied_at=AT, text=noise, rules=(rule,))
        assert table.put_severity_rules(stored)
        assert table.severity_rules() == stored
