"""`cascan when`, `at`, `diff --since`, `findings --now`, `history delete`: what is printed of the past."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cascan.ids import derive_scan_id
from cascan_cli.commands import at, diff, findings, history, when
from cascan_cli.errors import BadInput
from cascan_cli.input.endpoints import parse_endpoint
from cascan_cli.input.moments import parse_duration, parse_look_moment, parse_moment, parse_zone
from cascan_cli.main import main
from tests.support.builders import a_request
from tests.support.command_world import Printed, open_world
from tests.support.scanned_network import World, xml

NOON, ONE, TWO, THREE = (f"2026-03-01T{hour}:00:00Z" for hour in (12, 13, 14, 15))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Three scans, an hour apart: port 80 closes, port 23 opens, one host goes and another comes."""
    world = World(tmp_path)

    open_world(monkeypatch, world, when, at, diff, findings, history)
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), name="lan")
    world.scan(1, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}), name="lan")
    world.scan(2, xml({"10.0.0.1": (22, 23), "10.0.0.3": (22,)}), name="dmz")
    return world


@pytest.fixture
def printed(world: World, capsys: pytest.CaptureFixture[str]) -> Printed:
    assert world.table.hosts_by_address
    capsys.readouterr()
    return Printed(capsys)


class TestWhen:
    def test_a_port_is_shown_with_each_state_and_the_looks_that_saw_it(self, printed: Printed) -> None:
        rows = printed("when", "10.0.0.1:80")
        assert [row[1:6] for row in rows] == [
            ["tcp/80", "open", NOON, NOON, "1"],
            ["tcp/80", "closed", ONE, TWO, "2"],
        ]

    def test_a_host_that_a_whole_report_leaves_out_was_not_up(self, printed: Printed) -> None:
        assert [row[2:5] for row in printed("when", "10.0.0.2:22")] == [
            ["open", NOON, ONE],
            ["host not up", TWO, TWO],
        ]

    def test_without_a_port_the_host_and_every_port_that_was_open_are_shown(self, printed: Printed) -> None:
        rows = printed("when", "10.0.0.1")
        assert [row[1] for row in rows] == ["", "tcp/22", "tcp/23", "tcp/23", "tcp/80", "tcp/80"]
        assert rows[0][2:6] == ["up", NOON, TWO, "3"]

    def test_a_port_that_no_scan_asked_for_has_no_state(self, printed: Printed) -> None:
        assert printed("when", "10.0.0.1:8080") == []
        assert "no look has covered 10.0.0.1:8080" in printed.messages

    def test_since_and_until_bound_the_looks(self, printed: Printed) -> None:
        rows = printed("when", "10.0.0.1:80", "--since", "2026-03-01T12:30Z", "--until", "2026-03-01T13:30Z")
        assert [row[2:6] for row in rows] == [["closed", ONE, ONE, "1"]]

    def test_evidence_is_the_hosts_element_of_the_report(self, printed: Printed) -> None:
        (opened,) = printed("when", "10.0.0.3:22", "--since", TWO, "--evidence")
        (text,) = opened
        assert text.startswith("<host>")
        assert text.endswith("</host>")
        assert "10.0.0.3" in text

    def test_the_evidence_of_a_removed_scan_is_gone_and_its_looks_stay(self, world: World, printed: Printed) -> None:
        world.reports.objects.clear()
        world.table.scans.clear()
        (first, _) = printed.json("when", "10.0.0.1:80", "--evidence")
        assert (first["state"], first["evidence"], first["evidenceProblem"]) == ("open", None, "the report is gone")
        assert first["firstLook"]["scan"] == derive_scan_id("scan at 0")


LAPTOP, PRINTER = "52:54:00:00:00:01", "52:54:00:00:00:02"


def with_mac(report: bytes, mac: str = LAPTOP) -> bytes:
    return report.replace(b"<ports>", f'<address addr="{mac}" addrtype="mac"/><ports>'.encode())


