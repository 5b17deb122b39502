"""Which seeds a run tries: each once, a share of them by default, and it says which."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.support import soak


@pytest.fixture(params=[False, True], ids=["a share", "the whole"])
def whole(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(soak, "WHOLE", request.param)
    return bool(request.param)


@pytest.mark.parametrize("at_once", [None, 1, 7, 100, 1_000])
@pytest.mark.parametrize("first", [1, 5_000])
def test_every_seed_is_tried_once(
    first: int, at_once: int | None, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    monkeypatch.setattr(soak, "FIRST_SEED", first)
    ranges = soak.seed_ranges(few=30, many=250, at_once=at_once)
    assert [seed for seeds in ranges for seed in seeds] == list(range(first, first + (250 if whole else 30)))
    assert {len(seeds) for seeds in ranges[:-1]} <= {at_once}


def test_the_amount_is_a_share_or_the_whole(whole: bool) -> None:
    assert soak.share(3, 40) == (40 if whole else 3)


@pytest.mark.soak(few=4, many=9, at_once=2)
def test_a_marked_test_gets_its_seeds_and_its_report_carries_them(seeds: range, request: pytest.FixtureRequest) -> None:
    assert isinstance(seeds, range)
    assert 1 <= len(seeds) <= 2
    assert (soak.SEEDS, [seeds[0], seeds[-1], 9]) in request.node.user_properties


def reports(*properties: Sequence[Any]) -> list[pytest.TestReport]:
    """Reports of one test, each with these seeds."""
    return [
        cast(
            "pytest.TestReport",
            SimpleNamespace(nodeid=f"test_it[{first}]", when="call", user_properties=[(soak.SEEDS, [first, last, 50])]),
        )
        for first, last in properties
    ]


def test_the_summary_joins_what_side_by_side_processes_tried() -> None:
    assert soak.summary(reports((11, 20), (1, 10), (11, 20))) == ["test_it: 1 to 20 (20 tried, 50 under make soak)"]
    assert soak.summary([]) == []
