"""The records from which a lost table is rebuilt.

They are in the bucket, under `scans/<scan id>/`, and written as the scan proceeds:

    plan.jsonl                               the scan as accepted, then its shards, one on each line
    runs/<shard, 6 digits>-<attempt>.json    a shard as this attempt reported it, and its remainder
    end.json                                 the scan as it ended
    request                                  a request that its queue gave up on, unchanged
    suspension.json                          true: it was suspended; false: it was resumed

The plan is stored before any shard runs, and the record of a run before its report.
cascan/recovery/rebuild.py reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TypeVar

import msgspec

from cascan.gateways import ReportStore
from cascan.model.scan import Scan
from cascan.model.shard import Shard
from cascan.stored import read_stored

PLAN, END, SUSPENSION, REQUEST = "plan.jsonl", "end.json", "suspension.json", "request"
T = TypeVar("T")
RUN = re.compile(r"runs/[0-9]{6}-[0-9]{1,4}\.json")


class ReportedShard(msgspec.Struct, frozen=True):
    """A shard with its run, and its remainder if it has one."""

    shard: Shard
    rest: Shard | None = None


def store_plan(reports: ReportStore, scan: Scan, shards: Iterable[Shard]) -> None:
    lines = (msgspec.json.encode(line) + b"\n" for line in _lines(scan, shards))
    reports.put_record(scan.scan_id, PLAN, lines)


def store_run(reports: ReportStore, reported: ReportedShard) -> None:
    shard = reported.shard
    name = f"runs/{shard.number:06d}-{shard.attempt}.json"
    reports.put_record(shard.scan_id, name, [msgspec.json.encode(reported)])


def store_end(reports: ReportStore, scan: Scan) -> None:
    reports.put_record(scan.scan_id, END, [msgspec.json.encode(scan)])


def store_suspension(reports: ReportStore, scan_id: str, *, suspended: bool) -> None:
    reports.put_record(scan_id, SUSPENSION, [msgspec.json.encode(suspended)])


def read_plan(reports: ReportStore, scan_id: str) -> tuple[Scan, list[Shard]] | None:
    """The scan as accepted, and its shards. None: there is no plan, as for a refused request."""
    stream = reports.open_record(scan_id, PLAN)
    if stream is None:
        return None
    with stream:
        scan_line, *shard_lines = stream.read().splitlines()
    scan = _decode(scan_line, Scan, scan_id)
    return scan, [_decode(line, Shard, scan_id) for line in shard_lines]


def read_runs(reports: ReportStore, scan_id: str) -> list[ReportedShard]:
    """The recorded runs of the scan's shards, in order of shard and attempt."""
    names = filter(RUN.fullmatch, reports.records(scan_id))
    texts = filter(None, (_read_text(reports, scan_id, name) for name in names))
    runs = [_decode(text, ReportedShard, scan_id) for text in texts]
    return sorted(runs, key=lambda run: (run.shard.number, run.shard.attempt))


def read_end(reports: ReportStore, scan_id: str) -> Scan | None:
    """The scan as it ended. None: there is no record of its end."""
    text = _read_text(reports, scan_id, END)
    return _decode(text, Scan, scan_id) if text else None


def read_suspension(reports: ReportStore, scan_id: str) -> bool | None:
    """Whether the scan was last suspended, not resumed. None: it was neither."""
    text = _read_text(reports, scan_id, SUSPENSION)
    return _decode(text, bool, scan_id) if text else None


def _decode(text: bytes, kind: type[T], scan_id: str) -> T:
    """The value in a record. Raises: UnreadableItem."""
    decode = partial(msgspec.json.decode, type=kind)
    decoded: T = read_stored(text, decode, lambda _: f"a record of scan {scan_id}")
    return decoded


def _lines(scan: Scan, shards: Iterable[Shard]) -> Iterator[Scan | Shard]:
    yield scan
    yield from shards


def _read_text(reports: ReportStore, scan_id: str, name: str) -> bytes:
    stream = reports.open_record(scan_id, name)
    if stream is None:
        return b""
    with stream:
        return stream.read()