class TestWhenOfAnIdentity:
    """The laptop was at .4 from 15 to 16 o'clock and at .5 at 17; then the printer was at .4."""

    @pytest.fixture(autouse=True)
    def moved(self, world: World) -> None:
        nights = ((3, "10.0.0.4", LAPTOP), (4, "10.0.0.4", LAPTOP), (5, "10.0.0.5", LAPTOP), (6, "10.0.0.4", PRINTER))
        for hour, address, mac in nights:
            world.scan(hour, with_mac(xml({address: (22,)}), mac), request=a_request(identity="mac"))

    def test_each_address_is_shown_while_the_host_was_there(self, printed: Printed) -> None:
        rows = printed("when", f"{LAPTOP}:22")
        assert [row[1:6] for row in rows] == [
            ["10.0.0.5", "tcp/22", "open", "2026-03-01T17:00:00Z", "2026-03-01T17:00:00Z"],
            ["10.0.0.5", "tcp/22", "host not up", "2026-03-01T18:00:00Z", "2026-03-01T18:00:00Z"],
            ["10.0.0.4", "tcp/22", "open", "2026-03-01T15:00:00Z", "2026-03-01T16:00:00Z"],
        ]
        assert f"default: mac:{LAPTOP} is at 10.0.0.5, seen 2026-03-01T17:00:00Z; before: 10.0.0.4" in printed.messages

    def test_what_another_host_did_at_its_last_address_is_not_shown(self, world: World, printed: Printed) -> None:
        report = with_mac(xml({"10.0.0.5": (22, 80)}), PRINTER)
        world.scan(7, report, request=a_request(identity="mac"))
        assert [row[1:4] for row in printed("when", LAPTOP)] == [
            ["10.0.0.5", "", "up"],
            ["10.0.0.5", "tcp/22", "open"],
            ["10.0.0.4", "", "up"],
            ["10.0.0.4", "tcp/22", "open"],
        ]
        assert f"mac:{LAPTOP} was last at 10.0.0.5" in printed.messages

    def test_times_bound_the_looks_at_every_address(self, printed: Printed) -> None:
        spans = printed.json("when", f"mac:{LAPTOP}:22", "--since", "2026-03-01T16:00Z", "--until", "2026-03-01T17:30Z")
        assert [(span["address"], span["looks"], span["identity"]) for span in spans] == [
            ("10.0.0.5", 1, f"mac:{LAPTOP}"),
            ("10.0.0.4", 1, f"mac:{LAPTOP}"),
        ]

    def test_an_identity_at_several_addresses_is_shown_with_all_of_them(self, world: World, printed: Printed) -> None:
        both = with_mac(xml({"10.0.0.4": (22,), "10.0.0.5": (22,)}))
        world.scan(7, both, request=a_request(identity="mac"))
        assert {row[1] for row in printed("when", LAPTOP)} == {"10.0.0.4", "10.0.0.5"}
        assert f"mac:{LAPTOP} was seen at several addresses in one scan: " in printed.messages

    def test_an_identity_that_no_scan_has_seen_is_named(self, printed: Printed) -> None:
        assert printed("when", "Laptop.Example:22") == []
        assert "no scan has seen a host that is known as name:laptop.example" in printed.messages

    def test_a_mistyped_address_is_not_taken_for_a_name(self, printed: Printed) -> None:
        for text in ("10.0.0.500", "10.0.0.0/24", "10.0.0.5:70000", "mac:52:54", "laptop:70000"):
            printed("when", text, code=2)


