"""Several elements of one host in one report, and several runs of a script on one port: nothing lost, nothing twice."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import msgspec
import pytest

from cascan.findings import build_findings
from cascan.findings.encoded.lines import encode_finding_lines, lines_of
from cascan.model.finding import Finding
from cascan.model.host import Host
from cascan.nmap.report import join_sections as sections
from cascan.nmap.report.join_sections import join_sections
from cascan.nmap.report.read import read_report
from tests.data.reports import REAL, hosts

AT = datetime(2026, 1, 1, tzinfo=UTC)
BANNER = '<service name="http" banner="{}"/>'


def element(number: int, *ports: str, state: str = "up") -> str:
    return (
        f'<host><status state="{state}" reason="x"/><address addr="192.0.2.{number}" addrtype="ipv4"/>'
        f"<ports>{''.join(ports)}</ports></host>"
    )


def port(number: int, inner: str = "", state: str = "open") -> str:
    return f'<port protocol="tcp" portid="{number}"><state state="{state}" reason="x"/>{inner}</port>'


def read(*elements: str) -> list[Host]:
    return list(read_report(io.BytesIO(f"<nmaprun>{''.join(elements)}</nmaprun>".encode())))


def found(host: Host) -> list[Finding]:
    return list(build_findings(host, "scan", AT))


def test_elements_of_one_host_become_one_with_every_port() -> None:
    two = [element(1, port(22)), element(2, port(1)), element(1, port(80, BANNER.format("x")))]
    first, second = join_sections(read(*two))
    assert [each.number for each in first.ports] == [22, 80]
    assert [each.number for each in second.ports] == [1]


def test_a_port_is_once_in_a_joined_host_as_what_says_most_of_it() -> None:
    (host,) = join_sections(
        read(
            element(1, port(80), port(81, state="closed"), port(82, state="filtered")),
            element(1, port(80, BANNER.format("x")), port(81), port(82, state="closed")),
        )
    )
    assert [(each.number, each.state, bool(each.service)) for each in host.ports] == [
        (80, "open", True),
        (81, "open", False),
        (82, "closed", False),
    ]


def test_two_banners_of_a_port_are_two_findings_with_ids_of_their_own() -> None:
    banners = [element(1, port(80, BANNER.format(text))) for text in ("a", "b", "a")]
    (host,) = join_sections(read(*banners))
    ports = [finding for finding in found(host) if finding.category == "Open Port"]
    assert [finding.attributes["service_details"]["banner"] for finding in ports] == ["a", "b"]
    assert len({finding.id for finding in found(host)}) == len(found(host))
    assert ports == [finding for finding in found(host) if finding.category == "Open Port"], "derived again"


def test_an_element_that_is_up_says_how_the_host_is() -> None:
    (host,) = join_sections(read(element(1, state="down"), element(1, port(22))))
    assert host.state == "up"


@pytest.mark.parametrize("name", REAL)
def test_findings_of_joined_real_reports_have_ids_of_their_own(name: str) -> None:
    ids = [finding.id for host in join_sections(hosts(name)) for finding in found(host)]
    assert len(set(ids)) == len(ids)


def test_what_is_held_of_hosts_and_elements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "MAX_JOINED_SECTIONS", 3)
    many = read(*(element(1, port(number)) for number in range(1, 8)))
    assert [len(host.ports) for host in join_sections(many)] == [3, 3, 1]
    far = read(element(1, port(1)), element(2), element(3), element(1, port(2)))
    assert [host.address for host in join_sections(far, window=2)] == [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "192.0.2.1",
    ]


def test_a_script_that_ran_twice_on_a_port_keeps_both_outputs() -> None:
    runs = '<script id="a" output="one"/><script id="a" output="two"><elem key="k">v</elem></script>'
    (host,) = read(element(1, port(80, runs)))
    attributes = found(host)[0].attributes
    assert attributes["scripts"] == {"a": "one\ntwo"}
    assert attributes["scripts_data"] == {"a": {"k": "v"}}


def test_findings_of_a_script_that_ran_twice_are_told_apart_and_equal_ones_are_one() -> None:
    title = '<script id="http-title" output="{0}"><elem key="title">{0}</elem></script>'
    twice = "".join(map(title.format, ("one", "two", "one")))
    (host,) = read(element(1, port(80, twice)))
    ids = [finding.id for finding in found(host)]
    assert len(set(ids)) == len(ids)
    texts = [msgspec.json.encode(finding) for finding in found(host)]
    assert encode_finding_lines(host, "scan", AT) == b"".join(text + b"\n" for text in texts)
    assert [line.encoded for line in lines_of(host, "scan", AT)] == texts
