"""nmap XML: some hosts of a scan's reports, whole, as a report that nmap's own tools read."""

from __future__ import annotations

import io
import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path
from xml.etree.ElementTree import XML

import pytest
from libnmap.parser import NmapParser
from msgspec.structs import replace

from cascan.clock import utc_now
from cascan.findings.redact import shows_credentials
from cascan.findings.redact_text import REDACTED
from cascan.formats.nmap_xml import NmapXmlSelection
from cascan.model.host import Host, Script
from cascan.model.report import Head
from cascan.nmap.report.merge import MergeInput, merge_reports
from cascan.nmap.report.read import read_report
from cascan.nmap.report.write.report import render_end, render_item, render_start
from cascan.queries.finding_query import FindingQuery
from tests.data.reports import ODDITIES, REAL, SCRIPTS, report
from tests.support.varied_findings import SECRET

DTD = Path("/usr/share/nmap/nmap.dtd")
EVERYTHING = FindingQuery()
ADDRESS = "::1"
NUMBER = int(ip_address(ADDRESS))
ONE_HOST = FindingQuery(networks=((6, NUMBER, NUMBER),))
NAMES = (*REAL, *SCRIPTS)


def merge(query: FindingQuery, *reports: bytes, shows_secrets: bool = False) -> bytes:
    selection = NmapXmlSelection(query, shows_secrets=shows_secrets)
    return b"".join(merge_reports(map(MergeInput, map(io.BytesIO, reports)), editor=selection))


def read_hosts(data: bytes) -> list[Host]:
    return list(read_report(io.BytesIO(data)))


def with_secret(name: str) -> bytes:
    """The report with a brute script at the first port of every host that has ports, and before the hosts."""
    reader = read_report(io.BytesIO(report(name)))
    output = f"\n  Accounts: \n    root:{SECRET} - Valid credentials\n"
    script = Script("ssh-brute", output, {"Accounts": [{"password": SECRET, "username": "root"}]})
    items = [replace(item, ports=(replace(item.ports[0], scripts=(script,)), *item.ports[1:])) if item.ports else item
             for item in reader]  # fmt: skip
    head = Head(args=f"nmap --script ssh-brute --script-args ssh-brute.password={SECRET} 192.0.2.40", version="7.95")
    return "".join([render_start(head), *map(render_item, items), render_end()]).encode()


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_every_host_as_it_was_except_for_secrets(name: str) -> None:
    merged = read_hosts(merge(EVERYTHING, report(name)))
    assert [host.address for host in merged] == [host.address for host in read_hosts(report(name))]
    for host in merged:
        scripts = [*host.scripts, *(script for port in host.ports for script in port.scripts)]
        assert all(script.output == REDACTED for script in scripts if shows_credentials(script.id))


@pytest.mark.parametrize("name", NAMES)
def test_with_secrets_every_host_is_as_it_was(name: str) -> None:
    assert read_hosts(merge(EVERYTHING, report(name), shows_secrets=True)) == read_hosts(report(name))


def test_a_password_is_in_no_output_and_in_no_argument() -> None:
    secret = with_secret("scripts/vulns")
    assert secret.count(SECRET.encode()) > 2
    assert SECRET.encode() not in merge(EVERYTHING, secret)
    assert SECRET.encode() in merge(EVERYTHING, secret, shows_secrets=True)


def test_a_selection_of_hosts_has_these_whole_and_counts_them_alone() -> None:
    data = merge(ONE_HOST, report("scripts/vulns"), report("hosts"), report("ipv6"))
    (host,) = read_hosts(data)
    expected = next(host for host in read_hosts(report("ipv6")) if host.address == ADDRESS)
    assert host == expected
    counts = XML(data.decode()).find("runstats/hosts")
    assert counts is not None
    assert counts.attrib == {"up": "1", "down": "0", "total": "1"}


@pytest.mark.parametrize("query", [EVERYTHING, ONE_HOST, FindingQuery(networks=((4, 1, 1),))])
def test_python_libnmap_reads_what_is_selected(query: FindingQuery) -> None:
    data = merge(query, *map(report, NAMES))
    opened = NmapParser.parse_fromstring(data.decode())
    assert len(opened.hosts) == len(read_hosts(data)) == opened.hosts_total


@pytest.mark.skipif(not (DTD.exists() and shutil.which("xmllint")), reason="needs xmllint, and nmap's DTD")
@pytest.mark.parametrize("query", [EVERYTHING, ONE_HOST])
def test_what_is_selected_is_valid_by_nmaps_own_dtd(query: FindingQuery, tmp_path: Path) -> None:
    (tmp_path / "out.xml").write_bytes(merge(query, *map(report, ("scripts/vulns", "hosts", "ipv6", "os"))))
    argv = ["xmllint", "--noout", "--dtdvalid", str(DTD), str(tmp_path / "out.xml")]
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stderr == ""


@pytest.mark.parametrize("name", ODDITIES)
def test_odd_reports_are_selected_from_as_well(name: str) -> None:
    assert merge(EVERYTHING, report(name))


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"severities": frozenset({"HIGH"})}, "--severity"),
        ({"ports": frozenset({("tcp", 22)})}, "--port"),
        ({"hostnames": frozenset({"web"})}, "--host NAME"),
        ({"service": "ssh"}, "--service"),
        ({"category": "Host"}, "--category"),
        ({"text": "x"}, "--text"),
        ({"since": utc_now()}, "--since"),
        ({"new": True}, "--new"),
    ],
)
def test_a_selection_of_a_part_of_a_host_is_refused_with_its_reason(fields: dict[str, object], option: str) -> None:
    with pytest.raises(ValueError, match=f"whole hosts, as nmap reported them, so {option} cannot select"):
        NmapXmlSelection(replace(EVERYTHING, **fields))