class TestAt:
    def test_what_was_open_is_listed_with_its_look_and_the_next(self, printed: Printed) -> None:
        rows = printed("at", "2026-03-01T12:30Z")
        assert [row[1:2] + row[3:5] + row[6:8] for row in rows] == [
            ["10.0.0.1", "tcp/22", "open", NOON, ONE],
            ["10.0.0.1", "tcp/80", "open", NOON, ONE],
            ["10.0.0.2", "tcp/22", "open", NOON, ONE],
        ]

    def test_ports_and_networks_narrow_it(self, printed: Printed) -> None:
        rows = printed("at", "2026-03-01", "--port", "22", "--network", "10.0.0.2/31")
        assert [row[1] for row in rows] == ["10.0.0.3"]

    @pytest.mark.parametrize(
        ("moment", "state"),
        [("2026-03-01T11:00Z", "not covered"), (NOON, "open"), ("2026-03-01T13:30Z", "closed")],
    )
    def test_a_single_port_has_whatever_state_it_had(self, moment: str, state: str, printed: Printed) -> None:
        assert printed("at", moment, "10.0.0.1:80")[0][4] == state

    def test_a_look_that_is_too_old_says_nothing_and_is_shown(self, printed: Printed) -> None:
        (answer,) = printed.json("at", "2026-03-05", "10.0.0.1:22", "--stale", "1d")
        assert (answer["state"], answer["look"]["time"]) == ("not covered", TWO)
        assert printed("at", "2026-03-05", "--stale", "1d") == []

    def test_a_port_of_an_address_and_a_network_are_refused_together(self, printed: Printed) -> None:
        printed("at", "2026-03-01", "10.0.0.1:22", "10.0.0.0/24", code=2)
        assert "10.0.0.1:22: a port of an address cannot be combined" in printed.messages


class TestDiffSince:
    def test_what_is_otherwise_is_listed_with_both_looks(self, printed: Printed) -> None:
        rows = printed("diff", "--since", "2026-03-01T12:30Z")
        assert [row[:1] + row[2:3] + row[4:7] for row in rows] == [
            ["PortOpened", "10.0.0.1", "tcp/23", "closed", "open ssh"],
            ["PortClosed", "10.0.0.1", "tcp/80", "open ssh", "closed"],
            ["PortClosed", "10.0.0.2", "tcp/22", "open ssh", "host not up"],
            ["PortOpened", "10.0.0.3", "tcp/22", "host not up", "open ssh"],
        ]
        assert "2 PortClosed, 2 PortOpened" in printed.messages

    def test_what_nothing_covered_before_is_a_baseline(self, printed: Printed) -> None:
        assert printed("diff", "--since", "2026-02-01") == []
        assert "3 ports that no look had covered" in printed.messages
        assert all(entry["baseline"] for entry in printed.json("diff", "--since", "2026-02-01", "--all"))

    def test_times_and_scans_are_not_mixed(self, printed: Printed) -> None:
        printed("diff", "latest", "--since", "2026-03-01", code=2)
        assert "leave SCAN out" in printed.messages


class TestFindingsNow:
    def test_each_open_port_has_the_finding_of_the_newest_scan(self, printed: Printed) -> None:
        found = [one for one in printed.json("findings", "--now") if one["category"] == "Open Port"]
        assert [(one["location"], one["scan"]["name"]) for one in found] == [
            ("tcp://10.0.0.1:22", "dmz"),
            ("tcp://10.0.0.1:23", "dmz"),
            ("tcp://10.0.0.3:22", "dmz"),
        ]

    def test_a_removed_scan_leaves_what_the_inventory_knows(self, world: World, printed: Printed) -> None:
        world.table.scans.clear()
        found = printed.json("findings", "--now")
        assert [one["location"] for one in found] == ["tcp://10.0.0.1:22", "tcp://10.0.0.1:23", "tcp://10.0.0.3:22"]
        assert not any("scan" in one for one in found)

    def test_a_scan_or_now_is_needed_and_not_both(self, printed: Printed) -> None:
        printed("findings", code=2)
        printed("findings", "latest", "--now", code=2)
        assert "give one of SCAN, --now and --series NAME; see: cascan findings --help" in printed.messages


