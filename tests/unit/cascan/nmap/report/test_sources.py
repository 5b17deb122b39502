"""The XML of what was read, as the merge and `cascan read --as xml` copy it: whole, well-formed, with all it had."""

from __future__ import annotations

import io
from xml.etree.ElementTree import XML

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.model.host import Host
from cascan.nmap.report.read import ReportReader, read_report
from tests.data.reports import REAL, WHOLE, report
from tests.unit.cascan.nmap.report.test_damage import trickle

HOST = b'<host><status state="up" reason="x" reason_ttl="0"/><address addr="10.0.0.%d" addrtype="ipv4"/></host>'


def read(data: bytes, size: int | None = None) -> tuple[list[str], ReportReader]:
    """The XML of everything that the report holds, read in chunks of that size."""
    chunks = (data[start : start + size] for start in range(0, len(data), size)) if size else None
    reader = read_report(trickle(chunks) if chunks else io.BytesIO(data))
    return [reader.source.strip() for _ in reader.items()], reader


def a_report(*parts: bytes) -> bytes:
    return (
        b'<?xml version="1.0"?>\n<!DOCTYPE nmaprun>\n<nmaprun version="7.93">' + b"\n".join(parts) + b"\n</nmaprun>\n"
    )


@pytest.mark.parametrize("name", WHOLE)
def test_a_host_of_a_real_report_is_given_byte_for_byte(name: str) -> None:
    data = report(name)
    reader = read_report(io.BytesIO(data))
    for item in reader.items():
        assert not isinstance(item, Host) or reader.source in data.decode()


@pytest.mark.parametrize("name", WHOLE)
def test_every_element_of_a_real_report_is_given(name: str) -> None:
    data = report(name)
    sources, reader = read(data)
    assert reader.complete
    assert [XML(source).tag for source in sources] == [element.tag for element in XML(without_control(data))]


def without_control(data: bytes) -> bytes:
    return data.replace(b"&#x1;", b"&#xfffd;")


@pytest.mark.parametrize("name", ["hosts", "scripts"])
def test_of_a_report_cut_anywhere_exactly_the_elements_that_are_whole_are_given(name: str) -> None:
    data = report(name)
    sources = [source.encode() for source in read(data)[0] if source.encode() in data]
    ends = [data.index(source) + len(source) for source in sources]
    begin = data.index(b">", data.index(b"<nmaprun")) + 1
    for cut in range(begin, len(data) - 12, 7):
        found, reader = read(data[:cut])
        assert not reader.complete
        assert [source for source in found if source.encode() in data] == [
            source.decode() for source, end in zip(sources, ends, strict=True) if end <= cut
        ], cut


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("name", [*REAL, "oddities/structures"])
def test_the_size_of_the_chunks_changes_nothing(name: str, size: int) -> None:
    data = report(name)
    if size > 1 or len(data) < 20_000:
        assert read(data, size)[0] == read(data)[0]


@pytest.mark.parametrize(
    "damage",
    [
        HOST.replace(b"</host>", b"<oops></host>"),
        HOST.replace(b"10.0", b"&entity;"),
        HOST[:50] + HOST,
        b"</oops>",
        b"<host " + b"<" * 1_000 + b">",
        HOST.replace(b"</host>", b"<oops>" * 100 + b"</oops>" * 100 + b"</host>"),
    ],
    ids=["a tag", "an entity", "an end is missing", "between hosts", "no XML", "too deep"],
)
def test_hosts_behind_damage_are_read(damage: bytes) -> None:
    sources, reader = read(a_report(HOST % 1, damage.replace(b"%d", b"2"), HOST % 3, HOST % 4, b"<runstats/>"))
    assert sources[0] == (HOST % 1).decode()
    assert sources[-2:] == [(HOST % 4).decode(), "<runstats/>"]
    assert not reader.complete


def test_what_looks_like_an_end_and_is_none_is_read_over() -> None:
    host = b"<host comment=\"a > b\"><x y='&lt;/host>'/>%b</host>"
    data = a_report(b"<!-- <host> -->", host % b"<!-- </host> --><![CDATA[</host>]]>", HOST % 1)
    sources, reader = read(data)
    assert sources == [(host % b"&lt;/host&gt;").decode(), (HOST % 1).decode()]
    assert reader.complete


def test_nothing_has_to_stand_between_two_elements() -> None:
    children = ["<host/>", "<host></host>", '<target status="/&gt;"/>', "<target></target>", "<runstats />"]
    sources, reader = read(f"<nmaprun>{''.join(children)}</nmaprun>".encode())
    assert [XML(source).tag for source in sources] == ["host", "host", "target", "target", "runstats"]
    assert reader.complete


def test_a_host_without_content_is_a_host() -> None:
    assert len(list(read_report(io.BytesIO(a_report(b"<host/>", HOST % 1, b"<host starttime='1'/>"))))) == 3


def test_attributes_that_nmap_does_not_know_and_empty_ones_stay_in_the_xml() -> None:
    host = b'<host new="1"><status state="up" reason=""/><address addr="10.0.0.1" vendor=""/></host>'
    target = b'<target specification="" new="2"/>'
    assert read(a_report(target, host))[0] == [target.decode(), host.decode()]


@pytest.mark.parametrize("byte", [b"\xe9", b"\xe9M", b"\xc3\xa9", b"&#xc3;&#xa9;", b"\xe9\xe2\x82\xac"])
def test_a_byte_means_the_same_whatever_stands_in_other_hosts(byte: bytes) -> None:
    host = HOST.replace(b'reason="x"', b'reason="caf%b"' % byte)
    alone = list(read_report(io.BytesIO(a_report(host % 1))))
    for other in (b"plain", b"\xff", "\N{EURO SIGN} Ã©".encode()):
        beside = HOST.replace(b'reason="x"', b'reason="%b"' % other) % 2
        assert list(read_report(io.BytesIO(a_report(beside, host % 1, beside))))[1] == alone[0]


@settings(deadline=None)
@given(
    name=st.sampled_from(REAL),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8)), min_size=1, max_size=4),
)
def test_whatever_is_given_of_damaged_bytes_is_well_formed_and_reads_the_same(
    name: str, edits: list[tuple[float, int, bytes]]
) -> None:
    data = bytearray(report(name))
    begin = data.index(b">", data.index(b"<nmaprun")) + 1
    for place, length, put in edits:
        at = begin + int(place * (len(data) - begin))
        data[at : at + length] = put
    reader = read_report(io.BytesIO(bytes(data)))
    found = [(item, reader.source) for item in reader.items()]
    for item, source in found:
        again = read_report(io.BytesIO(b"<nmaprun>" + source.encode() + b"</nmaprun>"))
        assert list(again.items()) == [item]
