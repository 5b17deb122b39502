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
from cascan.findings import build_findings
from cascan.inventory.changes import apply_observation
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.observations import observe_host
from cascan.nmap.report import item_stream as body
from cascan.nmap.report import split as cutting
from cascan.nmap.report.head import CHUNK_BYTES
from cascan.nmap.report.read import read_report
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


def test_a_damaged_host_is_left_out_and_told_and_the_others_are_read() -> None:
    data = report("hosts")
    second = data.index(b"<host ", data.index(b"</host>"))
    found, reader = read_through(data[: second + 7] + b"<<" + data[second + 7 :])
    assert found == [hosts("hosts")[0], hosts("hosts")[2]]
    assert not reader.complete
    assert reader.warnings[0].startswith("The report is damaged near byte ")
    assert reader.exit == "success"


def test_a_report_resumed_twice_gives_its_hosts_and_is_not_complete() -> None:
    found, reader = read_through(report("oddities/resumed"))
    assert len(found) == 1
    assert not reader.complete
    assert reader.warnings == ("Something follows the end of the report.",)


def test_a_report_appended_to_another_is_read_too_and_told() -> None:
    found, reader = read_through(report("hosts") + report("scripts"))
    assert found == [*hosts("hosts"), *hosts("scripts")]
    assert not reader.complete
    assert reader.warnings == ("Something follows the end of the report.",)


def test_a_report_appended_to_one_cut_inside_a_host_loses_that_host_alone() -> None:
    data = report("hosts")
    found, reader = read_through(data[: data.rindex(b"</host>") - 40] + report("scripts"))
    assert found == [*hosts("hosts")[:2], *hosts("scripts")]
    assert not reader.complete


@pytest.mark.parametrize("hidden", [b"<!-- </host> -->", b"<?hint </host> ?>", b"<!-- <port <script <host -->"])
@pytest.mark.parametrize("place", [b"<ports>", b"<times ", b"<host ", b"<port ", b"<runstats>"])
def test_markup_that_nmap_never_writes_hides_no_end_of_a_host(hidden: bytes, place: bytes) -> None:
    data = report("hosts")
    found, reader = read_through(data.replace(place, hidden + place))
    assert found == hosts("hosts")
    assert (reader.complete, reader.warnings) == (True, ())


def test_cdata_is_text_and_ends_no_host() -> None:
    data = report("oddities/structures").replace(b">first<", b"><![CDATA[</host> & <port ]]><")
    (host,), reader = read_through(data)
    assert next(s for s in host.ports[2].scripts if s.id == "keyless").data[0] == "</host> & <port "
    assert reader.complete


def test_a_comment_longer_than_a_read_is_taken_out_whole() -> None:
    data = report("hosts")
    comment = b"<!--" + b" </host> " * 50_000 + b"-->"
    found, reader = read_through(data.replace(b"<ports>", comment + b"<ports>"))
    assert found == hosts("hosts")
    assert reader.complete


def test_bytes_that_are_no_utf_8_are_read_as_latin_1_and_told() -> None:
    data = report("hosts").replace(b'name="localhost"', b'name="caf\xe9"')
    found, reader = read_through(data)
    assert found[1].hostnames[0].name == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    assert reader.complete
    assert reader.warnings == ("Bytes that are no UTF-8 were read as Latin-1.",)


def test_lines_may_end_as_on_windows() -> None:
    for name in ("hosts", "scripts", "os"):
        found, reader = read_through(report(name).replace(b"\n", b"\r\n"))
        assert found == hosts(name)
        assert (reader.complete, reader.warnings) == (True, ())


def test_a_reference_cut_off_at_the_very_end_is_damage_not_a_crash() -> None:
    _, reader = read_through(b"<nmaprun>&#x")
    assert not reader.complete


@pytest.mark.parametrize("small", [False, True])
def test_a_host_beyond_the_byte_limit_is_read_over(monkeypatch: pytest.MonkeyPatch, small: bool) -> None:
    monkeypatch.setattr(cutting, "MAX_HOST_XML_BYTES", 300_000)
    data = report("hosts")
    second = data.index(b"<hostnames>", data.index(b"</host>"))
    huge = data[:second] + b'<smurf responses="' + b"x" * 900_000 + b'"/>' + data[second:]
    found, reader = read_through(huge) if not small else read_through(huge.replace(b"x" * 900_000, b"x" * 90_000))
    assert len(found) == 2 + small
    assert found[-1] == hosts("hosts")[2]
    assert reader.complete == small
    assert any("was left out" in warning for warning in reader.warnings) != small
    assert reader.exit == "success"


def test_many_small_hosts_do_not_add_up_to_the_byte_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MAX_HOST_XML_BYTES", 2 * CHUNK_BYTES)
    data = report("hosts")
    start, end = data.index(b"<host "), data.index(b"<runstats>")
    found, reader = read_through(data[:start] + data[start:end] * 300 + data[end:])
    assert (len(found), reader.complete, reader.warnings) == (900, True, ())


def test_a_host_beyond_the_element_limit_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_HOST_XML_ELEMENTS", 400)
    found, reader = read_through(
        report("hosts").replace(b"</host>\n<runstats>", b"<a/>" * 500 + b"</host>\n<runstats>")
    )
    assert found == hosts("hosts")[:2]
    assert not reader.complete
    assert "elements was left out" in reader.warnings[0]


def test_elements_nested_too_deep_cost_their_host_alone() -> None:
    deep = b"<uptime>" * 100 + b"</uptime>" * 100
    found, reader = read_through(report("hosts").replace(b"</hostnames>", b"</hostnames>" + deep, 1))
    assert found == hosts("hosts")[1:]
    assert not reader.complete
    assert reader.warnings == ("A host with elements nested more than 64 deep was left out.",)


@pytest.mark.parametrize("parent", [b"<hosthint>", b"<host>"])
def test_elements_nested_very_deep_without_an_end_are_left_out(parent: bytes) -> None:
    found, reader = read_through(report("hosts").replace(b"<runstats>", parent + b"<table>" * 100_000))
    assert found == hosts("hosts")
    assert not reader.complete


def test_tables_of_a_script_nested_too_deep_are_left_out_and_told() -> None:
    deep = b'<table key="a">\n' * 100 + b"</table>\n" * 100
    data = report("oddities/structures").replace(b"<elem>first</elem>", deep)
    (host,), reader = read_through(data)
    assert next(script.output for script in host.ports[2].scripts if script.id == "keyless") == "text"
    assert reader.warnings == ("Tables of a script nested more than 64 deep were left out.",)


def test_many_different_warnings_are_kept_up_to_a_limit() -> None:
    damaged = b"".join(b"<host" + b"<" * number + b"</host>" for number in range(1, 50))
    _, reader = read_through(b"<nmaprun>" + damaged + b"</nmaprun>")
    assert 1 <= len(reader.warnings) <= 20


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
    asked = ScannedPorts.from_scaninfo(reader.scaninfo)
    for host in found:
        seen = observe_host(host, asked, "a" * 16, NOW)
        known = apply_observation(None, seen) if seen else None
        msgspec.json.encode([*build_findings(host, "a" * 16, NOW), known])


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
