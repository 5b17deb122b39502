"""`cascan exposure init`, `check`, `plan`, `show`: on a stack's inventory, and on reports without one."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.formats.registry import FORMATS
from cascan.model.exposure import StoredExpectations
from cascan_cli.commands import exposure_check, exposure_init
from cascan_cli.input.report_looks import read_report_looks
from cascan_cli.main import main
from tests.support.command_world import open_world
from tests.support.scanned_network import World, at, xml

HOSTS = {"10.0.0.1": (22, 80), "10.0.0.2": (22,)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """An empty stack, a day after the scans of the test began."""
    world = World(folder)

    open_world(monkeypatch, world, exposure_check, exposure_init)
    set_clock(monkeypatch, at(24))
    return world


def set_clock(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(exposure_check, "utc_now", lambda: moment)


class Printed:
    """Runs a command; then has what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys
        self.messages = ""

    def __call__(self, *arguments: str, code: int = 0) -> list[list[str]]:
        self.capsys.readouterr()
        exit_code = main(["exposure", *arguments])
        out, self.messages = self.capsys.readouterr()
        assert exit_code == code, (out, self.messages)
        return [line.split("\t") for line in out.splitlines()]

    def json(self, *arguments: str, code: int = 0) -> Any:
        rows = self(*arguments, code=code)
        return json.loads("\n".join("\t".join(row) for row in rows))


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(capsys)


def write(text: str, name: str = "exposure.yaml") -> None:
    Path(name).write_text(text)


class TestInit:
    def test_a_scan_then_init_then_check_end_with_0_without_an_edit(self, world: World, printed: Printed) -> None:
        world.scan(0, xml(HOSTS | {"10.0.0.3": (22,), "10.0.0.4": (22,)}))
        printed("init", "-o", "exposure.yaml")
        printed("check", "--strict")
        assert printed.messages == "cascan: exposure.yaml: 0 violations, 5 fine\n"

    def test_hosts_with_the_same_ports_become_one_entry(self, world: World, printed: Printed) -> None:
        world.scan(0, xml({f"10.0.0.{number}": (22,) for number in (1, 2, 3, 5)}))
        printed("init", "-o", "exposure.yaml")
        file = read_exposure_file(Path("exposure.yaml").read_text())
        assert len(file.entries) == 1
        assert "hosts: [10.0.0.1-3, 10.0.0.5]" in Path("exposure.yaml").read_text()
        assert file.entries[0].required

    def test_the_same_inventory_gives_the_same_text(self, world: World, printed: Printed) -> None:
        world.scan(0, xml(HOSTS))
        first = printed("init")
        world.scan(1, xml(HOSTS))
        assert printed("init") == first

    def test_vantages_are_named_where_they_differ(self, world: World, printed: Printed) -> None:
        world.scan(0, xml(HOSTS))
        world.scan(1, xml({"10.0.0.1": (80,)}), vantage="internet")
        printed("init", "-o", "exposure.yaml")
        entries = read_exposure_file(Path("exposure.yaml").read_text()).entries
        seen = {(entry.who, str(entry.ports[0])): entry.vantages for entry in entries}
        assert seen["10.0.0.1", "80"] == ()
        assert seen["10.0.0.1", "22"] == ("default",)
        printed("check", "--strict")

    def test_a_file_is_overwritten_only_with_force(self, world: World, printed: Printed) -> None:
        world.scan(0, xml(HOSTS))
        write("mine")
        printed("init", "-o", "exposure.yaml", code=2)
        assert "add --force" in printed.messages
        assert Path("exposure.yaml").read_text() == "mine"
        printed("init", "-o", "exposure.yaml", "--force")
        assert Path("exposure.yaml").read_text() != "mine"

    def test_an_empty_inventory_gives_a_valid_file_and_the_next_step(self, world: World, printed: Printed) -> None:
        printed("init", "-o", "exposure.yaml")
        assert "scan first" in printed.messages
        assert read_exposure_file(Path("exposure.yaml").read_text()).entries == ()


