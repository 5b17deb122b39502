"""What a report says of how far nmap is while nmap writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cascan.model.shard import Progress
from on_shard_queued import progress
from on_shard_queued.progress import ReportTail
from tests.data.reports import report

KILLED = report("killed")
HALFWAY = b'<taskprogress task="NSE" time="1795254294" percent="66.25" remaining="2" etc="1795254296"/>\n'


@pytest.mark.parametrize("chunk_bytes", [7, 64, 1_000_000])
def test_hosts_are_counted_once_wherever_a_look_falls(
    tmp_path: Path, chunk_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "CHUNK_BYTES", chunk_bytes)
    path = tmp_path / "report.xml"
    tail = ReportTail(path)
    assert tail.look() == Progress()
    looked = []
    for stop in range(0, len(KILLED), 97):
        path.write_bytes(KILLED[:stop])
        looked.append(tail.look().hosts_done)
    path.write_bytes(KILLED + HALFWAY)
    assert tail.look() == Progress(task="NSE", percent=66, hosts_done=3, hosts_up=3, open_ports=3, addresses_done=3)
    assert looked == sorted(looked)
    assert tail.look() == Progress(task="NSE", percent=66, hosts_done=3, hosts_up=3, open_ports=3, addresses_done=3)


def test_a_task_begins_at_nothing_and_ends_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b'<taskbegin task="Ping Scan" time="1"/>')
    assert ReportTail(path).look() == Progress(task="Ping Scan", percent=0)
    path.write_bytes(b'<taskend task="Ping Scan" time="2" extrainfo="3 total hosts"/>')
    assert ReportTail(path).look() == Progress(task="Ping Scan", percent=100)


@pytest.mark.parametrize(
    "odd", [b"", b"\x00" * 99, b"<taskprogress", b'<taskprogress task="a" percent="999999"/>', b"</hos"]
)
def test_bytes_that_say_nothing_are_no_progress(tmp_path: Path, odd: bytes) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(odd)
    assert ReportTail(path).look().percent <= 100
    assert ReportTail(path).look().hosts_done == 0


def a_host(address: str, *states: str, up: bool = True, end: str = "</host>") -> bytes:
    ports = "".join(f'<port portid="1"><state state="{state}" reason="x"/></port>' for state in states)
    status = f'<status state="{"up" if up else "down"}" reason="x"/>'
    return f'<host>{status}\n<address addr="{address}" addrtype="ipv4"/>\n{ports}{end}\n'.encode()


ADDRESSES = [f"10.0.0.{number}" for number in range(100)]


def look_at(path: Path, *elements: bytes, arguments: Sequence[str] = ()) -> Progress:
    path.write_bytes(b"".join(elements))
    return ReportTail(path, ADDRESSES, arguments).look()


def test_of_finished_hosts_those_that_are_up_and_their_open_ports_are_counted(tmp_path: Path) -> None:
    finished = a_host("10.0.0.3", "open", "closed", "open|filtered", "open")
    down = a_host("10.0.0.5", up=False)
    unfinished = a_host("10.0.0.6", "open", "open", end="")
    assert look_at(tmp_path / "report", finished, down, unfinished) == Progress(
        hosts_done=2, hosts_up=1, open_ports=2, addresses_done=4
    )


def test_a_hint_at_a_host_that_nmap_begins_with_counts_nothing(tmp_path: Path) -> None:
    hint = a_host("10.0.0.9", "open", end="</hosthint>")
    assert look_at(tmp_path / "report", hint, a_host("10.0.0.3", up=False)) == Progress(hosts_done=1, addresses_done=1)


def test_addresses_that_did_not_answer_are_done_once_a_later_host_is(tmp_path: Path) -> None:
    assert look_at(tmp_path / "report", a_host("10.0.0.41")).addresses_done == 42
    assert look_at(tmp_path / "report", a_host("10.0.0.41"), a_host("10.0.0.7")).addresses_done == 42
    assert look_at(tmp_path / "report", a_host("192.0.2.1")).addresses_done == 1  # none of ours


def test_in_random_order_only_finished_hosts_are_done(tmp_path: Path) -> None:
    done = look_at(tmp_path / "report", a_host("10.0.0.41"), arguments=["--randomize-hosts"]).addresses_done
    assert done == 1


def test_the_text_of_a_host_is_no_element(tmp_path: Path) -> None:
    text = b'<script id="x" output="&lt;/host&gt;&lt;state state=&quot;open&quot;"/>'
    assert look_at(tmp_path / "report", text) == Progress()
