"""Reports folded into the inventory: what is told, once, whatever dies and whoever else writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cascan.errors import GatewayUnavailable
from cascan.events import HostChange, PortChange, ScanCompleted
from cascan.ids import derive_scan_id
from cascan.limits import MAX_CHANGE_EVENTS_PER_REPORT
from cascan.model.inventory import HostRecord, Sighting
from on_report_stored import inventory_updater, record_report
from on_report_stored.record_report import HOSTS_AT_ONCE
from tests.support.scanned_network import Breaking, World, at, words, xml


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class TestWhatIsTold:
    def test_a_first_scan_announces_nothing_one_by_one_and_counts_it_all(self, world: World) -> None:
        assert world.scan(0, xml({"10.0.0.1": (22, 80)})) == []
        assert world.summed.changes.baseline == {"HostAppeared": 1, "PortOpened": 2}
        assert len(list(world.table.changes(derive_scan_id("scan at 0"), 0))) == 3

    def test_a_second_scan_announces_what_changed_with_both_sightings(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}))
        told = world.scan(1, xml({"10.0.0.1": (22, 23), "10.0.0.3": (22,)}))
        assert told == [
            "PortOpened 10.0.0.1:23",
            "PortClosed 10.0.0.1:80",
            "HostGone 10.0.0.2",
            "HostAppeared 10.0.0.3",
            "PortOpened 10.0.0.3:22",
        ]
        opened = world.bus.events[2]
        assert isinstance(opened, PortChange)
        assert opened.before == Sighting(state="closed", seen_at=at(0), scan_id=derive_scan_id("scan at 0"))
        assert (opened.after.state, opened.after.seen_at, opened.after.service) == ("open", at(1), "ssh")
        completed = world.bus.events[-1]
        assert isinstance(completed, ScanCompleted)
        assert completed.changes == {"PortOpened": 2, "PortClosed": 1, "HostGone": 1, "HostAppeared": 1}

    def test_vantages_do_not_disturb_each_other(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), vantage="inside")
        assert world.scan(1, xml({"10.0.0.1": (22,)}), vantage="outside") == []
        assert world.summed.vantage == "outside"
        assert world.summed.changes.baseline == {"HostAppeared": 1, "PortOpened": 1}
        told = world.scan(2, xml({"10.0.0.1": (22, 80), "10.0.0.3": ()}), vantage="outside")
        assert told == ["PortOpened 10.0.0.1:80", "HostAppeared 10.0.0.3"]
        assert world.scan(3, xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)}), vantage="inside") == []

        assert list(world.table.history_vantages()) == ["inside", "outside"]
        assert not world.table.hosts_by_address
        assert {name: set(hosts) for name, hosts in world.table.hosts_by_vantage.items() if hosts} == {
            "inside": {"10.0.0.1", "10.0.0.2"},
            "outside": {"10.0.0.1", "10.0.0.3"},
        }

    def test_a_scan_of_other_ports_or_addresses_closes_nothing(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,), "10.0.0.9": (22,)}, total=16), target="10.0.0.0/28", count=16)
        assert world.scan(1, xml({"10.0.0.1": ()}, asked="443")) == []
        assert [port.port for port in world.table.hosts_by_address["10.0.0.1"].open_ports] == [22]

    def test_a_scan_without_ports_tells_of_hosts_alone(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
        assert world.scan(1, xml({"10.0.0.1": ()}, asked="")) == ["HostGone 10.0.0.2"]

    def test_an_excluded_address_is_not_gone(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
        assert world.scan(1, xml({}, total=7), shard={"exclude": ("10.0.0.1",)}, addresses=7) == ["HostGone 10.0.0.2"]

    @pytest.mark.parametrize(
        ("report", "run"),
        [
            (xml({}, total=7), {}),
            (xml({}, end="error"), {}),
            (xml({})[:-10], {}),
            (xml({}), {"exit_code": 1}),
            (xml({}), {"stopped": "deadline"}),
            (xml({}, up=1), {"shard": {"arguments": ("--open",)}}),
        ],
        ids=["addresses missing", "error", "cut", "exit code", "stopped", "only open"],
    )
    def test_a_host_missing_from_a_scan_that_may_have_passed_it_over_is_not_gone(
        self, world: World, report: bytes, run: dict[str, Any]
    ) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        assert world.scan(1, report, **run) == []
        assert world.table.hosts_by_address["10.0.0.1"].is_up

    def test_with_open_a_host_is_gone_once_nmap_counts_nobody_up_whom_it_does_not_list(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
        only_open = {"arguments": ("--open",)}
        assert world.scan(1, xml({"10.0.0.2": (22,)}, up=2), shard=only_open) == []
        assert world.scan(2, xml({"10.0.0.2": (22,)}, up=1), shard=only_open) == ["HostGone 10.0.0.1"]

    def test_a_host_that_an_earlier_scan_with_open_left_out_does_not_appear_later(self, world: World) -> None:
        world.scan(0, xml({}, up=8), shard={"arguments": ("--open",)})
        assert world.scan(1, xml({"10.0.0.1": (22,)})) == []

    def test_a_host_that_an_earlier_scan_only_listed_does_not_appear_later(self, world: World) -> None:
        listed = xml({f"10.0.0.{n}": () for n in range(8)}, up=0, asked="").replace(b'state="up"', b'state="unknown"')
        world.scan(0, listed)
        assert world.scan(1, xml({"10.0.0.1": (22,)})) == []

    def test_a_host_that_timed_out_is_not_gone_and_its_ports_are_not_closed(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        late = xml({"10.0.0.1": ()}).replace(b"<host>", b'<host timedout="true">')
        assert world.scan(1, late) == []

    def test_an_address_that_pn_calls_up_is_no_host_until_a_port_answers(self, world: World) -> None:
        silent = xml({"10.0.0.1": ()}, reason="user-set").replace(b'state="closed"', b'state="filtered"')
        world.scan(0, silent)
        assert world.table.hosts_by_address == {}
        assert world.scan(1, xml({"10.0.0.1": (22,)}, reason="user-set")) == [
            "HostAppeared 10.0.0.1",
            "PortOpened 10.0.0.1:22",
        ]
        assert world.scan(2, silent) == ["PortClosed 10.0.0.1:22"]

    def test_a_host_at_an_address_that_was_only_around_what_was_asked_is_a_baseline(self, world: World) -> None:
        world.scan(0, xml({}, total=4), target="10.0.0.0-3", count=4)
        assert world.scan(1, xml({"10.0.0.3": (), "10.0.0.4": ()})) == ["HostAppeared 10.0.0.3"]

    def test_a_name_is_asked_at_the_address_that_it_stood_for(self, world: World) -> None:
        def asked(hour: int, report: bytes) -> list[str]:
            resolved = {"db.example.test": ("10.0.0.1",)}
            return world.scan(hour, report, target="db.example.test", count=1, resolved=resolved)

        asked(0, xml({"10.0.0.1": (22,)}, total=1))
        assert world.table.hosts_by_address["10.0.0.1"].hostname == "db.example.test"
        assert asked(1, xml({}, total=1)) == ["HostGone 10.0.0.1"]

    def test_addresses_of_ipv6_appear_and_go_too(self, world: World) -> None:
        asked: dict[str, Any] = {"target": "2001:db8::/125", "shard": {"family": 6}}
        world.scan(0, xml({"2001:db8::1": (22,)}), **asked)
        assert world.scan(1, xml({"2001:db8::2": ()}), **asked) == ["HostGone 2001:db8::1", "HostAppeared 2001:db8::2"]

    def test_so_many_changes_are_announced_and_the_rest_are_counted_and_kept(self, world: World) -> None:
        many = tuple(range(1, MAX_CHANGE_EVENTS_PER_REPORT + 51))
        world.scan(0, xml({"10.0.0.1": ()}, asked="1-2000"))
        assert len(world.scan(1, xml({"10.0.0.1": many}, asked="1-2000"))) == MAX_CHANGE_EVENTS_PER_REPORT
        changes = world.summed.changes
        assert (changes.kinds, changes.announced) == ({"PortOpened": len(many)}, MAX_CHANGE_EVENTS_PER_REPORT)
        assert len(list(world.table.changes(derive_scan_id("scan at 1"), 0))) == len(many)

    def test_a_report_that_comes_late_announces_nothing_that_a_newer_one_covered(self, world: World) -> None:
        late = world.stored(1, xml({"10.0.0.1": (80,), "10.0.0.3": (22,)}))
        world.scan(0, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
        world.scan(2, xml({"10.0.0.1": (22,), "10.0.0.2": (22,)}))
        before = len(world.bus.events)
        world.deliver(late)
        assert words(world.bus.events[before:]) == []
        assert world.table.hosts_by_address["10.0.0.2"].is_up
        assert world.table.hosts_by_address["10.0.0.3"].open_ports == ()

    def test_a_host_element_that_stands_twice_is_judged_once(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": ()}))
        report = xml({"10.0.0.1": (22,)})
        element = report[report.index(b"<host>") : report.index(b"</host>") + 7]
        assert world.scan(1, report.replace(element, element * 2)) == ["PortOpened 10.0.0.1:22"]

    @pytest.mark.parametrize("at_once", [256, 1], ids=["near each other", "far apart"])
    def test_ports_of_a_second_element_of_a_host_are_in_the_inventory_and_announced(
        self, world: World, monkeypatch: pytest.MonkeyPatch, at_once: int
    ) -> None:
        monkeypatch.setattr(record_report, "HOSTS_AT_ONCE", at_once)
        world.scan(0, xml({"10.0.0.1": ()}))
        first, second = xml({"10.0.0.1": (22,)}), xml({"10.0.0.1": (80,)})
        element = second[second.index(b"<host>") : second.index(b"</host>") + 7]
        report = first.replace(b"</host>", b"</host>" + element)
        assert world.scan(1, report) == ["PortOpened 10.0.0.1:22", "PortOpened 10.0.0.1:80"]
        assert [port.port for port in world.table.hosts_by_address["10.0.0.1"].open_ports] == [22, 80]
        assert at_once == 1 or world.scan(2, report) == []


FIRST = xml({"10.0.0.1": (22, 80), "10.0.0.2": (22,)})
SECOND = xml({"10.0.0.1": (22, 23), "10.0.0.3": (22,)})


def test_a_delivery_that_dies_at_any_call_is_finished_by_the_next_as_if_nothing_had_been(tmp_path: Path) -> None:
    undisturbed = World(tmp_path)
    undisturbed.scan(0, FIRST)
    undisturbed.scan(1, SECOND)
    call, fired = 0, True
    while fired:
        world = World(tmp_path)
        world.scan(0, FIRST)
        key = world.stored(1, SECOND)
        with pytest.MonkeyPatch.context() as patch:
            breaking = Breaking(world, call, patch)
            with suppress(GatewayUnavailable):
                world.deliver(key)
            fired = breaking.fired
        world.deliver(key)
        world.deliver(key)
        assert world.outline() == undisturbed.outline(), f"it died before call {call}"
        call += 1
    assert call > 15


def test_a_delivery_that_dies_after_half_of_the_hosts_tells_of_both_halves(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from on_report_stored import record_report  # noqa: PLC0415 (its constant is what is small here)

    monkeypatch.setattr(record_report, "HOSTS_AT_ONCE", 1)
    world.scan(0, xml({f"10.0.0.{number}": () for number in range(1, 5)}))
    key = world.stored(1, xml({f"10.0.0.{number}": (22,) for number in range(1, 5)}))
    save, saved = world.table.save_hosts, Counter[str]()

    def dies_at_the_third(*args: Any, **options: Any) -> list[str]:
        saved["calls"] += 1
        if saved["calls"] == 3:
            raise GatewayUnavailable("it died")
        return save(*args, **options)

    monkeypatch.setattr(world.table, "save_hosts", dies_at_the_third)
    with pytest.raises(GatewayUnavailable):
        world.deliver(key)
    before = len(world.bus.events)
    world.deliver(key)
    assert words(world.bus.events[before:]) == [f"PortOpened 10.0.0.{number}:22" for number in range(1, 5)]


class TestTogether:
    """Another report of the same address is recorded between our reading and our writing."""

    def between(self, world: World, monkeypatch: pytest.MonkeyPatch, key: str, times: int = 1) -> None:
        known_hosts, left = world.table.known_hosts, [times]

        def and_then(addresses: Iterable[str], **options: Any) -> dict[str, HostRecord]:
            known = known_hosts(addresses, **options)
            if left[0]:
                left[0] -= 1
                world.deliver(key)
            return known

        monkeypatch.setattr(world.table, "known_hosts", and_then)

    def test_no_change_is_lost_or_told_twice(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        ours, theirs = world.stored(1, xml({"10.0.0.1": (22, 80)})), world.stored(2, xml({"10.0.0.1": (80,)}))
        self.between(world, monkeypatch, theirs)
        world.deliver(ours)
        assert sorted(words(world.bus.events)) == ["PortClosed 10.0.0.1:22", "PortOpened 10.0.0.1:80"]
        record = world.table.hosts_by_address["10.0.0.1"]
        assert [(port.port, port.first_seen) for port in record.open_ports] == [(80, at(1))]

    def test_the_same_report_twice_at_once_is_told_under_the_same_ids(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        key = world.stored(1, xml({"10.0.0.1": (80,)}))
        self.between(world, monkeypatch, key)
        world.deliver(key)
        told = {event.event_id for event in world.bus.events if isinstance(event, HostChange)}
        assert len(told) == 2
        assert world.table.scans[derive_scan_id("scan at 1")].changes == {"PortOpened": 1, "PortClosed": 1}

    def test_an_address_that_others_keep_changing_returns_the_report_to_its_queue(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = world.stored(1, xml({"10.0.0.1": (22,)}))
        monkeypatch.setattr(world.table, "save_hosts", lambda _, updates, **__: [u.record.address for u in updates])
        monkeypatch.setattr(inventory_updater, "MAX_CONFLICTS", 3)
        with pytest.raises(GatewayUnavailable, match="kept changing"):
            world.deliver(key)


def test_a_shard_of_thousands_of_hosts_is_read_and_written_by_the_batch(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [f"10.0.{number // 256}.{number % 256}" for number in range(4_096)]
    calls: Counter[str] = Counter()
    for name in ("known_hosts", "save_hosts", "asked", "known_addresses", "note_asked"):
        method = getattr(world.table, name)

        def counted(*args: Any, name: str = name, method: Any = method, **options: Any) -> Any:
            calls[name] += 1
            return method(*args, **options)

        monkeypatch.setattr(world.table, name, counted)
    report = xml(dict.fromkeys(addresses, (22, 80)), total=4_096)
    batches = -(-4_096 // HOSTS_AT_ONCE) + 2  # it is also written where the report can be read on
    world.scan(0, report, target="10.0.0.0/20", count=4_096)
    assert calls == {"known_hosts": batches, "save_hosts": batches, "asked": 1}
    calls.clear()
    world.scan(1, report, target="10.0.0.0/20", count=4_096)
    assert calls == {"known_hosts": batches, "save_hosts": batches}


class TestLooks:
    """What a report leaves in the history."""

    def test_each_host_leaves_a_look_and_the_others_were_not_up(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}))
        (look,) = world.table.looks_until(["10.0.0.1"], at(9))
        assert (look.is_up, look.seen_at, [group.ports for group in look.open_ports]) == (True, at(0), ["22"])
        assert [look.is_up for look in world.table.looks_until(["10.0.0.2"], at(9))] == [False]
        assert list(world.table.looks_until(["10.0.0.8"], at(9))) == []  # outside the network

    def test_a_quarantined_host_leaves_none(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,), "10.9.9.9": (22,)}))
        assert list(world.table.looks_until(["10.9.9.9"], at(9))) == []

    def test_a_report_that_is_cut_short_says_nothing_of_the_hosts_that_it_does_not_have(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}).partition(b"<runstats>")[0])
        assert list(world.table.looks_until(["10.0.0.2"], at(9))) == []
        assert list(world.table.looks_until(["10.0.0.1"], at(9)))

    def test_excluded_addresses_were_not_looked_at(self, world: World) -> None:
        world.scan(0, xml({"10.0.0.1": (22,)}), shard={"exclude": ("10.0.0.4",)})
        assert list(world.table.looks_until(["10.0.0.4"], at(9))) == []
        assert list(world.table.looks_until(["10.0.0.5"], at(9)))

    def test_the_place_of_a_host_is_that_of_its_element(self, world: World) -> None:
        report = xml({"10.0.0.1": (22,), "10.0.0.2": (80,)})
        world.scan(0, report)
        for address in ("10.0.0.1", "10.0.0.2"):
            (look,) = world.table.looks_until([address], at(9))
            element = report[look.offset : look.offset + look.length]
            assert element.startswith(b"<host>")
            assert element.endswith(b"</host>")
            assert element.count(address.encode()) == element.count(b"</host>") == 1

    def test_the_host_tells_the_time_of_looking_also_to_the_inventory(self, world: World) -> None:
        ended = f'<host endtime="{at(1).timestamp() - 600:.0f}"'.encode()
        world.scan(1, xml({"10.0.0.1": (22,)}).replace(b"<host>", ended + b">"))
        (look,) = world.table.looks_until(["10.0.0.1"], at(9))
        record = world.table.hosts_by_address["10.0.0.1"]
        assert look.seen_at == record.latest.seen_at == record.ports[0].first_seen == at(1) - timedelta(minutes=10)

    @pytest.mark.parametrize("first_run", range(8))  # the ids of the two scans are in either order
    @pytest.mark.parametrize("is_late", [False, True])
    def test_of_two_scans_within_one_second_the_second_counts(
        self, world: World, first_run: int, is_late: bool
    ) -> None:
        """nmap writes the same second as the end of the host for both."""
        second = at(1)
        world.scan(0, xml({"10.0.0.1": (22, 80)}))
        ended = f'<host endtime="{second.timestamp():.0f}">'.encode()
        runs = []
        for number, ports in enumerate([(22, 80, 90), (22, 91)], first_run):
            began = second + timedelta(milliseconds=100 * number)
            until = began + timedelta(milliseconds=50)
            report = xml({"10.0.0.1": ports}).replace(b"<host>", ended)
            hour = (until - at(0)) / timedelta(hours=1)
            runs.append(world.stored(hour, report, started_at=began, finished_at=until))
        for run in reversed(runs) if is_late else runs:
            world.deliver(run)

        record = world.table.hosts_by_address["10.0.0.1"]
        assert [port.port for port in record.open_ports] == [22, 91]
        looks = world.table.looks_until(["10.0.0.1"], at(9))
        assert [[group.ports for group in look.open_ports] for look in looks] == [["22,91"], ["22,80,90"], ["22,80"]]
        closed = {change for change in words(world.bus.events) if change.startswith("PortClosed")}
        assert closed == {"PortClosed 10.0.0.1:80"} | (set() if is_late else {"PortClosed 10.0.0.1:90"})

    def test_two_elements_of_a_host_with_times_of_their_own_keep_all_changes(self, world: World) -> None:
        """In two batches, since joined elements are one."""
        world.scan(0, xml({"10.0.0.1": (22,)}))
        first, last = (f'<host endtime="{at(1).timestamp() - seconds:.0f}">'.encode() for seconds in (600, 60))
        report = xml({"10.0.0.1": (22, 80)}).replace(b"<host>", first)
        again = xml({"10.0.0.1": (22, 90)}).replace(b"<host>", last)
        element = again[again.index(b"<host ") : again.index(b"</host>") + len(b"</host>")]
        between = element.replace(b"10.0.0.1", b"10.0.0.2") * HOSTS_AT_ONCE
        told = world.scan(1, report.replace(b"<runstats>", between + element + b"<runstats>"))
        assert "PortOpened 10.0.0.1:80" in told
        assert "PortOpened 10.0.0.1:90" in told
        assert len(list(world.table.looks_until(["10.0.0.1"], at(9), since=at(0) + timedelta(minutes=1)))) == 2