class TestSelectedFindings:
    @pytest.mark.parametrize("source", ["--now", "dmz"])
    def test_the_options_select_findings_of_a_scan_and_of_now(self, source: str, printed: Printed) -> None:
        def select(*options: str) -> list[str]:
            main(["findings", source, "--json", "--category", "open port", *options])  # the scan has not ended
            return [one["location"] for one in json.loads(printed.capsys.readouterr().out)]

        assert select() == ["tcp://10.0.0.1:22", "tcp://10.0.0.1:23", "tcp://10.0.0.3:22"]
        assert select("--host", "10.0.0.2-3") == ["tcp://10.0.0.3:22"]
        assert select("--port", "tcp/23", "--severity", "Informational") == ["tcp://10.0.0.1:23"]
        assert select("--text", "PORT 23") == ["tcp://10.0.0.1:23"]
        assert select("--host", "db.example") == select("--service", "gopher") == select("--severity", "accepted") == []

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--severity", "worst", "--severity worst: must be one of high, medium"),
            ("--host", "10.0.0.0/99", "--host 10.0.0.0/99"),
            ("--port", "http", "--port http: must be a port number"),
        ],
    )
    def test_an_invalid_option_is_named(self, option: str, value: str, message: str, printed: Printed) -> None:
        printed("findings", "--now", option, value, code=2)
        assert message in printed.messages


class TestHistoryDelete:
    def test_addresses_are_removed_and_others_stay(self, printed: Printed) -> None:
        printed("history", "delete", "10.0.0.1")
        assert "inventory, scans and reports stay" in printed.messages
        assert printed("when", "10.0.0.1:22") == []
        assert printed("when", "10.0.0.2:22")
        printed("history", "delete", "10.0.0.1")
        assert "has nothing of these addresses" in printed.messages


class TestArguments:
    def test_a_date_means_its_end_in_its_zone(self) -> None:
        end = datetime(2026, 3, 4, tzinfo=UTC)
        microsecond = timedelta(microseconds=1)
        assert parse_moment("2026-03-03") == end - microsecond
        assert parse_moment("2026-03-03", parse_zone("Europe/Berlin")) == end - timedelta(hours=1) - microsecond
        # Clocks go forward in this night: the day has 23 hours
        assert (
            parse_moment("2026-03-29", parse_zone("Europe/Berlin"))
            == datetime(2026, 3, 29, 22, tzinfo=UTC) - microsecond
        )

    def test_a_time_means_itself(self) -> None:
        noon = datetime(2026, 3, 3, 12, tzinfo=UTC)
        assert parse_moment("2026-03-03T12:00") == parse_moment("2026-03-03T13:00+01:00") == noon

    @pytest.mark.parametrize("written", ["12:00:05Z", "12:00:05.400Z", "12:00:05.400123Z"])
    def test_a_time_of_a_look_that_was_copied_from_a_table_or_from_json_includes_the_look(self, written: str) -> None:
        looked_at = datetime(2026, 3, 3, 12, 0, 5, 400_123, tzinfo=UTC)
        moment = parse_look_moment(f"2026-03-03T{written}")
        assert looked_at <= moment < looked_at.replace(microsecond=0) + timedelta(seconds=1)
        assert parse_look_moment("2026-03-03") == parse_moment("2026-03-03")

    @pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9999-12-31", "", "2026-3-3"])
    def test_what_is_no_time_is_refused(self, text: str) -> None:
        with pytest.raises(BadInput, match="--since"):
            parse_moment(text, name="--since")

    def test_durations_and_zones(self) -> None:
        assert (parse_duration("36h", "--stale"), parse_duration("2w", "--stale")) == (
            timedelta(hours=36),
            timedelta(days=14),
        )
        with pytest.raises(BadInput, match="--stale '1y'"):
            parse_duration("1y", "--stale")
        for name in ("Mars/Olympus", "../etc/passwd"):
            with pytest.raises(BadInput, match="--tz"):
                parse_zone(name)

    def test_ports_of_hosts(self) -> None:
        assert parse_endpoint("10.0.0.5:22") == ("10.0.0.5", ("tcp", 22))
        assert parse_endpoint("10.0.0.5:53/udp") == ("10.0.0.5", ("udp", 53))
        assert parse_endpoint("[2001:DB8::5]:443") == ("2001:db8::5", ("tcp", 443))
        assert parse_endpoint("2001:db8::5") == ("2001:db8::5", None)
        for text in ("db.example", "10.0.0.5:70000", "10.0.0.5:x", "10.0.0.0/24", ""):
            with pytest.raises(BadInput):
                parse_endpoint(text)
