"""Reasons are counted in full, listed up to a limit, and summed over shards however often a shard is closed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cascan.events import ScanCompleted
from cascan.gateways import ScanGateways
from cascan.limits import MAX_LISTED_REASONS, MAX_SENTENCE_CHARS
from cascan.model.reason import Reason, ReasonCode, Reasons, merge_reasons
from cascan.model.scan import Outcome, Scan, combine_outcomes
from cascan.model.shard import ShardClosing, ShardState
from cascan.scans.close import close_shard
from tests.fakes import MemoryEventBus, MemoryScanTable, MemoryShardQueues
from tests.support.builders import SCAN_ID, a_scan, a_shard, a_table, clock

DOCUMENT = (Path(__file__).parents[4] / "docs" / "outcomes.md").read_text()
EMPTY = Reasons.of([Reason.of(ReasonCode.NO_HOST_UP, "shard 0", "no host was up")])


def no_name(name: str) -> Reason:
    return Reason.of(ReasonCode.NAME_NOT_FOUND, name, f"{name}: no such name")


def closing(outcome: Outcome, reasons: Reasons, **fields: object) -> ShardClosing:
    return ShardClosing(state=ShardState.RECORDED, outcome=outcome, reasons=reasons, **fields)  # type: ignore[arg-type]


def close_all(*closings: ShardClosing) -> tuple[Scan, MemoryScanTable, MemoryEventBus]:
    """The scan, once its shards were closed so, each of them twice."""
    count = len(closings)
    table = a_table(a_scan(shards=count, shards_open=count), *(a_shard(number=n) for n in range(count)))
    bus = MemoryEventBus()
    for number, ending in enumerate(closings):
        for _ in range(2):
            close_shard(SCAN_ID, number, ending, ScanGateways(table, MemoryShardQueues(), bus, clock))
    return table.scans[SCAN_ID], table, bus


def test_a_scan_has_the_reasons_of_all_its_shards_once_each_with_its_shard() -> None:
    one, two = Reasons.of([no_name("a.test")]), Reasons.of([no_name("b.test")], {"host-timed-out": 2})
    scan, _, bus = close_all(closing(Outcome.UNRESOLVED, one), closing(Outcome.UNRESOLVED, two))
    assert scan.reasons.counts == {"name-not-found": 2, "host-timed-out": 2}
    assert [(reason.subject, reason.shard) for reason in scan.reasons.listed] == [("a.test", 0), ("b.test", 1)]
    (event,) = bus.events
    assert isinstance(event, ScanCompleted)
    assert event.reasons == scan.reasons


def test_more_reasons_than_are_listed_are_counted() -> None:
    many = Reasons.of(no_name(f"{number}.test") for number in range(MAX_LISTED_REASONS + 1))
    assert (many.count, len(many.listed)) == (MAX_LISTED_REASONS + 1, MAX_LISTED_REASONS)
    both = merge_reasons([many, many])
    assert (both.count, len(both.listed)) == (2 * MAX_LISTED_REASONS + 2, MAX_LISTED_REASONS)


def test_a_shard_that_nobody_gave_reasons_has_its_error_for_one() -> None:
    failed = ShardClosing(state=ShardState.FAILED, outcome=Outcome.FAILED, error_description="out of attempts")
    late = ShardClosing(state=ShardState.FAILED, outcome=Outcome.TIMED_OUT, error_description="the deadline passed")
    gone = ShardClosing(state=ShardState.CANCELLED, outcome=Outcome.FAILED, error_description="cancelled by soc")
    scan, _, _ = close_all(closing(Outcome.COMPLETE, Reasons()), failed, late, gone)
    assert scan.outcome is Outcome.PARTIAL
    assert [(reason.code, reason.subject, reason.sentence) for reason in scan.reasons.listed] == [
        ("shard-given-up", "shard 1", "out of attempts"),
        ("scan-deadline", "shard 2", "the deadline passed"),
        ("cancelled", "shard 3", "cancelled by soc"),
    ]


@pytest.mark.parametrize("other", [Outcome.COMPLETE, Outcome.UNRESOLVED])
def test_an_empty_corner_of_a_network_is_no_reason_unless_it_is_the_only_one(other: Outcome) -> None:
    reasons = Reasons.of([no_name("a.test")]) if other is Outcome.UNRESOLVED else Reasons()
    scan, _, _ = close_all(closing(Outcome.NOTHING_ANSWERED, EMPTY), closing(other, reasons))
    assert "no-host-up" not in scan.reasons.counts
    alone, _, _ = close_all(closing(Outcome.NOTHING_ANSWERED, EMPTY), closing(Outcome.NOTHING_ANSWERED, EMPTY))
    assert (alone.outcome, alone.reasons.counts) == (Outcome.NOTHING_ANSWERED, {"no-host-up": 2})


def test_a_name_without_an_answer_makes_a_scan_partial_and_alone_unresolved() -> None:
    failed = Reasons(counts={"lookup-failed": 1})
    beside = {"complete": 1, "unresolved": 1}
    assert combine_outcomes(beside, failed) is Outcome.PARTIAL
    assert combine_outcomes({"unresolved": 2}, failed) is Outcome.UNRESOLVED
    assert combine_outcomes(beside, Reasons(counts={"name-not-found": 1})) is Outcome.UNRESOLVED


def test_what_a_host_says_is_one_line_of_bounded_length() -> None:
    reason = Reason.of(ReasonCode.NMAP_ERROR, "a\nb", "\x1b[31m" + "x" * 10_000 + "\r\n")
    assert (reason.subject, len(reason.sentence)) == ("a b", MAX_SENTENCE_CHARS)
    assert reason.sentence.isprintable()


def test_every_outcome_and_every_code_is_explained() -> None:
    explained = set(re.findall(r"`([a-z-]+)`", DOCUMENT))
    assert {*Outcome, *ReasonCode} - explained == set()
