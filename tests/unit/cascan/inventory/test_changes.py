"""What is a change, and what is none: one address at a time, judged against what is known of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.inventory.changes import apply_observation
from cascan.limits import MAX_COVERAGES
from cascan.model.inventory import (
    Change,
    HostRecord,
    Observation,
    PortCoverage,
    PortKey,
    PortRecord,
    Sighting,
    Unlisted,
)

ADDRESS = "10.0.0.5"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SSH = {"service": "ssh", "product": "OpenSSH", "version": "9.2p1", "probed": True}


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def sighting(hour: int, state: str, **fields: Any) -> Sighting:
    return Sighting(state=state, seen_at=at(hour), scan_id=f"scan {hour}", **fields)


def scan(
    hour: int,
    *opened: int | tuple[int, dict[str, Any]],
    asked: str = "1-100",
    up: bool | None = True,
    protocol: str = "tcp",
    state: str = "closed",
    listed: dict[int, str] | None = None,
    **fields: Any,
) -> Observation:
    """What the scan of that hour saw: these ports open, the others it asked for in `state`."""
    ports: dict[PortKey, Sighting] = {}
    for one in opened:
        number, service = one if isinstance(one, tuple) else (one, {})
        ports[protocol, number] = sighting(hour, "open", **service)
    for number, other in (listed or {}).items():
        ports[protocol, number] = sighting(hour, other)
    covered = PortCoverage(protocol=protocol, ports=asked, seen_at=at(hour), scan_id=f"scan {hour}", state=state)
    return Observation(
        address=ADDRESS,
        seen_at=at(hour),
        scan_id=f"scan {hour}",
        up=up,
        ports=ports,
        coverage=(covered,) if asked and up is not False else (),
        **fields,
    )


def silent(hour: int, asked: str = "1-100") -> Observation:
    """The UDP scan of that hour, to which no port answered."""
    return scan(hour, asked=asked, protocol="udp", state="open|filtered")


def gone(hour: int) -> Observation:
    return scan(hour, up=False)


def after(*observations: Observation, asked: Sighting | None = None) -> tuple[HostRecord | None, list[Change]]:
    """The record after all of them, and the changes of the last."""
    record: HostRecord | None = None
    changes: tuple[Change, ...] = ()
    for seen in observations:
        record, changes = apply_observation(record, seen, asked)
    return record, list(changes)


def news(*observations: Observation, asked: Sighting | None = None) -> list[str]:
    """The last one's changes, in words; a baseline in brackets."""
    _, changes = after(*observations, asked=asked)
    words = [f"{change.kind} {change.port}" if change.port is not None else str(change.kind) for change in changes]
    return [f"({word})" if change.is_baseline else word for word, change in zip(words, changes, strict=True)]


def port(record: HostRecord | None, number: int) -> PortRecord:
    assert record is not None
    (found,) = [one for one in record.ports if one.port == number]
    return found


class TestPorts:
    def test_a_port_that_opens_is_told_with_both_sightings(self) -> None:
        _, (change,) = after(scan(0, 22), scan(1, 22, (80, {"service": "http"})))
        assert (change.kind, change.address, change.protocol, change.port) == ("PortOpened", ADDRESS, "tcp", 80)
        assert (change.before, change.after) == (sighting(0, "closed"), sighting(1, "open", service="http"))

    def test_a_port_that_closes_is_told_with_both_sightings(self) -> None:
        _, (change,) = after(scan(0, (22, SSH)), scan(1, state="filtered"))
        assert (change.kind, change.port) == ("PortClosed", 22)
        assert (change.before, change.after) == (sighting(0, "open", **SSH), sighting(1, "filtered"))

    @pytest.mark.parametrize("state", ["closed", "filtered", "closed|filtered"])
    def test_the_sighting_of_a_closed_port_says_what_it_is_now(self, state: str) -> None:
        _, (change,) = after(scan(0, 22), scan(1, state="closed|filtered", listed={22: state}))
        assert (change.kind, change.after.state) == ("PortClosed", state)

    def test_a_closed_port_is_looked_up_among_those_that_the_report_only_counts(self) -> None:
        counted = (Unlisted("tcp", "1-50", "closed"), Unlisted("tcp", "51-100", "filtered"))
        _, changes = after(scan(0, 22, 80), scan(1, state="closed|filtered", unlisted=counted))
        assert {change.port: change.after.state for change in changes} == {22: "closed", 80: "filtered"}

    def test_what_stays_as_it_is_is_no_change(self) -> None:
        assert news(scan(0, (22, SSH)), scan(1, (22, SSH))) == []

    def test_a_port_that_was_not_asked_is_not_closed(self) -> None:
        record, changes = after(scan(0, 22), scan(1, 443, asked="443"))
        assert [change.kind for change in changes] == ["PortOpened"]
        assert port(record, 22).is_open

    def test_a_port_asked_over_another_protocol_is_not_closed(self) -> None:
        assert news(scan(0, 53), scan(1, protocol="udp")) == []

    def test_a_port_is_compared_with_the_last_scan_that_covered_it_not_the_last_scan(self) -> None:
        _, (change,) = after(scan(0), scan(1, asked="443"), scan(2, 22))
        assert change.before == sighting(0, "closed")

    def test_a_port_that_no_scan_covered_before_is_a_baseline(self) -> None:
        assert news(scan(0, 22), scan(1, 22, 8080, asked="1-9000")) == ["(PortOpened 8080)"]

    def test_all_of_a_first_scan_is_a_baseline(self) -> None:
        assert news(scan(0, 22, 80)) == ["(HostAppeared)", "(PortOpened 22)", "(PortOpened 80)"]

    def test_an_open_port_counts_even_where_the_scan_cannot_tell_the_others(self) -> None:
        assert news(scan(0, 53, asked="", protocol="udp"), scan(1, asked="53", protocol="udp")) == ["PortClosed 53"]

    def test_a_closed_port_opens_again_and_keeps_when_it_was_first_seen(self) -> None:
        record, (change,) = after(scan(0, 22), scan(1), scan(2, 22))
        assert (change.kind, change.before) == ("PortOpened", sighting(1, "closed"))
        assert (port(record, 22).first_seen, port(record, 22).last_seen) == (at(0), at(2))

    def test_when_a_port_was_last_seen_open_moves_with_each_scan_and_ends_with_the_last(self) -> None:
        assert port(after(scan(0, 22), scan(1, 22))[0], 22).last_seen == at(1)
        assert port(after(scan(0, 22), scan(1, 22), scan(2))[0], 22).last_seen == at(1)


