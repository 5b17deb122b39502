"""Damaged, hostile and huge reports: as many hosts as are whole, no exception, constant memory."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cascan.errors import UnreadableReport
from cascan.findings import findings_of
from cascan.nmap import report_xml
from cascan.nmap.report import read_report
from cascan.sightings import sightings_of
from tests.data.reports import REAL, hosts, read_through, report

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 10_000


class Trickle(io.RawIOBase):
    """A stream of chunks as they come."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return next(self.chunks, b"")


def trickle(chunks: Iterator[bytes]) -> IO[bytes]:
    return Trickle(chunks)  # type: ignore[return-value]  # reading is all that is asked of it


def prefixes(data: bytes) -> Iterator[bytes]:
    """Every prefix of a small report, some of a large one; none of the whole document."""
    step = 1 + len(data) // 2_000
    return (data[:length] for length in range(0, data.rindex(b">"), step))


@pytest.mark.parametrize("name", ["hosts", "scripts", "killed", "oddities/structures", "oddities/smb"])
def test_a_report_cut_anywhere_gives_exactly_the_hosts_that_are_whole(name: str) -> None:
    data, whole = report(name), hosts(name)
    head = data.index(b">", data.index(b"<nmaprun")) + 1
    for cut in prefixes(data):
        if len(cut) < head:
            with pytest.raises(UnreadableReport):
                read_through(cut)
            continue
        found, reader = read_through(cut)
        assert found == whole[: cut.count(b"</host>")]
        assert not reader.complete
        assert reader.warnings[-1] == "The report is cut short."


def test_a_killed_run_keeps_the_hosts_that_were_finished() -> None:
    found, reader = read_through(report("killed"))
    assert len(found) == 3
    assert (reader.complete, reader.exit, reader.hosts_up) == (False, None, None)


@pytest.mark.parametrize("name", ["scripts", "arguments"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_size_of_the_chunks_changes_nothing(name: str, size: int) -> None:
    data = report(name)
    reader = read_report(trickle(data[start : start + size] for start in range(0, len(data), size)))
    assert list(reader) == hosts(name)
    assert reader.complete
    assert reader.args == read_through(data)[1].args


def test_damage_ends_the_reading_and_names_the_line() -> None:
    data = report("hosts")
    second = data.index(b"<host ", data.index(b"</host>"))
    found, reader = read_through(data[:second] + b"<host <<" + data[second:])
    assert len(found) == 1
    assert not reader.complete
    assert reader.warnings[0].startswith("The report is damaged on line ")


def test_a_report_resumed_twice_gives_its_hosts_and_is_not_complete() -> None:
    found, reader = read_through(report("oddities/resumed"))
    assert len(found) == 1
    assert not reader.complete
    assert reader.warnings == ("Something follows the end of the report, on line 11.",)


def test_a_reference_cut_off_at_the_very_end_is_damage_not_a_crash() -> None:
    _, reader = read_through(b"<nmaprun>&#x")
    assert not reader.complete


def test_a_host_element_beyond_the_byte_limit_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_xml, "MAX_HOST_XML_BYTES", 50_000)
    data = report("hosts")
    huge = data.replace(b"</host>\n<runstats>", b"<!-- " + b"x" * 300_000 + b" --></host>\n<runstats>")
    found, reader = read_through(huge)
    assert found == hosts("hosts")[:2]
    assert not reader.complete
    assert reader.warnings == ("The reading stopped at an element of more than 50000 bytes.",)


def test_many_small_hosts_do_not_add_up_to_the_byte_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_xml, "MAX_HOST_XML_BYTES", 2 * report_xml.CHUNK_BYTES)
    data = report("hosts")
    start, end = data.index(b"<host "), data.index(b"<runstats>")
    found, reader = read_through(data[:start] + data[start:end] * 300 + data[end:])
    assert (len(found), reader.complete, reader.warnings) == (900, True, ())


def test_a_host_element_beyond_the_element_limit_ends_the_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_xml, "MAX_HOST_XML_ELEMENTS", 40)
    found, reader = read_through(report("hosts").replace(b"</host>\n<runstats>", b"<a/>" * 40 + b"</host>\n<runstats>"))
    assert found == hosts("hosts")[:2]
    assert reader.warnings == ("The reading stopped inside an element of more than 40 elements.",)


@pytest.mark.parametrize("parent", [b"<hosthint>", b"<host>"])
def test_elements_nested_too_deep_end_the_reading(parent: bytes) -> None:
    found, reader = read_through(report("hosts").replace(b"<runstats>", parent + b"<table>" * 10_000))
    assert found == hosts("hosts")
    assert not reader.complete
    assert reader.warnings == ("The reading stopped at elements nested more than 64 deep.",)


def test_many_different_warnings_are_kept_up_to_a_limit() -> None:
    elements = report_xml.RootChildren(io.BytesIO(b"<nmaprun/>"), ())
    for number in range(100):
        elements.warn(f"Sentence {number % 50}.")
    assert elements.warnings == [f"Sentence {number}." for number in range(20)]


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from([*REAL, "oddities/structures", "oddities/smb", "oddities/states"]),
    edits=st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 40),
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(
                    [b"<", b">", b"&", b'"', b"&#x1;", b"</host>", b"<host>", b"<![CDATA[", b"<!--", b"\xc3"]
                ),
            ),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_no_damage_raises_anything_but_unreadable_report(name: str, edits: list[tuple[float, int, bytes]]) -> None:
    data = report(name)
    for where, removed, put in edits:
        start = int(where * len(data))
        data = data[:start] + put + data[start + removed :]
    try:
        found, reader = read_through(data)
    except UnreadableReport:
        return
    assert reader.complete or reader.warnings
    for host in found:
        msgspec.json.encode([*findings_of(host, "a" * 16, NOW), *sightings_of(host, "a" * 16, NOW)])


def test_ten_thousand_hosts_are_read_in_constant_memory() -> None:
    data = report("scripts")
    host = data[data.index(b"<host ") : data.index(b"<runstats>")]
    small = host[: host.index(b"<ports>")] + b"</host>"
    hint = b'<hosthint><status state="up"/></hosthint><taskbegin task="NSE" time="1"/>\n'

    def chunked() -> Iterator[bytes]:
        yield data[: data.index(b"<host ")]
        for _ in range(MANY // 100):
            yield (hint + small) * 99 + hint + host
        yield data[data.index(b"<runstats>") :]

    tracemalloc.start()
    try:
        reader = read_report(trickle(chunked()))
        count = sum(1 for _ in reader)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, reader.complete) == (MANY, True)
    assert peak < 3 * 1024**2
