"""Thousands of lives of scans under a seed each: whatever is duplicated, delayed, lost or killed, the promises hold.

A seed that fails is replayed with `PYTHONPATH=functions:. python -m tests.simulation SEED -v`.
"""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import broken
from tests.simulation.mutations import MUTATIONS, Mutation

AT_ONCE = 100


@pytest.mark.soak(few=1_000, many=10_000, at_once=AT_ONCE)
def test_every_promise_holds_whatever_happens(seeds: range) -> None:
    found = {seed: problems for seed in seeds if (problems := broken(seed)[0])}
    assert found == {}


def test_a_seed_is_the_same_run_every_time() -> None:
    (_, once), (_, again) = broken(16), broken(16)
    assert once.clockwork.trace
    assert once.clockwork.trace == again.clockwork.trace


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_bug_is_caught_by_its_seed(mutation: Mutation) -> None:
    with mutation.applied():
        problems, _ = broken(mutation.seed, mutation.kind)
    assert problems
    assert broken(mutation.seed, mutation.kind)[0] == []