class TestCheckOfTheInventory:
    def test_an_open_port_that_is_not_expected_is_a_violation(self, world: World, printed: Printed) -> None:
        world.scan(0, xml(HOSTS))
        write("expected:\n- {who: 10.0.0.1, ports: [22]}\n- {who: 10.0.0.2, ports: [22]}\n")
        (row,) = printed("check", code=4)
        assert row == [
            "unexpected-open",
            "default",
            "10.0.0.1",
            "",
            "tcp/80",
            "2",
            "one look",
            "tcp/80 is open; line 2 of the exposure file does not list this port",
        ]
        assert printed.messages == "cascan: exposure.yaml: 1 violation, 2 fine\n"

    def test_a_state_counts_after_two_looks_that_agree(self, world: World, printed: Printed) -> None:
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n- {who: 10.0.0.1, ports: [80]}\n")
        world.scan(0, xml(HOSTS))
        world.scan(1, xml({"10.0.0.1": (22, 23), "10.0.0.2": (22,)}))
        rows = printed("check", "--strict")
        assert [(row[0], row[4], row[6]) for row in rows] == [
            ("unexpected-open?", "tcp/23", "not confirmed"),
            ("missing?", "tcp/80", "not confirmed"),
        ]
        world.scan(2, xml({"10.0.0.1": (22, 23), "10.0.0.2": (22,)}))
        rows = printed("check", code=4)
        assert [(row[0], row[6]) for row in rows] == [("unexpected-open", "two looks"), ("missing", "two looks")]
        world.scan(3, xml(HOSTS))
        rows = printed("check", code=4)
        assert [(row[0], row[6]) for row in rows] == [
            ("unexpected-open", "the newest look differs"),
            ("missing", "the newest look differs"),
        ]
        world.scan(4, xml(HOSTS))
        assert printed("check", "--strict") == []

    def test_a_host_that_is_gone_twice_is_absent(self, world: World, printed: Printed) -> None:
        write("expected:\n- {who: 10.0.0.2, ports: [22]}\n- {who: 10.0.0.1, ports: [22, 80]}\n")
        world.scan(0, xml(HOSTS))
        for hour in (1, 2):
            world.scan(hour, xml({"10.0.0.1": (22, 80)}))
        assert [row[:3] for row in printed("check")] == [["absent", "default", "10.0.0.2"]]
        printed("check", "--strict", code=4)

    def test_a_look_that_did_not_cover_a_port_resolves_nothing(self, world: World, printed: Printed) -> None:
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n")
        for hour in (0, 1):
            world.scan(hour, xml(HOSTS))
        for hour in (2, 3):
            world.scan(hour, xml({"10.0.0.1": (22,)}, asked="22"))
        assert [row[4] for row in printed("check", code=4)] == ["tcp/80"]

    def test_a_required_port_that_was_not_covered_for_days_is_untested_and_a_violation_stays(
        self, world: World, printed: Printed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("settings: {untestedAfterDays: 3}\nexpected:\n- {who: 10.0.0.1, ports: [22]}\n")
        world.scan(0, xml({"10.0.0.1": (22, 80)}))
        set_clock(monkeypatch, at(0) + timedelta(days=3))
        assert [row[0] for row in printed("check", code=4)] == ["unexpected-open"]
        set_clock(monkeypatch, at(0) + timedelta(days=3, minutes=1))
        assert [row[0] for row in printed("check", code=4)] == ["untested", "unexpected-open"]

    def test_a_required_port_that_no_look_covered_is_listed_once(self, world: World, printed: Printed) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        world.scan(1, xml({"10.0.0.1": (22,)}), vantage="internet")
        text = "expected:\n- {who: 10.0.0.1, ports: [22, 8080]}\n- {who: 10.0.0.1, ports: [9090], from: [office]}\n"
        write(text)
        rows = printed("check")
        assert [row[:2] + row[4:5] for row in rows] == [
            ["untested", "any", "tcp/8080"],
            ["untested", "office", "tcp/9090"],
        ]
        assert "2 not covered" in printed.messages

    def test_a_name_holds_the_address_that_was_scanned_for_it_and_reverse_dns_does_not_count(
        self, world: World, printed: Printed
    ) -> None:
        write("expected:\n- {who: web.example.com, ports: [22]}\n")
        reverse = '<hostnames><hostname name="web.example.com" type="{}"/></hostnames><ports>'
        report = xml({"10.0.0.1": (22,)})
        world.scan(0, report.replace(b"<ports>", reverse.format("PTR").encode()))
        rows = printed("check", code=4)
        assert [(row[0], row[2], row[3]) for row in rows] == [
            ("untested", "", "web.example.com"),
            ("unexpected-open", "10.0.0.1", ""),
        ]
        world.scan(1, report.replace(b"<ports>", reverse.format("user").encode()))
        printed("check", "--strict")

    def test_another_service_counts_from_the_looks_that_probed_it(self, world: World, printed: Printed) -> None:
        write("expected:\n- {who: 10.0.0.1, ports: [22], service: https}\n")
        probed = xml({"10.0.0.1": (22,)})
        guessed = probed.replace(b'name="ssh" method="probed"', b'name="https" method="table"')
        for hour, report in enumerate((probed, probed, guessed, guessed)):
            world.scan(hour, report)
        assert [row[0] for row in printed("check", code=4)] == ["other-service"]
        for hour in (4, 5):
            world.scan(hour, probed.replace(b'name="ssh"', b'name="https"'))
        printed("check")

    def test_what_ends_soon_or_has_ended_is_announced(
        self, world: World, printed: Printed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        write(f"expected:\n- {{who: 10.0.0.1, ports: [22], until: {at(24).date() + timedelta(days=14)}}}\n")
        printed("check")
        assert "line 2: 10.0.0.1 is expected until" in printed.messages
        set_clock(monkeypatch, at(24) + timedelta(days=15))
        printed("check", code=4)
        assert "which has passed" in printed.messages

    def test_an_invalid_file_is_refused_with_every_line(self, world: World, printed: Printed) -> None:
        write("expected:\n- {who: 10.0.0.300, ports: [22]}\n- {who: 10.0.0.1, ports: [x]}\n")
        printed("check", code=2)
        assert "exposure.yaml: line 2: expected[0].who" in printed.messages
        assert "exposure.yaml: line 3: expected[1].ports[0]" in printed.messages

    def test_a_missing_file_names_the_command_that_writes_one(self, folder: Path, printed: Printed) -> None:
        printed("check", code=2)
        assert "cascan exposure init -o exposure.yaml" in printed.messages


class TestCheckOfReports:
    def test_one_report_is_judged_as_it_is(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n")
        (row,) = printed("check", "--report", "scan.xml", code=4)
        assert row[4:7] == ["tcp/80", "2", "one look"]

    def test_two_reports_confirm_each_other_and_a_copy_does_not(self, folder: Path, printed: Printed) -> None:
        first = xml(HOSTS).replace(b"<nmaprun ", b'<nmaprun start="1796000000" ')
        second = xml(HOSTS).replace(b"<nmaprun ", b'<nmaprun start="1796086400" ')
        for name, report in (("first.xml", first), ("copy.xml", first), ("second.xml", second)):
            Path(name).write_bytes(report)
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n")
        assert [row[6] for row in printed("check", "--report", "first.xml", "copy.xml", code=4)] == ["one look"]
        assert [row[6] for row in printed("check", "--report", "first.xml", "second.xml", code=4)] == ["two looks"]

    def test_of_reports_in_one_second_the_later_file_is_the_newer_one(self, folder: Path) -> None:
        start = b'<nmaprun start="1796000000" args="nmap -p %d" '
        for port in (22, 80):
            Path(f"{port}.xml").write_bytes(xml({"10.0.0.1": (port,)}).replace(b"<nmaprun ", start % port))
        for files in (["22.xml", "80.xml"], ["80.xml", "22.xml"]):
            newest, *_ = read_report_looks(files).looks["10.0.0.1"]
            assert [f"{group.ports}.xml" for group in newest.open_ports] == files[1:]

    def test_the_vantage_of_reports_is_named(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml({"10.0.0.1": (22,)}))
        write("expected:\n- {who: 10.0.0.1, ports: [22], from: [internet]}\n")
        printed("check", "--report", "scan.xml", "--vantage", "internet")
        printed("check", "--report", "scan.xml", code=4)

    def test_a_file_that_is_no_report_is_refused(self, folder: Path, printed: Printed) -> None:
        write("expected: []\n")
        printed("check", "--report", "exposure.yaml", code=2)
        assert "exposure.yaml: " in printed.messages

    def test_json_has_the_counts_and_all_adds_what_is_fine(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n")
        document = printed.json("check", "--report", "scan.xml", "--json", code=4)
        assert document["counts"]["violations"] == 1
        assert [port["result"] for port in document["ports"]] == ["unexpected-open"]
        everything = printed.json("check", "--report", "scan.xml", "--json", "--all", code=4)
        assert len(everything["ports"]) == 3

    @pytest.mark.parametrize("form", FORMATS)
    def test_violations_are_written_in_every_format(self, folder: Path, printed: Printed, form: str) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        write("expected:\n- {who: 10.0.0.0/24, ports: [22]}\n")
        printed("check", "--report", "scan.xml", "--as", form, "-o", "out", code=4)
        assert b"unexpected-open" in Path("out").read_bytes()

    def test_a_violation_has_the_same_id_in_every_check_and_an_expected_port_passes(
        self, folder: Path, printed: Printed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        events = []
        for hour, entry in ((24, "{who: 10.0.0.0/24, ports: [22]}"), (48, "{who: 10.0.0.0/25, ports: [22]}")):
            set_clock(monkeypatch, at(hour))
            write(f"expected:\n\n- {entry}\n")
            rows = printed("check", "--report", "scan.xml", "--all", "--as", "ocsf", code=4)
            events.append([json.loads(row[0]) for row in rows])
        first, second = ({event["finding_info"]["uid"] for event in check} for check in events)
        assert first == second
        assert sorted(event["compliance"]["status"] for event in events[0]) == ["Fail", "Pass", "Pass"]

    @pytest.mark.parametrize("options", [("-o", "x.json"), ("--json", "--as", "sarif")])
    def test_options_that_contradict_each_other_are_refused(
        self, folder: Path, printed: Printed, options: tuple[str, ...]
    ) -> None:
        write("expected: []\n")
        printed("check", "--report", "scan.xml", *options, code=2)


class TestPlan:
    def test_a_plan_names_entries_fields_and_exposures(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        write("expected:\n- {who: 10.0.0.1, ports: [22, 80]}\n- {who: 10.0.0.2, ports: [22]}\n", "old.yaml")
        write("expected:\n- {who: 10.0.0.3, ports: [22]}\n- {who: 10.0.0.1, ports: [22], why: ssh}\n", "new.yaml")
        rows = printed("plan", "new.yaml", "--against", "old.yaml", "--report", "scan.xml")
        assert [row[0] for row in rows] == [
            "+ 10.0.0.3 22  (line 2)",
            "~ 10.0.0.1 22  (line 3)",
            "    ports: 22, 80 -> 22",
            "    why: none -> ssh",
            "- 10.0.0.2 22  (line 3)",
            "  opens     untested: 10.0.0.3 tcp/22 from any: tcp/22 is not covered"
            "; line 2 of the exposure file requires it",
            "  opens     unexpected-open: 10.0.0.1 tcp/80 from default: tcp/80 is open"
            "; line 3 of the exposure file does not list this port",
            "  opens     unexpected-open: 10.0.0.2 tcp/22 from default: tcp/22 is open; no entry holds this host",
            "Plan: 1 to add, 1 to change, 1 to remove; 3 exposures would open, 0 would resolve.",
        ]

    def test_a_host_that_a_group_swaps_is_a_change(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        text = "groups: {{web: {{hosts: [10.0.0.1, {}]}}}}\nexpected:\n- {{who: web, ports: [22]}}\n"
        write(text.format("10.0.0.2"), "old.yaml")
        write(text.format("10.0.0.3"), "new.yaml")
        rows = printed("plan", "new.yaml", "--against", "old.yaml", "--report", "scan.xml")
        assert rows[1] == ["    hosts: 10.0.0.1, 10.0.0.2 -> 10.0.0.1, 10.0.0.3"]

    def test_without_a_file_to_compare_with_it_is_the_one_that_the_stack_has_applied(
        self, world: World, printed: Printed
    ) -> None:
        world.scan(0, xml(HOSTS))
        write("expected:\n- {who: 10.0.0.0/24, ports: [22, 80]}\n")
        assert printed("plan") == [
            ["+ 10.0.0.0/24 22, 80  (line 2)"],
            ["Plan: 1 to add, 0 to change, 0 to remove; 0 exposures would open, 0 would resolve."],
        ]
        text = "expected:\n- {who: 10.0.0.0/24, ports: [22]}\n"
        world.table.put_expectations(StoredExpectations(version=1, applied_at=at(1), text=text))
        assert [row[0] for row in printed("plan")] == [
            "~ 10.0.0.0/24 22, 80  (line 2)",
            "    ports: 22 -> 22, 80",
            "  resolves  unexpected-open: 10.0.0.1 tcp/80 from default: tcp/80 is open"
            "; line 2 of the exposure file does not list this port",
            "Plan: 0 to add, 1 to change, 0 to remove; 0 exposures would open, 1 would resolve.",
        ]

    def test_a_file_against_itself_changes_nothing(self, folder: Path, printed: Printed) -> None:
        Path("scan.xml").write_bytes(xml(HOSTS))
        write("settings: {confirm: true}\nexpected:\n- {who: 10.0.0.1, ports: [22, 80]}\n")
        assert printed("plan", "--against", "exposure.yaml", "--report", "scan.xml") == [["No changes."]]


def test_show_lists_the_entries_that_hold_a_host_the_narrowest_first(folder: Path, printed: Printed) -> None:
    network = "- {who: 10.0.0.0/24, ports: [22]}\n"
    write(f"expected:\n{network}- {{who: 10.0.0.5, ports: [443]}}\n- {{who: w.example, ports: [1]}}\n")
    assert [row[0] for row in printed("show")] == ["2", "3", "4"]
    assert [row[0] for row in printed("show", "--host", "10.0.0.5")] == ["3", "2"]
    assert [row[0] for row in printed("show", "--host", "W.example")] == ["4"]
    assert printed("show", "--host", "192.0.2.1") == []
