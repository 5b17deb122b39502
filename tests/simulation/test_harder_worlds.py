"""Lives of scans under a seed each, where more goes wrong, and over the real table.

In a file of its own, so that it runs at the same time as test_simulation.py: see there.
"""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import broken
from tests.simulation.harder import WorldInTurns, WorldOfMishaps
from tests.simulation.real_table import WorldOnDynamo, an_account
from tests.simulation.world import World

AT_ONCE = 100


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