class TestServices:
    @pytest.mark.parametrize(
        "now", [{"service": "http"}, {"product": "Dropbear sshd"}, {"version": "9.3"}], ids=lambda now: next(iter(now))
    )
    def test_another_answer_on_the_same_port_is_a_change(self, now: dict[str, str]) -> None:
        _, (change,) = after(scan(0, (22, SSH)), scan(1, (22, SSH | now)))
        assert (change.kind, change.port) == ("ServiceChanged", 22)
        assert (change.before, change.after) == (sighting(0, "open", **SSH), sighting(1, "open", **SSH | now))

    @pytest.mark.parametrize("now", [{"product": "", "version": ""}, {"version": ""}], ids=["bare", "without version"])
    def test_an_answer_that_says_less_is_no_change_and_forgets_nothing(self, now: dict[str, str]) -> None:
        record, changes = after(scan(0, (22, SSH)), scan(1, (22, SSH | now)))
        assert changes == []
        assert port(record, 22).latest == sighting(1, "open", **SSH)

    def test_a_guess_from_the_port_number_is_not_compared_with_an_answer(self) -> None:
        guess = {"service": "ms-wbt-server"}
        record, changes = after(scan(0, (22, SSH)), scan(1, (22, guess)))
        assert changes == []
        assert port(record, 22).latest == sighting(1, "open", **SSH)
        record, changes = after(scan(0, (22, guess)), scan(1, (22, SSH)))
        assert changes == []
        assert port(record, 22).latest == sighting(1, "open", **SSH)

    def test_a_version_does_not_outlive_its_product(self) -> None:
        now = {"service": "ssh", "product": "Dropbear sshd", "version": "", "probed": True}
        record, _ = after(scan(0, (22, SSH)), scan(1, (22, now)))
        assert port(record, 22).latest == sighting(1, "open", **now)


class TestHosts:
    def test_a_host_that_appears_where_a_scan_found_none_is_news_and_so_are_its_ports(self) -> None:
        before = sighting(-1, "not up")
        _, changes = after(scan(0, 22), asked=before)
        assert [change.kind for change in changes] == ["HostAppeared", "PortOpened"]
        assert {change.before for change in changes} == {before}

    def test_a_host_that_goes_and_comes_back_is_told_both_times_and_its_ports_are_not(self) -> None:
        assert news(scan(0, 22), gone(1)) == ["HostGone"]
        assert news(scan(0, 22), gone(1), scan(2, 22)) == ["HostAppeared"]

    def test_a_host_comes_back_with_other_ports(self) -> None:
        assert news(scan(0, 22), gone(1), scan(2, 80)) == ["HostAppeared", "PortOpened 80", "PortClosed 22"]

    def test_ports_of_a_host_that_is_gone_are_not_closed_and_not_open_now(self) -> None:
        record, _ = after(scan(0, 22), gone(1))
        assert record is not None
        assert port(record, 22).is_open
        assert record.open_ports == ()
        assert (record.first_seen, record.last_seen) == (at(0), at(0))

    def test_a_host_is_told_gone_once(self) -> None:
        assert news(scan(0, 22), gone(1), gone(2)) == []

    def test_a_scan_that_cannot_tell_whether_the_host_is_up_says_nothing_of_it(self) -> None:
        assert news(scan(0, 22), scan(1, up=None, state="filtered")) == ["PortClosed 22"]
        assert news(scan(0, 22), gone(1), scan(2, up=None, asked="")) == []

    def test_nothing_is_kept_of_an_address_where_nobody_ever_was(self) -> None:
        assert after(gone(0)) == (None, [])
        assert after(scan(0, up=None)) == (None, [])

    def test_a_scan_without_a_name_does_not_take_the_name_away(self) -> None:
        record, changes = after(scan(0, hostname="db.example"), scan(1, 22))
        assert record is not None
        assert (record.hostname, [change.hostname for change in changes]) == ("db.example", ["db.example"])


