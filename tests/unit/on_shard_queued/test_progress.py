"""What a report says of how far nmap is while nmap writes it."""

from __future__ import annotations

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
    assert tail.look() == Progress(task="NSE", percent=66, hosts_done=3)
    assert looked == sorted(looked)
    assert tail.look() == Progress(task="NSE", percent=66, hosts_done=3)


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
