"""Which reports of a scan are merged: of each shard the attempt that was recorded."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest

from cascan.ids import ReportKey
from cascan.model.shard import Shard, ShardState
from cascan.nmap.report.read import ReportReader, read_report
from cascan.scans.merged_report import MergedReport, open_merged_report
from tests.data.reports import report
from tests.fakes import MemoryReportStore
from tests.support.builders import NOW, SCAN_ID, a_run, a_scan, a_shard, a_table


def a_recorded_shard(number: int, **fields: Any) -> Shard:
    plain: dict[str, Any] = {"state": ShardState.RECORDED, "attempt": 1, "run": a_run()}
    return a_shard(number=number, **plain | fields)


def merge(shards: list[Shard], stored: dict[tuple[int, int], str]) -> MergedReport:
    """`stored`: by shard and attempt, the report that lies there."""
    reports = MemoryReportStore()
    for (shard, attempt), name in stored.items():
        reports.objects[str(ReportKey(SCAN_ID, shard, attempt))] = report(name)
    return open_merged_report(SCAN_ID, table=a_table(a_scan(shards=len(shards)), *shards), reports=reports)


def read(merged: MergedReport) -> tuple[list[str], ReportReader]:
    """Addresses of the hosts, and the reader after the last of them."""
    reader = read_report(io.BytesIO(b"".join(merged.chunks)))
    return [host.address for host in reader], reader


def test_the_shards_follow_each_other_in_order() -> None:
    merged = merge([a_recorded_shard(n) for n in range(3)], {(2, 1): "ipv6", (0, 1): "ipv6", (1, 1): "connect"})
    addresses, reader = read(merged)
    assert addresses == ["::1", "127.0.0.1", "::1"]
    assert (merged.reports, reader.exit, reader.hosts_total) == (3, "success", 3)


def test_of_several_attempts_the_recorded_one_alone_is_merged() -> None:
    stored = {(0, attempt): "connect" for attempt in (1, 3, 10)} | {(0, 2): "ipv6"}
    assert read(merge([a_recorded_shard(0, attempt=2)], stored))[0] == ["::1"]


def test_an_earlier_attempt_counts_where_the_last_wrote_none() -> None:
    assert read(merge([a_recorded_shard(0, attempt=3)], {(0, 1): "ipv6", (0, 4): "connect"}))[0] == ["::1"]


def test_a_shard_without_a_report_makes_the_end_say_so() -> None:
    merged = merge([a_recorded_shard(0), a_recorded_shard(1, state=ShardState.FAILED, run=None)], {(0, 1): "connect"})
    addresses, reader = read(merged)
    assert (len(addresses), reader.exit) == (1, "error")
    assert reader.errormsg.startswith("1 of the reports")


def test_a_shard_that_had_nothing_to_ask_is_no_flaw() -> None:
    idle = a_recorded_shard(1, run=a_run(exit_code=None))
    assert read(merge([a_recorded_shard(0), idle], {(0, 1): "connect", (1, 1): "list"}))[1].exit == "success"


def test_the_scan_began_when_its_first_shard_did() -> None:
    late, early = (a_run(started_at=NOW + timedelta(minutes=minute)) for minute in (9, -9))
    shards = [a_recorded_shard(0, run=late), a_recorded_shard(1, run=early)]
    assert read(merge(shards, {(0, 1): "connect", (1, 1): "connect"}))[1].started_at == NOW - timedelta(minutes=9)


def a_cut_shard(**fields: Any) -> Shard:
    """Its one host is another shard's by now."""
    return a_recorded_shard(0, slices=(), remainder=1, run=a_run(asked_again=1), **fields)


def test_a_host_that_timed_out_and_was_asked_again_stands_once_as_it_was_seen_last() -> None:
    stored = {(0, 1): "host-timeout", (1, 1): "connect"}
    merged = b"".join(merge([a_cut_shard(), a_recorded_shard(1, remainder_of=0)], stored).chunks)
    reader = read_report(io.BytesIO(merged))
    (host,) = reader
    assert (host.address, host.timed_out, bool(host.ports)) == ("127.0.0.1", False, True)
    assert (reader.hosts_total, b'<hosts up="1" down="0" total="1"/>' in merged) == (1, True)


def test_the_last_word_on_a_host_may_be_the_remainders_own_remainder() -> None:
    stored = {(0, 1): "host-timeout", (1, 1): "list", (2, 1): "connect"}
    shards = [a_cut_shard(), a_recorded_shard(1, slices=(), remainder=2), a_recorded_shard(2)]
    addresses, reader = read(merge(shards, stored))
    assert addresses.count("127.0.0.1") == 1
    assert reader.complete


@pytest.mark.parametrize(
    "later", [{}, {(1, 1): "ipv6"}, {(1, 1): "bad-ports"}], ids=["no report", "not in it", "no host"]
)
def test_a_host_that_timed_out_is_kept_where_no_later_report_has_it(later: dict[tuple[int, int], str]) -> None:
    merged = merge([a_cut_shard(), a_recorded_shard(1, remainder_of=0)], {(0, 1): "host-timeout", **later})
    assert "127.0.0.1" in read(merged)[0]


def test_a_host_that_the_shard_kept_is_never_left_out() -> None:
    shards = [a_recorded_shard(0, remainder=1, run=a_run(cut=True)), a_recorded_shard(1, slices=())]
    assert read(merge(shards, {(0, 1): "connect", (1, 1): "connect"}))[0] == ["127.0.0.1", "127.0.0.1"]


def test_a_scan_without_reports_has_no_merged_one() -> None:
    assert list(merge([a_recorded_shard(0)], {}).chunks) == []


def test_scaninfo_is_left_out_where_shards_asked_different_ports() -> None:
    stored = {(0, 1): "connect", (1, 1): "connect"}
    for ports, is_kept in ((("22", "22"), True), (("22", "80"), False)):
        shards = [a_recorded_shard(number, arguments=("-p", value)) for number, value in enumerate(ports)]
        addresses, reader = read(merge(shards, stored))
        assert (len(addresses), bool(reader.scaninfo)) == (2, is_kept)
