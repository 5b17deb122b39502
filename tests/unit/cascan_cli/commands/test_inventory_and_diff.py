"""`cascan inventory` and `cascan diff`: what is printed of what is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cascan.ids import derive_scan_id
from cascan.model.scan import Outcome, ScanState
from cascan.model.vantage import Vantage
from cascan_cli.commands import diff, inventory
from tests.support.builders import a_request
from tests.support.command_world import Printed, open_world
from tests.support.scanned_network import World, xml

FIRST, SECOND = derive_scan_id("scan at 0"), derive_scan_id("scan at 1")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Two scans of a /29: a port closed and one opened, a host went and one came."""
    world = World(tmp_path)

    open_world(monkeypatch, world, diff, inventory)
    world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), name="lan")
    world.scan(1, xml({"10.0.0.1": (22, 23), "10.0.0.3": (22,)}), name="dmz")
    end_scans(world)
    return world


def end_scans(world: World, **fields: Any) -> None:
    """Every scan is Done and complete, or as the fields say."""
    done = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE}
    for scan_id, scan in world.table.scans.items():
        world.table.scans[scan_id] = replace(scan, **done | fields)


@pytest.fixture
def printed(world: World, capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(capsys)


def test_the_inventory_of_the_stack_names_the_other_vantages(world: World, printed: Printed) -> None:
    world.scan(1, xml({"10.0.0.1": (22,)}))
    world.table.put_vantage(Vantage(name="office", queues={}))
    printed("inventory")
    assert "others with --vantage NAME: office" in printed.messages
    printed("inventory", "--vantage", "office")
    assert "others with --vantage" not in printed.messages


LAPTOP = "52:54:00:00:00:01"
LOWER: dict[str, Any] = {"target": "10.0.0.0/30", "count": 4}
UPPER: dict[str, Any] = {"target": "10.0.0.4/30", "count": 4}


def with_mac(report: bytes, mac: str = LAPTOP) -> bytes:
    return report.replace(b"<ports>", f'<address addr="{mac}" addrtype="mac"/><ports>'.encode())


class TestHostsThatMove:
    @pytest.fixture(autouse=True)
    def moved(self, world: World) -> None:
        """Nobody has looked at the old address since the laptop was seen at the new one."""
        for hour, address, part in ((2, "10.0.0.1", LOWER), (3, "10.0.0.5", UPPER)):
            report = with_mac(xml({address: (22,)}, total=4))
            world.scan(hour, report, request=a_request(identity="mac"), **part)

    def test_a_host_is_listed_once_as_open_with_its_identity(self, printed: Printed) -> None:
        rows = printed("inventory", "--port", "22")
        assert [(row[0], row[3], row[-1]) for row in rows] == [("10.0.0.5", "open", f"mac:{LAPTOP}")]
        assert [host["address"] for host in printed.json("inventory")] == ["10.0.0.5"]
        assert printed("inventory", "--as-targets") == [["10.0.0.5:22"]]

    def test_its_old_address_is_listed_on_demand_with_the_new_one(self, printed: Printed) -> None:
        rows = printed("inventory", "10.0.0.1", "--port", "22", "--all")
        assert [row[3] for row in rows] == ["open, moved to 10.0.0.5"]
        hosts = {host["address"]: host.get("movedTo") for host in printed.json("inventory", "--all")}
        assert hosts == {"10.0.0.1": "10.0.0.5", "10.0.0.2": None, "10.0.0.3": None, "10.0.0.5": None}

    def test_an_address_that_another_host_has_now_is_listed(self, world: World, printed: Printed) -> None:
        report = with_mac(xml({"10.0.0.1": (22,)}, total=4), "52:54:00:00:00:02")
        world.scan(4, report, request=a_request(identity="mac"), **LOWER)
        assert [row[0] for row in printed("inventory", "--port", "22")] == ["10.0.0.1", "10.0.0.5"]

    def test_an_identity_at_several_addresses_hides_none_of_them(self, world: World, printed: Printed) -> None:
        """Two interfaces with one MAC address, and later a scan of one of them alone."""
        both = with_mac(xml({"10.0.0.1": (22,), "10.0.0.5": (22,)}))
        world.scan(4, both, request=a_request(identity="mac"))
        world.scan(5, with_mac(xml({"10.0.0.5": (22,)}, total=4)), request=a_request(identity="mac"), **UPPER)
        assert [row[0] for row in printed("inventory", "--port", "22")] == ["10.0.0.1", "10.0.0.5"]


def test_without_identities_there_is_no_column_of_them(printed: Printed) -> None:
    assert {len(row) for row in printed("inventory")} == {9}


def test_the_inventory_of_a_vantage_is_asked_for_by_name(world: World, printed: Printed) -> None:
    world.scan(2, xml({"10.0.0.1": (443,)}), vantage="office")
    assert [row[:3] for row in printed("inventory", "--vantage", "office")] == [["10.0.0.1", "", "tcp/443"]]
    assert "tcp/443" not in {row[2] for row in printed("inventory")}
    assert printed("inventory", "--vantage", "attic") == []
    assert "the inventory of vantage attic has nothing that matches" in printed.messages


def test_the_changes_of_a_scan_are_those_of_its_members(world: World, printed: Printed) -> None:
    scan = replace(world.table.scans[SECOND], scan_id="p" * 16, members=(SECOND,), shards=1)
    world.table.create_scan(scan)
    assert printed("diff", scan.scan_id) == printed("diff", SECOND) != []


NO_ANSWER = {"changes": {}, "shards_open": 0}


class TestNothingCompared:
    """No data is not the same as no change."""

    @pytest.fixture(autouse=True)
    def no_changes(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(world.table, "changes", lambda *_: [])

    @pytest.mark.parametrize(
        ("fields", "code", "why"),
        [
            (
                {"shards": 0, "state": ScanState.ERRORED, "error_description": "no target"},
                2,
                "the request was refused: no target",
            ),
            (
                {"state": ScanState.ERRORED, "shard_outcomes": {"failed": 1}, "error_description": "nmap died"},
                3,
                "the scan is Errored, and none of its shards has a result: nmap died",
            ),
            (
                {"state": ScanState.CANCELLED, "shard_outcomes": {"failed": 1}},
                1,
                "the scan is Cancelled, and none of its shards has a result",
            ),
            ({"state": ScanState.SCANNING, "shards_open": 1}, 1, "none of its shards has ended yet"),
        ],
    )
    def test_a_scan_without_an_answer_says_that_nothing_was_compared(
        self, world: World, printed: Printed, fields: dict[str, Any], code: int, why: str
    ) -> None:
        end_scans(world, **NO_ANSWER | fields)
        assert printed("diff", SECOND, code=code) == []
        assert f"cannot be compared: {why}" in printed.messages
        assert "nothing changed" not in printed.messages

    def test_of_two_scans_one_without_an_answer_leaves_nothing_to_compare(self, world: World, printed: Printed) -> None:
        world.table.scans[FIRST] = replace(
            world.table.scans[FIRST], state=ScanState.ERRORED, shards=0, error_description="no target"
        )
        assert printed("diff", FIRST, SECOND, code=2) == []
        assert f"scan {FIRST} (lan) cannot be compared: the request was refused: no target" in printed.messages

    def test_a_complete_scan_without_changes_says_that_nothing_changed(self, printed: Printed) -> None:
        assert printed("diff", SECOND) == []
        assert "nothing changed" in printed.messages


class TestDiff:
    CHANGES = (
        ["PortOpened", "10.0.0.1", "", "tcp/23", "closed", "open ssh", "2026-03-01T12:00:00Z"],
        ["PortClosed", "10.0.0.1", "", "tcp/80", "open ssh", "closed", "2026-03-01T12:00:00Z"],
        ["HostGone", "10.0.0.2", "", "", "up", "not up", "2026-03-01T12:00:00Z"],
        ["HostAppeared", "10.0.0.3", "", "", "not up", "up", "2026-03-01T12:00:00Z"],
        ["PortOpened", "10.0.0.3", "", "tcp/22", "not up", "open ssh", "2026-03-01T12:00:00Z"],
    )

    @pytest.mark.parametrize("words", [(), ("latest",), ("dmz",), (SECOND,)])
    def test_of_a_scan_or_the_latest_what_differs_from_the_scans_before(
        self, printed: Printed, words: tuple[str, ...]
    ) -> None:
        assert printed("diff", *words) == list(self.CHANGES)
        assert "1 HostAppeared, 1 HostGone, 1 PortClosed, 2 PortOpened" in printed.messages

    def test_a_first_scan_has_no_changes_and_says_how_many_first_sightings(self, printed: Printed) -> None:
        assert printed("diff", "lan") == []
        assert (
            "nothing changed; 5 first observations of what no scan had covered before (--all lists them)"
            in printed.messages
        )
        assert [row[4] for row in printed("diff", "lan", "--all")] == ["never covered"] * 5

    def test_comparing_two_reports_gives_the_changes_of_the_inventory(self, printed: Printed) -> None:
        assert sorted(printed("diff", "dmz", "lan")) == sorted(self.CHANGES)

    def test_from_the_earlier_to_the_later_in_whatever_order_they_are_named(self, printed: Printed) -> None:
        assert printed("diff", "lan", "dmz") == printed("diff", "dmz", "lan")

    def test_two_scans_are_compared_whatever_came_between(self, world: World, printed: Printed) -> None:
        world.scan(2, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), name="again")
        end_scans(world)
        assert printed("diff", "again", "lan") == []

    def test_a_deleted_report_is_left_out_with_a_message(self, world: World, printed: Printed) -> None:
        del world.reports.objects[f"reports/{FIRST}/000000/1.xml"]
        assert printed("diff", "dmz", "lan") == []
        assert f"shard 0 of scan {FIRST} is left out: there is no report" in printed.messages

    def test_a_scan_against_itself_is_bad_input(self, printed: Printed) -> None:
        printed("diff", "dmz", SECOND, code=2)
        assert "are the same scan" in printed.messages

    def test_json_has_both_sightings(self, printed: Printed) -> None:
        opened = printed.json("diff")[0]
        assert (opened["kind"], opened["baseline"], opened["port"]) == ("PortOpened", False, 23)
        assert opened["before"] == {"state": "closed", "seen_at": "2026-03-01T12:00:00Z", "scan_id": FIRST}
        assert (opened["after"]["state"], opened["after"]["scan_id"]) == ("open", SECOND)
        assert len(printed.json("diff", "lan", "--all")) == 5


class TestInventory:
    def test_what_is_open_now_with_when_it_was_seen(self, printed: Printed) -> None:
        times = ["2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"]
        assert printed("inventory") == [
            ["10.0.0.1", "", "tcp/22", "open", "ssh", "", *times, SECOND],
            ["10.0.0.1", "", "tcp/23", "open", "ssh", "", times[1], times[1], SECOND],
            ["10.0.0.3", "", "tcp/22", "open", "ssh", "", times[1], times[1], SECOND],
        ]

    @pytest.mark.parametrize(
        ("words", "found"),
        [
            (("10.0.0.1",), ["10.0.0.1 tcp/22", "10.0.0.1 tcp/23"]),
            (("10.0.0.2-7",), ["10.0.0.3 tcp/22"]),
            (("10.0.0.1", "10.0.0.0/24", "--port", "23"), ["10.0.0.1 tcp/23"]),
            (("--port", "tcp/23", "--port", "80"), ["10.0.0.1 tcp/23"]),
            (
                (
                    "--port",
                    "udp/23",
                ),
                [],
            ),
            (("--service", "ssh", "10.0.0-1.3"), ["10.0.0.3 tcp/22"]),
            (("--service", "http"), []),
            (("2001:db8::/64",), []),
            (("--host", "10.0.0.1", "--host", "10.0.0.3", "--port", "22"), ["10.0.0.1 tcp/22", "10.0.0.3 tcp/22"]),
            (("--host", "db.example"), []),
            (("--text", "SS"), ["10.0.0.1 tcp/22", "10.0.0.1 tcp/23", "10.0.0.3 tcp/22"]),
            (("--text", "nginx"), []),
            (("--since", "2026-03-01T12:30Z"), ["10.0.0.1 tcp/23", "10.0.0.3 tcp/22"]),
            (("--since", "1h"), []),
        ],
    )
    def test_by_address_network_range_port_service_text_and_time(
        self, printed: Printed, words: tuple[str, ...], found: list[str]
    ) -> None:
        assert [f"{row[0]} {row[2]}" for row in printed("inventory", *words)] == found
        assert ("the inventory has nothing that matches" in printed.messages) is not bool(found)

    def test_all_shows_what_closed_and_who_is_gone(self, printed: Printed) -> None:
        rows = [(row[0], row[2], row[3]) for row in printed("inventory", "--all")]
        assert ("10.0.0.1", "tcp/80", "closed") in rows
        assert ("10.0.0.2", "tcp/22", "open, not up") in rows

    def test_a_host_without_an_open_port_has_a_line(self, world: World, printed: Printed) -> None:
        world.scan(2, xml({"10.0.0.3": ()}))
        assert [row[2:4] for row in printed("inventory", "10.0.0.3")] == [["", "up"]]

    def test_json_has_hosts_with_their_ports(self, printed: Printed) -> None:
        (host,) = printed.json("inventory", "--port", "23")
        assert (host["address"], host["state"], host["lastScan"]) == ("10.0.0.1", "up", SECOND)
        (port,) = host["ports"]
        assert (port["protocol"], port["port"], port["service"], port["firstSeen"]) == (
            "tcp",
            23,
            "ssh",
            "2026-03-01T13:00:00Z",
        )
        assert [host["state"] for host in printed.json("inventory", "--all")] == ["up", "not up", "up"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("db.example",), "the inventory is searched by address"),
            (("10.0.0.1", "--host", "db.example"), "by names or by addresses, not by both at once"),
            (("--host", "10.0.0.300"), "--host 10.0.0.300"),
            (("--since", "monday"), "--since 'monday': must be a date"),
            (("10.0.0.300",), "10.0.0.300"),
            (("--port", "99999"), "--port 99999"),
            (("--port", "ssh"), "--port ssh"),
            (("0-255.0-255.1.1",), "more than 256 intervals"),
        ],
    )
    def test_what_is_no_address_and_no_port_is_bad_input(
        self, printed: Printed, words: tuple[str, ...], said: str
    ) -> None:
        printed("inventory", *words, code=2)
        assert said in printed.messages


def test_a_host_is_listed_by_its_name_and_a_text_occurs_in_that(world: World, printed: Printed) -> None:
    hosts = world.table.hosts_by_address
    hosts["10.0.0.1"] = replace(hosts["10.0.0.1"], hostname="DB.example")
    for option in ("--host", "--text"):
        assert {row[0] for row in printed("inventory", option, "db.example")} == {"10.0.0.1"}


def test_a_port_that_closed_is_listed_by_its_number_with_all_as_it_is_by_its_address(printed: Printed) -> None:
    by_number = printed("inventory", "--port", "80", "--all")
    assert [(row[0], row[2], row[3]) for row in by_number] == [("10.0.0.1", "tcp/80", "closed")]
    assert by_number[0] in printed("inventory", "10.0.0.1", "--all")
    assert printed("inventory", "--port", "80") == []
    assert [port["port"] for host in printed.json("inventory", "--port", "80", "--all") for port in host["ports"]] == [
        80
    ]
