"""Thousands of lives of scans under a seed each: whatever is duplicated, delayed, lost or killed, the promises hold.

A seed that fails is replayed with `PYTHONPATH=functions:. python -m tests.simulation SEED -v`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.__main__ import broken
from tests.simulation.harder import WorldInTurns, WorldOfMishaps
from tests.simulation.mutations import MUTATIONS, Mutation
from tests.simulation.real_table import WorldOnDynamo, an_account
from tests.simulation.world import World

AT_ONCE = 100


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Workers warn of every mishap, and there are thousands."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.soak(few=1_000, many=10_000, at_once=AT_ONCE)
def test_every_promise_holds_whatever_happens(seeds: range) -> None:
    found = {seed: problems for seed in seeds if (problems := broken(seed)[0])}
    assert found == {}


@pytest.mark.parametrize("kind", [WorldInTurns, WorldOfMishaps])
@pytest.mark.soak(few=300, many=3_000, at_once=AT_ONCE)
def test_every_promise_holds_in_a_harder_world(kind: type[World], seeds: range) -> None:
    found = {seed: problems for seed in seeds if (problems := broken(seed, kind)[0])}
    assert found == {}


@pytest.mark.soak(few=4, many=300, at_once=2)
def test_every_promise_holds_over_the_conditions_of_the_real_table(seeds: range) -> None:
    found = {}
    for seed in seeds:
        with an_account():
            if problems := broken(seed, WorldOnDynamo)[0]:
                found[seed] = problems
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
