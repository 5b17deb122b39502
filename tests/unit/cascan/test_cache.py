"""A memory keeps what fits, and what was sighted is known until there are too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cascan.cache import BoundedCache, RecentHashes


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 15)), max_size=60))
def test_a_memory_never_holds_more_than_its_bound(kept: list[tuple[int, int]]) -> None:
    memory: BoundedCache[int, int] = BoundedCache(10)
    for key, weight in kept:
        assert memory.keep(key, weight, weight) == weight
        assert sum(memory.values()) <= memory.weight <= 10


def test_what_is_kept_is_found_until_the_memory_is_full() -> None:
    memory: BoundedCache[str, str] = BoundedCache(10)
    memory.keep("a", "A", 6)
    memory.keep("b", "B", 4)
    assert memory == {"a": "A", "b": "B"}
    memory.keep("c", "C", 1)
    assert memory == {"c": "C"}


def test_what_is_too_heavy_is_not_kept_and_crowds_out_nothing() -> None:
    memory: BoundedCache[str, str] = BoundedCache(10)
    memory.keep("a", "A", 6)
    assert memory.keep("b", "B", 11) == "B"
    assert memory == {"a": "A"}


def test_what_came_before_is_known_the_second_time() -> None:
    sighted = RecentHashes(10)
    assert [sighted.was_seen(mark) for mark in (1, 2, 1, 1, 3)] == [False, False, True, True, False]


@given(st.lists(st.integers(), max_size=60))
def test_no_more_is_sighted_than_the_bound_says(marks: list[int]) -> None:
    sighted = RecentHashes(5)
    for mark in marks:
        sighted.was_seen(mark)
        assert mark in sighted
        assert len(sighted) <= 5
