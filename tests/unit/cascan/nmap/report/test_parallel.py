"""Several processes make of a report what one does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.generated_reports import generate_report as generated
from cascan.model.host import Host
from cascan.nmap.report.parallel import read as parallel
from cascan.nmap.report.read import ReportReader, read_report
from tests.data.reports import report

WHOLE = b"".join(generated(120, "mixed"))
HOSTS = report("hosts")


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "RANGE_BYTES", 20_000)


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


def test_the_end_of_a_process_costs_nothing_but_time(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(WHOLE)
    parent = os.getpid()

    def dying(host: Host) -> bytes:
        if os.getpid() != parent and host.address == "10.0.0.60":
            os._exit(1)
        return render(host)

    assert by_processes(path, 2, dying)[0] == by_one(path)[0]


def test_reading_may_stop_early(tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(WHOLE)
    with path.open("rb") as stream:
        parts = read_report(stream).render_hosts(str(path), render, 2)
        assert next(parts)
        parts.close()  # type: ignore[attr-defined]  # a generator, as every iterator here