class TestOrder:
    def test_a_report_that_comes_again_says_nothing_and_leaves_the_same_record(self) -> None:
        for seen in (scan(1, (22, SSH), 80), scan(1, state="filtered"), gone(1)):
            record, _ = after(scan(0, 22), seen)
            again, changes = apply_observation(record, seen)
            assert again is record
            assert changes == ()

    def test_a_late_report_announces_nothing_that_a_newer_scan_covered(self) -> None:
        assert news(scan(1), scan(0, 22)) == []
        assert news(scan(1, 22), scan(0)) == []
        assert news(scan(1, (22, SSH)), scan(0, (22, SSH | {"version": "8"}))) == []
        assert news(gone_since := scan(1), gone(0)) == []
        assert news(gone_since, gone(2), scan(1, 22)) == []

    def test_a_late_report_fills_in_when_a_port_was_seen(self) -> None:
        record, _ = after(scan(2, 22), scan(1, 22))
        assert (port(record, 22).first_seen, port(record, 22).last_seen) == (at(1), at(2))
        record, _ = after(scan(2), scan(1, 22))
        assert (port(record, 22).latest.state, port(record, 22).last_seen) == ("closed", at(1))
        assert record is not None
        assert (record.first_seen, record.last_seen, record.latest) == (at(1), at(2), sighting(2, "up"))

    def test_a_late_report_is_news_where_no_newer_scan_covered_the_port(self) -> None:
        assert news(scan(0), scan(2, 443, asked="443"), scan(1, 22)) == ["PortOpened 22"]

    def test_a_late_report_of_a_host_that_a_newer_scan_did_not_find_does_not_bring_it_back(self) -> None:
        record, changes = after(scan(0, 22), asked=sighting(1, "not up"))
        assert record is not None
        assert (record.is_up, record.open_ports) == (False, ())
        assert [change for change in changes if not change.is_baseline] == []

    @pytest.mark.parametrize("order", list(permutations(range(3))), ids=str)
    def test_reports_in_any_order_leave_the_same_state(self, order: tuple[int, ...]) -> None:
        scans = (scan(0, (22, SSH), 80), scan(1, 80, 443, asked="80-443"), scan(2, (22, SSH)))
        record, _ = after(*(scans[number] for number in order))
        assert record is not None
        states = {one.port: one.latest for one in record.ports}
        assert states == {22: sighting(2, "open", **SSH), 80: sighting(2, "closed"), 443: sighting(1, "open")}
        assert (record.first_seen, record.last_seen) == (at(0), at(2))
        assert {one.port: one.first_seen for one in record.ports} == {22: at(0), 80: at(0), 443: at(1)}


class TestCoverage:
    def test_of_scans_of_the_same_ports_only_the_last_is_remembered(self) -> None:
        record, _ = after(*(scan(hour) for hour in range(5)), scan(9, asked="22"))
        assert record is not None
        assert [(layer.ports, layer.seen_at) for layer in record.coverage] == [("22", at(9)), ("1-100", at(4))]

    def test_so_many_different_sets_of_ports_are_remembered_and_the_oldest_is_forgotten(self) -> None:
        scans = [scan(hour, asked=str(hour + 1)) for hour in range(MAX_COVERAGES + 1)]
        assert news(*scans, scan(50, 2)) == ["PortOpened 2"]
        assert news(*scans, scan(50, 1)) == ["(PortOpened 1)"]


