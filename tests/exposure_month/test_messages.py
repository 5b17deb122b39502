"""100 lossy scans and 20 changes: one thread for each change, and nothing twice, at a sink on this machine."""

from __future__ import annotations

from tests.exposure_month.messages import CHANGES, TRIALS, Count, count_messages

SEED = 1


def find_faults(count: Count) -> dict[str, int]:
    names = ("false_threads", "missing_threads", "steps_twice", "unfinished")
    return {name: number for name in names if (number := getattr(count, name))}


def test_each_change_is_one_thread_that_is_confirmed_and_resolved_once() -> None:
    count = count_messages(SEED, TRIALS["refusals"])
    assert count.refused > 0
    assert (count.threads, count.messages) == (CHANGES, 2 * CHANGES)
    assert (count.repeats, count.unknown, count.late) == (0, 0, 0)
    assert find_faults(count) == {}
    assert count.at_once >= 10  # ports that open or close are confirmed at once, unless a packet was lost


def test_nothing_is_sent_twice_although_the_sender_is_killed_between_its_steps() -> None:
    count = count_messages(SEED, TRIALS["kills, no answers"])
    assert count.kills > 0
    assert count.unknown > 0
    assert count.repeats == 0
    assert find_faults(count) == {}


def test_a_sink_that_drops_repeats_has_every_message_once() -> None:
    count = count_messages(SEED, TRIALS["the same, repeats dropped"])
    assert count.repeats > 0
    assert (count.threads, count.messages - count.repeats) == (CHANGES, 2 * CHANGES)
    assert count.unknown == 0
    assert find_faults(count) == {}
