"""What a look says of a host: real reports, and what they cannot show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.looks import build_look, find_look_time, find_service, find_state, list_shared_ports
from cascan.limits import MAX_COVERAGE_CHARS, MAX_SERVICE_CHARS, MAX_SERVICES_PER_LOOK
from cascan.model.history import HOST_NOT_UP, Look
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.report import ScanInfo
from tests.data.reports import read_through, report

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCE = ReportKey(derive_scan_id("a scan"), 0, 1)
ADDRESS = (Address("192.0.2.1", "ipv4"),)


def scanned(*infos: tuple[str, str, str]) -> ScannedPorts:
    return ScannedPorts.from_scaninfo(ScanInfo(type=kind, protocol=on, services=ports) for kind, on, ports in infos)


TCP = scanned(("syn", "tcp", "1-100"))


def look_at(*ports: Port, extra: tuple[ExtraPorts, ...] = (), by: ScannedPorts = TCP, **fields: object) -> Look:
    host = Host(**{"state": "up", "addresses": ADDRESS, "ports": ports, "extraports": extra} | fields)  # type: ignore[arg-type]
    look = build_look(host, by, SOURCE, NOW)
    assert look
    return look


def a_port(number: int, state: str = "open", protocol: str = "tcp", **service: object) -> Port:
    seen = Service(**service) if service else None  # type: ignore[arg-type]
    return Port(protocol=protocol, number=number, state=state, service=seen)


def extra(state: str, count: int, ports: str = "", protocol: str = "tcp") -> ExtraPorts:
    return ExtraPorts(state, count, (ExtraReason("why", count, protocol, ports),))


def states(look: Look, *numbers: int, protocol: str = "tcp") -> list[str | None]:
    return [find_state(look, (protocol, number)) for number in numbers]


@pytest.mark.parametrize("name", ["connect", "udp", "versions", "ipv6", "scripts"])
def test_each_port_that_a_real_report_lists_has_its_state(name: str) -> None:
    hosts, reader = read_through(report(name))
    asked = ScannedPorts.from_scaninfo(reader.scaninfo)
    listed = 0
    for host in hosts:
        look = build_look(host, asked, SOURCE, NOW)
        assert look
        for port in host.ports:
            assert find_state(look, (port.protocol, port.number)) == port.state
            listed += 1
    assert listed


def test_scans_that_cannot_tell_open_from_closed_cover_nothing() -> None:
    hosts, reader = read_through(report("ack"))
    look = build_look(hosts[0], ScannedPorts.from_scaninfo(reader.scaninfo), SOURCE, NOW)
    assert look
    assert (look.open_ports, look.not_open) == ((), ())


class TestStates:
    def test_counted_ports_have_the_state_that_they_are_counted_under(self) -> None:
        look = look_at(a_port(22), extra=(extra("closed", 90, "1-21,23-91"), extra("filtered", 9, "92-100")))
        assert states(look, 22, 1, 91, 92, 101) == ["open", "closed", "closed", "filtered", None]

    def test_a_listed_port_has_its_own_state(self) -> None:
        look = look_at(a_port(22), a_port(25, "filtered"), extra=(extra("closed", 98),))
        assert states(look, 22, 25, 26) == ["open", "filtered", "closed"]

    def test_where_the_report_does_not_say_which_ports_it_says_neither(self) -> None:
        look = look_at(a_port(22), extra=(extra("closed", 50), extra("filtered", 49)))
        assert states(look, 22, 23) == ["open", "closed|filtered"]

    def test_with_open_alone_the_other_ports_were_not_open(self) -> None:
        assert states(look_at(a_port(22)), 22, 23) == ["open", "closed|filtered"]

    def test_protocols_have_states_of_their_own(self) -> None:
        both = scanned(("syn", "tcp", "1-100"), ("udp", "udp", "53,123"))
        reasons = (ExtraReason("no-response", 1, "udp", "123"),)
        look = look_at(
            a_port(53, protocol="udp"),
            extra=(extra("closed", 100, "1-100"), ExtraPorts("open|filtered", 1, reasons)),
            by=both,
        )
        assert states(look, 53, 123, 22, protocol="udp") == ["open", "open|filtered", None]
        assert states(look, 53) == ["closed"]

    def test_a_host_that_timed_out_covers_what_its_report_lists(self) -> None:
        look = look_at(a_port(22), a_port(25, "closed"), timed_out=True)
        assert states(look, 22, 25, 26) == ["open", "closed", None]

    def test_a_host_that_was_not_up_covers_every_port(self) -> None:
        assert states(look_at(state="down"), 1, 60_000) == [HOST_NOT_UP, HOST_NOT_UP]

    def test_a_list_scan_and_a_host_without_an_address_leave_no_look(self) -> None:
        for host in (Host(state="unknown", addresses=ADDRESS), Host(state="up", addresses=())):
            assert build_look(host, TCP, SOURCE, NOW) is None

    def test_what_is_too_long_is_not_covered(self) -> None:
        everything = scanned(("syn", "tcp", "1-65535"))
        odd = ",".join(str(port) for port in range(1, 65_536, 2))
        look = look_at(extra=(extra("closed", 32_768, odd), extra("filtered", 32_767)), by=everything)
        assert states(look, 1, 2) == ["closed", "filtered"]
        assert states(look, 65_533) == [None]
        texts = [text for group in look.not_open for text in (group.ports, *group.exceptions.values())]
        assert max(map(len, texts)) <= MAX_COVERAGE_CHARS


class TestServices:
    def test_an_open_port_has_its_service(self) -> None:
        look = look_at(a_port(443, name="http", tunnel="ssl", product="nginx", cpe=("cpe:/a:nginx",), method="probed"))
        service = find_service(look, ("tcp", 443))
        assert service
        assert (service.name, service.tunnel, service.cpe, service.probed) == ("https", "ssl", ("cpe:/a:nginx",), True)
        assert find_service(look, ("tcp", 22)) is None

    def test_texts_from_the_host_are_bounded(self) -> None:
        look = look_at(a_port(22, name="s" * 500, product="p" * 500, extrainfo="e" * 500, cpe=("c" * 500, "cpe:/a:b")))
        service = find_service(look, ("tcp", 22))
        assert service
        assert len(service.name) == len(service.product) == len(service.extrainfo) == MAX_SERVICE_CHARS
        assert service.cpe == ("cpe:/a:b",)

    def test_a_tarpit_keeps_its_open_ports_and_some_of_their_services(self) -> None:
        tarpit = look_at(*(a_port(number, name=f"s{number}") for number in range(1, 3_000)))
        assert len(tarpit.open_ports) == MAX_SERVICES_PER_LOOK + 1
        assert states(tarpit, 1, 2_999) == ["open", "open"]
        assert find_service(tarpit, ("tcp", 2_999)) != find_service(tarpit, ("tcp", 1))


class TestTimeOfLooking:
    BEGAN, ENDED = NOW - timedelta(hours=1), NOW

    @pytest.mark.parametrize(
        ("minutes", "expected"),
        [(-30, -30), (-60, -60), (0, 0), (1, 0), (-61, 0), (10**6, 0)],
    )
    def test_it_is_the_hosts_own_end_if_that_lies_within_the_run(self, minutes: int, expected: int) -> None:
        host = Host(state="up", addresses=ADDRESS, finished_at=NOW + timedelta(minutes=minutes))
        assert find_look_time(host, self.BEGAN, self.ENDED) == NOW + timedelta(minutes=expected)

    def test_without_one_it_is_the_end_of_the_run(self) -> None:
        assert find_look_time(Host(state="up", addresses=ADDRESS), self.BEGAN, self.ENDED) == self.ENDED
        host = Host(state="up", addresses=ADDRESS, finished_at=NOW - timedelta(minutes=5))
        assert find_look_time(host, None, self.ENDED) == self.ENDED

    def test_it_is_not_before_the_run_of_which_nmap_writes_whole_seconds(self) -> None:
        began, ended = NOW + timedelta(milliseconds=300), NOW + timedelta(milliseconds=700)
        assert find_look_time(Host(state="up", addresses=ADDRESS, finished_at=NOW), began, ended) == began

    def test_of_two_runs_one_after_the_other_the_second_has_the_later_looks(self) -> None:
        random, ended, latest = Random(1), NOW, NOW  # noqa: S311 - no secret
        for _ in range(2_000):
            began = ended + timedelta(milliseconds=random.randint(1, 300))
            ended = began + timedelta(milliseconds=random.choice((5, 200, 1_500)))
            looked_at = [began + random.random() * (ended - began) for _ in range(3)]
            hosts = [
                Host(state="up", addresses=ADDRESS, finished_at=moment.replace(microsecond=0)) for moment in looked_at
            ]
            seen = [find_look_time(host, began, ended) for host in (*hosts, Host(state="down", addresses=ADDRESS))]
            assert latest < min(seen)
            latest = max(seen)


def test_hosts_of_a_report_share_the_list_of_ports_that_all_were_scanned_for() -> None:
    looks = [look_at(a_port(22), extra=(extra("closed", 99),)), look_at(extra=(extra("filtered", 100),))]
    assert {group.ports for look in looks for group in look.not_open} == list_shared_ports(TCP) == {"1-100"}
