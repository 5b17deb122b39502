"""Several reports become one that nmap's own tools take for a report of nmap."""

from __future__ import annotations

import io
import shutil
import subprocess
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from xml.etree.ElementTree import XML, Element

import pytest
from libnmap.parser import NmapParser

from cascan.nmap.report.merge import MergeInput, merge_reports
from cascan.nmap.report.read import read_report
from tests.data.reports import REAL, hosts, report
from tests.unit.cascan.nmap.report.test_damage import trickle

DTD = Path("/usr/share/nmap/nmap.dtd")
SETS = {
    "services and scripts": ("connect", "versions", "scripts"),
    "every kind of scan": ("os", "ack", "udp", "ping", "ipv6", "down", "host-timeout", "list"),
    "one cut short": ("killed", "hosts"),
    "runs that failed": ("bad-ports", "bad-script", "connect"),
    "one alone": ("hosts",),
    "command lines that XML does not carry": ("arguments", "connect"),
}


def merged(*reports: bytes, missing: int = 0, started_at: datetime | None = None) -> bytes:
    pieces = merge_reports(
        map(MergeInput, map(io.BytesIO, reports)), comment="for a test", missing=missing, started_at=started_at
    )
    return b"".join(pieces)


def merge_of(name: str) -> bytes:
    return merged(*map(report, SETS[name]))


def finished(data: bytes) -> Element:
    found = XML(data).find("runstats/finished")
    assert found is not None
    return found


def counts(data: bytes) -> dict[str, str]:
    found = XML(data).find("runstats/hosts")
    assert found is not None
    return found.attrib


@pytest.mark.parametrize("name", SETS)
@pytest.mark.skipif(
    not (DTD.exists() and shutil.which("xmllint")), reason="needs xmllint, and the DTD that nmap brings"
)
def test_a_merged_report_is_valid_by_nmaps_own_dtd(name: str, tmp_path: Path) -> None:
    (tmp_path / "merged.xml").write_bytes(merge_of(name))
    argv = ["xmllint", "--noout", "--dtdvalid", str(DTD), str(tmp_path / "merged.xml")]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", SETS)
def test_every_host_of_every_report_is_there_in_order(name: str) -> None:
    report_read = read_report(io.BytesIO(merge_of(name)))
    assert list(report_read) == [host for part in SETS[name] for host in hosts(part)]
    assert report_read.complete


@pytest.mark.parametrize("name", SETS)
def test_hosts_are_copied_byte_for_byte(name: str) -> None:
    data = merge_of(name)
    for part in SETS[name]:
        whole = report(part).split(b"</host>")[:-1]
        assert all(host[host.index(b"<host ") :] + b"</host>\n" in data for host in whole if b"<host " in host)


@pytest.mark.parametrize("name", SETS)
def test_libnmap_opens_a_merged_report(name: str) -> None:
    opened = NmapParser.parse_fromstring(merge_of(name).decode())
    assert len(opened.hosts) == sum(len(hosts(part)) for part in SETS[name])
    assert opened.hosts_total == len(opened.hosts)


@pytest.mark.skipif(not shutil.which("ndiff"), reason="needs ndiff")
def test_ndiff_finds_no_difference_between_two_merges_and_tells_them_from_a_part(tmp_path: Path) -> None:
    for name, parts in {"one": ("connect", "ipv6"), "two": ("ipv6", "connect"), "part": ("connect",)}.items():
        (tmp_path / f"{name}.xml").write_bytes(merged(*map(report, parts)))

    def ndiff(other: str) -> str:
        argv = ["ndiff", "--text", str(tmp_path / "one.xml"), str(tmp_path / f"{other}.xml")]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    assert "-::1" not in ndiff("two")
    assert "-::1" in ndiff("part")


def test_counts_are_summed_and_the_time_goes_from_the_first_start_to_the_last_end() -> None:
    parts = [report("connect"), report("down"), report("hosts")]
    ends = [int(finished(part).attrib["time"]) for part in parts]
    start = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    data = merged(*parts, started_at=start)
    assert counts(data) == {"up": "4", "down": "1", "total": "5"}
    assert finished(data).attrib["time"] == str(max(ends))
    assert finished(data).attrib["elapsed"] == str(max(ends) - int(start.timestamp()))
    assert finished(data).attrib["exit"] == "success"
    assert XML(data).attrib["start"] == str(int(start.timestamp()))
    assert XML(data).attrib["startstr"] == "Sat Nov 21 09:00:00 2026"


