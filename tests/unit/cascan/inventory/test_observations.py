"""What the inventory is told of a host, and which ports its scan covered: real reports, and what they cannot show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.observations import observe_absence, observe_host
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.inventory import Observation, PortCoverage, Sighting, Unlisted
from cascan.model.report import ScanInfo
from cascan.nmap.ports.port_set import parse_port_set
from tests.data.reports import hosts, read_through, report

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCAN = "a" * 16
ADDRESS = (Address("192.0.2.1", "ipv4"),)


def seen(name: str, names: dict[str, str] | None = None, at: datetime = NOW) -> list[Observation]:
    found, reader = read_through(report(name))
    asked = ScannedPorts.from_scaninfo(reader.scaninfo)
    return [one for host in found if (one := observe_host(host, asked, SCAN, at, names))]


def asked(*infos: tuple[str, str, str]) -> ScannedPorts:
    return ScannedPorts.from_scaninfo(ScanInfo(type=kind, protocol=on, services=ports) for kind, on, ports in infos)


TCP = asked(("connect", "tcp", "1-100"))
UDP = asked(("udp", "udp", "1-100"))


def a_host(
    *ports: tuple[int, str], extra: tuple[ExtraPorts, ...] = (), protocol: str = "tcp", **fields: object
) -> Host:
    listed = tuple(Port(protocol=protocol, number=number, state=state) for number, state in ports)
    plain: dict[str, object] = {"state": "up", "addresses": ADDRESS, "reason": "echo-reply"}
    return Host(ports=listed, extraports=extra, **plain | fields)  # type: ignore[arg-type]  # fields by name


def extra(state: str, ports: str, protocol: str = "tcp") -> ExtraPorts:
    return ExtraPorts(state, 1, (ExtraReason("why", 1, protocol, ports),))


def covered(host: Host, by: ScannedPorts) -> str:
    """Ports by protocol; a question mark behind those that were looked at and gave no answer."""
    coverages = by.build_coverage(host, NOW, SCAN)
    return " ".join(f"{one.protocol}:{one.ports}{'' if one.is_conclusive else '?'}" for one in coverages)


class TestRealReports:
    def test_a_connect_scan_covers_each_port_that_it_asked(self) -> None:
        (host,) = hosts("connect")
        (one,) = seen("connect")
        assert one.up is True
        (coverage,) = one.coverage
        assert {port.number for port in host.ports} == {
            number for number in range(65_536) if number in parse_port_set(coverage.ports)
        }
        states = {sighting.state for sighting in one.ports.values()}
        assert states == {"open", "closed", "filtered"}

    def test_a_sighting_says_what_was_seen_and_that_it_was_asked_for(self) -> None:
        (one,) = seen("versions")
        probed = [sighting for sighting in one.ports.values() if sighting.probed]
        assert probed
        assert all(sighting.service and sighting.seen_at == NOW and sighting.scan_id == SCAN for sighting in probed)

    def test_ports_that_are_only_counted_are_covered(self) -> None:
        for one in seen("hosts"):
            (coverage,) = one.coverage
            assert parse_port_set("1-50") <= parse_port_set(coverage.ports)
            assert coverage.common

    def test_a_udp_port_that_gave_no_answer_was_looked_at_and_is_not_known_to_be_closed(self) -> None:
        (host,) = hosts("udp")
        (one,) = seen("udp")
        silent = {port.number for port in host.ports if port.state == "open|filtered"}
        assert silent
        assert silent.isdisjoint(number for _, number in one.ports)
        holding = [(n, layer) for n in silent for layer in one.coverage if n in parse_port_set(layer.ports)]
        assert {number: layer.is_conclusive for number, layer in holding} == dict.fromkeys(silent, False)

    def test_an_ack_scan_covers_no_port(self) -> None:
        (one,) = seen("ack")
        assert (one.up, one.ports, one.coverage) == (True, {}, ())

    def test_a_ping_scan_says_that_a_host_is_up_and_nothing_of_ports(self) -> None:
        (one,) = seen("ping")
        assert (one.up, one.ports, one.coverage) == (True, {}, ())

    def test_a_list_scan_says_nothing_at_all(self) -> None:
        assert {(one.up, one.coverage) for one in seen("list")} == {(None, ())}

    def test_a_host_that_is_down_is_not_up(self) -> None:
        assert {one.up for one in seen("down")} == {False}

    def test_a_host_that_timed_out_is_up_and_its_ports_are_not_covered(self) -> None:
        (one,) = seen("host-timeout")
        assert (one.up, one.ports, one.coverage) == (True, {}, ())

    def test_the_name_of_the_request_is_the_name_of_the_host(self) -> None:
        assert {one.hostname for one in seen("oddities/smb", {"192.0.2.11": "asked.example"})} == {
            "files.example",
            "asked.example",
        }

    def test_a_udp_port_that_opens_after_silence_is_announced(self) -> None:
        (silent,), (opened,) = seen("oddities/udp-silent"), seen("oddities/udp-open", at=NOW + timedelta(days=1))
        known, _ = apply_observation(None, silent)
        _, (change,) = apply_observation(known, opened)
        assert (change.kind, change.port, change.before and change.before.state) == ("PortOpened", 53, "open|filtered")


class TestCovered:
    @pytest.mark.parametrize("kind", ["ack", "window", "fin", "null", "xmas", "maimon", "bounce", "sctpcookieecho", ""])
    def test_scans_whose_closed_ports_tell_nothing_cover_nothing(self, kind: str) -> None:
        assert covered(a_host((22, "closed")), asked((kind, "tcp", "1-100"))) == ""

    def test_an_open_port_of_a_window_scan_is_a_guess_and_that_of_an_idle_scan_is_none(self) -> None:
        window = observe_host(a_host((22, "open")), asked(("window", "tcp", "22")), SCAN, NOW)
        idle = observe_host(a_host((22, "open"), (23, "closed|filtered")), asked(), SCAN, NOW)
        assert window is not None
        assert idle is not None
        assert (window.ports, list(idle.ports)) == ({}, [("tcp", 22)])

    def test_ports_excluded_from_the_scan_are_not_in_what_nmap_lists(self) -> None:
        assert covered(a_host(), asked(("syn", "tcp", "0,22,443"))) == "tcp:0,22,443"

    def test_each_protocol_by_itself(self) -> None:
        both = asked(("syn", "tcp", "22"), ("udp", "udp", "53"))
        assert covered(a_host(), both) == "tcp:22 udp:53"

    def test_ports_without_an_answer_stand_apart(self) -> None:
        host = a_host(
            (7, "open|filtered"), (9, "closed"), protocol="udp", extra=(extra("open|filtered", "20-99", "udp"),)
        )
        assert covered(host, UDP) == "udp:1-6,8-19,100 udp:7,20-99?"

    def test_where_nmap_does_not_say_which_ports_gave_no_answer_only_those_it_names_are_known(self) -> None:
        unnamed = ExtraPorts("open|filtered", 90)
        host = a_host((7, "open|filtered"), (9, "closed"), (53, "open"), protocol="udp", extra=(unnamed,))
        assert covered(host, UDP) == "udp:9,53 udp:1-8,10-52,54-100?"
        assert covered(a_host(extra=(unnamed, extra("closed", "20-30", "udp"))), UDP) == "udp:20-30 udp:1-19,31-100?"

    def test_what_is_unclear_of_one_protocol_is_covered_of_another(self) -> None:
        both = asked(("syn", "tcp", "22"), ("udp", "udp", "53"))
        assert covered(a_host(extra=(extra("open|filtered", "53", "udp"),)), both) == "tcp:22 udp:53?"

    @pytest.mark.parametrize(
        ("states", "state"),
        [(("closed",), "closed"), (("filtered",), "filtered"), (("closed", "filtered"), "closed|filtered")],
    )
    def test_the_state_of_the_rest_is_said_where_they_share_one(self, states: tuple[str, ...], state: str) -> None:
        host = a_host((22, "open"), extra=tuple(extra(one, "1-9") for one in states))
        (coverage,) = TCP.build_coverage(host, NOW, SCAN)
        assert coverage == PortCoverage(
            protocol="tcp", ports="1-100", seen_at=NOW, scan_id=SCAN, state=state, common=True
        )

    def test_counted_ports_are_told_with_their_state_for_who_looks_one_up(self) -> None:
        one = observe_host(a_host(extra=(extra("filtered", "1-9"), extra("unfiltered", "20"))), TCP, SCAN, NOW)
        assert one is not None
        assert one.unlisted == (Unlisted("tcp", "1-9", "filtered"),)


class TestUp:
    @pytest.mark.parametrize(
        ("ports", "groups", "up"),
        [
            ([], (), None),
            ([(22, "filtered")], (), None),
            ([(22, "open")], (), True),
            ([(22, "closed")], (), True),
            ([], (extra("closed", "1-9"),), True),
            ([], (extra("filtered", "1-9"), extra("open|filtered", "10-20")), None),
        ],
    )
    def test_a_host_that_pn_calls_up_is_up_when_a_port_answers(
        self, ports: list[tuple[int, str]], groups: tuple[ExtraPorts, ...], up: bool | None
    ) -> None:
        one = observe_host(a_host(*ports, extra=groups, reason="user-set"), TCP, SCAN, NOW)
        assert one is not None
        assert one.up is up

    def test_a_host_without_an_address_that_can_be_told_is_not_seen(self) -> None:
        mac = Host(state="up", addresses=(Address("02:00:5E:00:53:0A", "mac"),))
        odd = Host(state="up", addresses=(Address("not an address", "ipv4"),))
        assert [observe_host(host, TCP, SCAN, NOW) for host in (mac, odd)] == [None, None]

    def test_an_address_has_one_spelling(self) -> None:
        one = observe_host(a_host(addresses=(Address("2001:DB8:0::1", "ipv6"),)), TCP, SCAN, NOW)
        assert one is not None
        assert one.address == "2001:db8::1"

    def test_a_missing_host_was_not_up(self) -> None:
        assert observe_absence("192.0.2.1", SCAN, NOW) == Observation(
            address="192.0.2.1", seen_at=NOW, scan_id=SCAN, up=False
        )


def test_long_names_of_services_are_cut_and_a_wrapped_one_was_not_told() -> None:
    service = Service(name="tcpwrapped", product="x" * 500, version="y" * 500, method="probed")
    port = Port(protocol="tcp", number=22, state="open", service=service)
    one = observe_host(Host(state="up", addresses=ADDRESS, ports=(port,)), TCP, SCAN, NOW)
    assert one is not None
    assert one.ports["tcp", 22] == Sighting(
        state="open", seen_at=NOW, scan_id=SCAN, service="tcpwrapped", product="x" * 80, version="y" * 80
    )


def test_an_observation_has_the_details_of_a_service() -> None:
    cpe = ("cpe:/a:igor_sysoev:nginx:1.25.3", "cpe:/" + "x" * 80, *(f"cpe:/o:linux:{n}" for n in range(6)))
    service = Service(name="http", tunnel="ssl", extrainfo="Ubuntu", cpe=cpe, method="probed")
    port = Port(protocol="tcp", number=443, state="open", service=service)
    one = observe_host(Host(state="up", addresses=ADDRESS, ports=(port,)), TCP, SCAN, NOW)
    assert one is not None
    seen = one.ports["tcp", 443]
    assert (seen.tunnel, seen.extrainfo) == ("ssl", "Ubuntu")
    assert seen.cpe == (cpe[0], *cpe[2:5])  # one that is too long is left out, and four are kept
