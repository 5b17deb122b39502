"""A report as bytes: its children come out as nmap wrote them, whole or not at all."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from xml.etree.ElementTree import XML

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.nmap.report import raw as raw_reading
from cascan.nmap.report.raw import RawChild, RawReport
from tests.data.reports import REAL, WHOLE, report
from tests.unit.cascan.test_report_damage import trickle

HOST = b'<host><status state="up" reason="x" reason_ttl="0"/><address addr="10.0.0.%d" addrtype="ipv4"/></host>'


def read(data: bytes) -> tuple[list[RawChild], RawReport]:
    raw = RawReport(io.BytesIO(data))
    return list(raw), raw


def a_report(*parts: bytes) -> bytes:
    return (
        b'<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun version="7.93">' + b"\n".join(parts) + b"\n</nmaprun>\n"
    )


@pytest.mark.parametrize("name", WHOLE)
def test_every_child_of_a_real_report_comes_out_byte_for_byte(name: str) -> None:
    data = report(name)
    children, raw = read(data)
    assert raw.complete
    assert [child.name for child in children] == [element.tag for element in XML(report_without_control(data))]
    assert all(child.xml in data for child in children if child.name != "target")


def report_without_control(data: bytes) -> bytes:
    return data.replace(b"&#x1;", b"&#xfffd;")


@pytest.mark.parametrize("name", ["hosts", "scripts"])
def test_a_report_cut_anywhere_gives_exactly_the_children_that_are_whole(name: str) -> None:
    data = report(name)
    children, _ = read(data)
    ends = [data.index(child.xml) + len(child.xml) for child in children]
    ends = [max(end, *ends[: number + 1]) for number, end in enumerate(ends)]
    for cut in range(len(data) - 8):
        found, raw = read(data[:cut])
        assert not raw.complete
        assert len(found) == sum(end <= cut for end in ends), cut


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("name", [*REAL, "oddities/structures", "oddities/resumed"])
def test_the_size_of_the_chunks_changes_nothing(name: str, size: int) -> None:
    data = report(name)
    chunks = (data[start : start + size] for start in range(0, len(data), size))
    assert list(RawReport(trickle(chunks))) == read(data)[0]


@pytest.mark.parametrize(
    "damage",
    [
        HOST.replace(b"</host>", b"<oops></host>"),
        HOST.replace(b"10.0", b"&entity;"),
        HOST.replace(b"10.0", b"\xff"),
        HOST[:50] + HOST,
        b"</oops>",
        b"<host " + b"<" * 1_000 + b">",
        b"<oops>" * 100 + HOST + b"</oops>" * 100,
    ],
    ids=["a tag", "an entity", "no UTF-8", "an end is missing", "between hosts", "no XML", "too deep"],
)
def test_hosts_behind_damage_are_read(damage: bytes) -> None:
    children, raw = read(a_report(HOST % 1, damage.replace(b"%d", b"2"), HOST % 3, HOST % 4, b"<runstats/>"))
    assert children[0].xml == HOST % 1
    assert [child.xml for child in children[-2:]] == [HOST % 4, b"<runstats/>"]
    assert not raw.complete


def test_what_looks_like_an_end_and_is_none_is_read_over() -> None:
    hosts = [
        b"<host comment=\"a > b\"><x y='</host>'/><!-- </host> --><![CDATA[</host>]]></host>".replace(
            b"'</", b"'&lt;/"
        ),
        b"<host comment='a \" > b'/>",
    ]
    children, raw = read(a_report(b"<!-- <host> -->", *hosts))
    assert ([child.xml for child in children], raw.complete) == (hosts, True)


def test_nothing_has_to_stand_between_two_children() -> None:
    children = [b"<host/>", b"<host></host>", b"<target a='/>'/>", b"<target a='/'></target>", b"<runstats />"]
    found, raw = read(b"<nmaprun>" + b"".join(children) + b"</nmaprun>")
    assert ([child.xml for child in found], raw.complete) == (children, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<nse-scripts/>",
        b'<!DOCTYPE nmaprun [<!ENTITY a "b">]><nmaprun><host/></nmaprun>',
        b'<?xml version="1.0"?><other><host/></other>',
    ],
)
def test_what_is_no_report_has_no_root_and_no_children(data: bytes) -> None:
    children, raw = read(data)
    assert (children, raw.root, raw.complete) == ([], None, False)


def test_something_behind_the_end_makes_it_incomplete() -> None:
    children, raw = read(a_report(HOST % 1) + b"<runstats/>")
    assert (len(children), raw.complete) == (1, False)


def test_an_element_beyond_the_limit_is_left_out_without_being_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_reading, "MAX_HOST_XML_BYTES", 1_000_000)
    many = (b'<script id="a" output="%s"/>' % (b"x" * 1_000) for _ in range(20_000))

    def chunks() -> Iterator[bytes]:
        yield b"<nmaprun>" + HOST % 1 + b"<host>"
        yield from many
        yield b"</host>" + HOST % 2 + b"</nmaprun>"

    tracemalloc.start()
    children = list(RawReport(trickle(chunks())))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [child.xml for child in children] == [HOST % 1, HOST % 2]
    assert peak < 8_000_000


def test_a_report_of_nothing_but_damage_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_reading, "MAX_DAMAGES", 50)
    children, raw = read(a_report(b"<host>&x;</host>" * 100_000))
    assert (children, raw.complete) == ([], False)


@settings(deadline=None)
@given(
    name=st.sampled_from(REAL),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=4),
)
def test_whatever_comes_out_of_damaged_bytes_is_well_formed(name: str, edits: list[tuple[float, int, bytes]]) -> None:
    data = bytearray(report(name))
    for place, length, put in edits:
        at = int(place * len(data))
        data[at : at + length] = put
    for child in read(bytes(data))[0]:
        assert XML(child.xml).tag == child.name