def test_of_a_report_without_an_end_the_whole_hosts_are_counted_and_the_end_says_so() -> None:
    data = merged(report("killed"), report("connect"))
    assert counts(data) == {"up": "4", "down": "0", "total": "4"}
    assert finished(data).attrib["exit"] == "error"
    assert finished(data).attrib["errormsg"].startswith("1 of the reports merged here are missing, cut short")


def test_a_report_that_is_missing_makes_the_end_say_so() -> None:
    assert finished(merged(report("connect"), missing=2)).attrib["errormsg"].startswith("2 of the reports")


def test_the_first_report_that_says_its_version_gives_the_command_line() -> None:
    root = XML(merged(report("bad-ports"), report("connect"), report("ack"))).attrib
    assert root["args"] == XML(report("connect")).attrib["args"]
    assert root["version"] == "7.93"


def test_scaninfo_stands_once_and_first() -> None:
    tags = [child.tag for child in XML(merged(report("connect"), report("connect"), report("ack")))]
    assert tags[:3] == ["scaninfo", "verbose", "debugging"]
    assert tags.count("scaninfo") == 1


def test_scripts_before_and_after_the_hosts_and_skipped_targets_are_kept() -> None:
    tags = [child.tag for child in XML(merged(report("oddities/structures"), report("list")))]
    assert {"prescript", "postscript", "target"} <= set(tags)


def test_what_nmaps_dtd_does_not_know_is_left_out() -> None:
    data = merged(b'<nmaprun version="1"><host/><evil/><runstats/></nmaprun>')
    assert {child.tag for child in XML(data)} == {"verbose", "debugging", "host", "runstats"}


def test_text_in_a_command_line_cannot_leave_its_attribute() -> None:
    arguments = "\"><host/>&amp;<!-- '"
    escaped = arguments.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    data = merged(f'<nmaprun version="7" args="{escaped}"></nmaprun>'.encode())
    assert XML(data).attrib["args"] == arguments
    assert XML(data).find("host") is None


def test_an_end_that_cannot_be_read_is_none() -> None:
    damaged = report("hosts").replace(b"<finished", b"<x:finished").replace(b"<runstats>", b"<runstats><y:1/>")
    assert finished(merged(damaged)).get("exit") == "error"
    assert counts(merged(damaged)) == counts(merged(report("hosts")))


@pytest.mark.parametrize("data", [b"", b"not xml", b"<nse-scripts/>"], ids=["empty", "no XML", "another document"])
def test_where_nothing_is_a_report_there_is_no_merged_one(data: bytes) -> None:
    assert merged(data, data) == b""
    assert merged() == b""


def test_streams_are_opened_one_after_the_other_and_closed() -> None:
    opened: list[IO[bytes]] = []

    def parts() -> Iterator[MergeInput]:
        for _ in range(5):
            assert all(stream.closed for stream in opened)
            opened.append(io.BytesIO(report("connect")))
            yield MergeInput(opened[-1])

    assert counts(b"".join(merge_reports(parts())))["total"] == "5"
    assert all(stream.closed for stream in opened)


def test_memory_does_not_grow_with_the_report() -> None:
    data = report("scripts")
    start, end = data.index(b"<host "), data.index(b"</host>") + len(b"</host>")

    def chunks() -> Iterator[bytes]:
        yield data[:start]
        yield from (data[start:end] for _ in range(4_000))  # 20 MB
        yield data[end:]

    tracemalloc.start()
    size = sum(map(len, merge_reports([MergeInput(trickle(chunks()))])))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 20_000_000
    assert peak < 3_000_000


def test_every_report_of_this_folder_at_once_is_one_report() -> None:
    report_read = read_report(io.BytesIO(merged(*map(report, REAL))))
    assert len(list(report_read)) == sum(len(hosts(name)) for name in REAL)
    assert report_read.complete