Scans = st.lists(
    st.builds(
        lambda opened, asked, up: (opened & set(range(1, asked + 1)), asked, up),
        st.sets(st.integers(1, 6)),
        st.integers(1, 6),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(Scans)
def test_the_changes_replayed_give_what_is_open(history: list[tuple[set[int], int, bool]]) -> None:
    record: HostRecord | None = None
    is_up, opened = False, set[int | None]()
    for hour, (ports, asked, up) in enumerate(history):
        seen = scan(hour, *sorted(ports), asked=f"1-{asked}") if up else gone(hour)
        record, changes = apply_observation(record, seen)
        for change in changes:
            if change.kind in ("HostAppeared", "HostGone"):
                assert is_up is (change.kind == "HostGone")
                is_up = not is_up
            else:
                assert change.port is not None
                assert (change.port in opened) is (change.kind == "PortClosed")
                opened ^= {change.port}
        expected = {one.port for one in record.ports if one.is_open} if record else set()
        assert (opened, is_up) == (expected, bool(record and record.is_up))


class TestSilence:
    """`open|filtered`: the port was looked at, and may be either."""

    def test_a_udp_port_that_opens_after_silence_is_news_and_says_what_it_was(self) -> None:
        (change,) = after(silent(0), scan(1, 53, protocol="udp"))[1]
        assert (change.kind, change.port, change.is_baseline) == ("PortOpened", 53, False)
        assert change.before == sighting(0, "open|filtered")

    def test_silence_closes_nothing_and_a_port_that_answers_again_is_no_news(self) -> None:
        opened, quiet, again = scan(0, 53, protocol="udp"), silent(1), scan(2, 53, protocol="udp")
        assert after(opened, quiet)[1] == []
        assert after(opened, quiet, again)[1] == []

    def test_a_port_that_was_closed_and_silent_before_it_opened_was_silent_last(self) -> None:
        (change,) = after(scan(0, protocol="udp"), silent(1), scan(2, 53, protocol="udp"))[1]
        assert change.before == sighting(1, "open|filtered")

    def test_a_port_that_closed_between_two_silences_opened_from_closed(self) -> None:
        (change,) = after(silent(0), scan(1, protocol="udp"), scan(2, 53, protocol="udp"))[1]
        assert change.before == sighting(1, "closed")

    def test_a_late_report_of_an_open_port_opens_it_though_a_newer_scan_met_silence(self) -> None:
        """The newer silence says nothing of whether the port was open, and hides the older look."""
        record, (change,) = after(silent(0), silent(2), scan(1, 53, protocol="udp"))
        assert change.is_baseline
        assert record is not None
        assert [port.is_open for port in record.ports] == [True]

    def test_silence_that_is_newer_than_the_first_open_report_makes_no_news_of_it(self) -> None:
        (change,) = after(silent(2), scan(1, 53, protocol="udp"))[1]
        assert change.is_baseline

    def test_a_newer_scan_that_knew_the_port_closed_is_not_forgotten_for_a_silence_after_it(self) -> None:
        assert after(scan(1, protocol="udp"), silent(2), scan(0, 53, protocol="udp"))[1] == []

    def test_silence_of_a_port_that_no_other_scan_covered_is_remembered_once(self) -> None:
        record, _ = after(*(silent(hour) for hour in range(5)))
        assert record is not None
        assert [layer.seen_at for layer in record.coverage] == [at(4)]


@settings(max_examples=200, deadline=None)
@given(Scans, st.randoms(use_true_random=False))
def test_in_whatever_order_reports_arrive_and_repeat_the_state_is_that_of_the_right_order(
    history: list[tuple[set[int], int, bool]], dice: Any
) -> None:
    scans = [scan(hour, *sorted(ports), asked=f"1-{asked}") for hour, (ports, asked, _) in enumerate(history)]
    scans += [
        scan(hour, *ports, asked=f"1-{asked}", protocol="udp", state="closed" if answers else "open|filtered")
        for hour, (ports, asked, answers) in enumerate(history)
    ]
    shuffled = scans * 2
    dice.shuffle(shuffled)
    right, _ = after(*scans)
    mixed, _ = after(*shuffled)
    assert right is not None
    assert mixed is not None
    assert mixed.ports == right.ports
    assert (mixed.latest, mixed.first_seen, mixed.last_seen) == (right.latest, right.first_seen, right.last_seen)


DETAILS = {"extrainfo": "protocol 2.0", "cpe": ("cpe:/a:openbsd:openssh:9.2p1",)}


def test_a_service_that_differs_in_details_alone_has_not_changed() -> None:
    record, changes = after(scan(0, (22, SSH)), scan(1, (22, SSH | DETAILS)))
    assert changes == []
    assert (port(record, 22).latest.extrainfo, port(record, 22).latest.cpe) == tuple(DETAILS.values())


def test_details_that_only_an_earlier_scan_saw_are_kept_for_the_same_version() -> None:
    record, _ = after(scan(0, (22, SSH | DETAILS)), scan(1, (22, SSH)))
    assert port(record, 22).latest.extrainfo == "protocol 2.0"
    record, _ = after(scan(0, (22, SSH | DETAILS)), scan(1, (22, SSH | {"version": "9.3"})))
    assert (port(record, 22).latest.version, port(record, 22).latest.extrainfo) == ("9.3", "")
