"""Several processes make of a report what one does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.generated_reports import generate_report as generated
from cascan.errors import ReadingProcessDied
from cascan.limits import MAX_RANGES_PER_PROCESS
from cascan.model.host import Host
from cascan.nmap.report import parallel
from cascan.nmap.report.parallel import ByteRange
from cascan.nmap.report.read import ReportReader, read_report
from tests.data.reports import report

WHOLE = b"".join(generated(120, "mixed"))
HOSTS = report("hosts")


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "RANGE_BYTES", 20_000)


@pytest.fixture
def whole_report(tmp_path: Path) -> Path:
    path = tmp_path / "report.xml"
    path.write_bytes(WHOLE)
    return path


def render(host: Host) -> bytes:
    return f"{host.address} {host.ports} {host.details}\n".encode()


def by_processes(path: Path, jobs: int, using: Callable[[Host], bytes] = render) -> tuple[bytes, ReportReader]:
    with path.open("rb") as stream:
        reader = read_report(stream)
        return b"".join(reader.render_hosts(str(path), using, jobs)), reader


def by_one(path: Path) -> tuple[bytes, ReportReader]:
    with path.open("rb") as stream:
        reader = read_report(stream)
        return b"".join(map(render, reader)), reader


def damaged() -> bytes:
    middle = WHOLE.index(b"<host ", len(WHOLE) // 2)
    return WHOLE[: middle + 6] + b"<<" + WHOLE[middle + 6 :]


def hidden() -> bytes:
    """Ends of hosts in comments, where ranges may end."""
    return WHOLE.replace(b"<times ", b"<!-- </host> -->" + b" " * 50 + b"<times ")


def with_controls() -> bytes:
    return WHOLE.replace(b'name="host-40.example"', b'name="host&#x1;"')


@pytest.mark.parametrize("jobs", [1, 2, 3])
@pytest.mark.parametrize(
    "data",
    [
        WHOLE,
        WHOLE[:-60],
        WHOLE[: len(WHOLE) // 2],
        WHOLE + HOSTS,
        damaged(),
        hidden(),
        with_controls(),
        HOSTS,
        report("list"),
        b"<nmaprun/>",
    ],
    ids=["whole", "no end", "half", "appended", "damaged", "hidden", "controls", "small", "no ports", "empty"],
)
def test_processes_give_what_one_gives(data: bytes, jobs: int, tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(data)
    (ours, reader), (theirs, oracle) = by_processes(path, jobs), by_one(path)
    assert ours == theirs
    assert (reader.complete, reader.exit, reader.hosts_up) == (oracle.complete, oracle.exit, oracle.hosts_up)
    assert reader.skipped_targets == oracle.skipped_targets
    assert [warning.split(" near ")[0] for warning in reader.warnings] == [
        warning.split(" near ")[0] for warning in oracle.warnings
    ]


def test_a_process_that_dies_is_an_error_and_no_shorter_report(whole_report: Path) -> None:
    def die(host: Host) -> bytes:
        if host.address == "10.0.0.60":
            os._exit(1)
        return render(host)

    with pytest.raises(ReadingProcessDied, match="ended unexpectedly"):
        by_processes(whole_report, 2, die)


def test_an_error_of_rendering_is_raised_here(whole_report: Path) -> None:
    def fail(host: Host) -> bytes:
        raise ValueError(host.address)

    with pytest.raises(ValueError, match=r"10\.0\.0\."):
        by_processes(whole_report, 2, fail)


def test_no_more_ranges_are_under_way_than_a_few_for_each_process(
    whole_report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed_out: list[ByteRange] = []

    def split(path: str, start: int, size: int) -> Iterator[ByteRange]:
        for part in split_range(path, start, size):
            handed_out.append(part)
            yield part

    split_range = parallel._split
    monkeypatch.setattr(parallel, "_split", split)
    monkeypatch.setattr(parallel, "RANGE_BYTES", 1_000)
    with whole_report.open("rb") as stream:
        for count, _ in enumerate(read_report(stream).render_hosts(str(whole_report), render, 2)):
            assert len(handed_out) <= count + 2 * MAX_RANGES_PER_PROCESS
    assert len(handed_out) > 50


def test_processes_end_with_a_parent_that_is_killed(whole_report: Path) -> None:
    code = (
        "import multiprocessing, sys, time; from cascan.nmap.report import parallel; parallel.RANGE_BYTES = 1_000\n"
        "ranges = parallel.render_ranges(sys.argv[1], 0, 2, lambda host: b'')\n"
        "next(ranges); pids = [child.pid for child in multiprocessing.active_children()]\n"
        "print(*pids, flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", code, str(whole_report)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    deadline = time.monotonic() + 60
    while any(is_running(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """A process that ended and waits for its parent does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_reading_may_stop_early(whole_report: Path) -> None:
    with whole_report.open("rb") as stream:
        parts = read_report(stream).render_hosts(str(whole_report), render, 2)
        assert next(parts)
        parts.close()  # type: ignore[attr-defined]  # a generator, as every iterator here
