"""How much of a long test runs: a bounded share by default, the whole under `make soak`.

A test that tries many seeds takes them as `seeds`, a range, and its marker says how many there are:

    @pytest.mark.soak(few=300, many=20_000, at_once=100)
    def test_all_readers_agree(seeds: range) -> None:
        for seed in seeds: ...

It is then one test for each `at_once` seeds (default: all of them together), so that they run side by side, and the
end of the run prints which seeds were tried. CASCAN_FIRST_SEED=N begins at N instead of 1. A test whose amount is
something else (rounds of kills, examples of hypothesis) carries the marker without arguments and calls `share`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

WHOLE = os.environ.get("CASCAN_SOAK", "") not in ("", "0")
FIRST_SEED = int(os.environ.get("CASCAN_FIRST_SEED", "1"))
SEEDS = "seeds"  # the argument's name, and that of the property which a test's report carries


def share(few: int, many: int) -> int:
    """`many` under `make soak`, else `few`."""
    return many if WHOLE else few


def seed_ranges(few: int, many: int, at_once: int | None = None) -> list[range]:
    """The seeds of this run, `at_once` in each range: consecutive, from FIRST_SEED on."""
    end = FIRST_SEED + share(few, many)
    step = at_once or share(few, many)
    return [range(first, min(first + step, end)) for first in range(FIRST_SEED, end, step)]


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test marked `soak(few=…, many=…)` its seeds, one test a range."""
    marker = metafunc.definition.get_closest_marker("soak")
    if marker and SEEDS in metafunc.fixturenames:
        ranges = seed_ranges(**marker.kwargs)
        metafunc.parametrize(SEEDS, ranges, ids=[f"{seeds[0]}-{seeds[-1]}" for seeds in ranges])


def note_seeds(item: pytest.Item) -> None:
    """Let the test's report carry its seeds to whoever prints the summary, across processes too."""
    marker = item.get_closest_marker("soak")
    callspec = getattr(item, "callspec", None)
    if marker and callspec and SEEDS in callspec.params:
        seeds = callspec.params[SEEDS]
        item.user_properties.append((SEEDS, [seeds[0], seeds[-1], marker.kwargs["many"]]))


def summary(reports: Iterable[pytest.TestReport]) -> list[str]:
    """For each test that took seeds: which it tried, and of how many."""
    tried: dict[str, list[list[int]]] = {}
    for report in reports:
        for name, value in getattr(report, "user_properties", ()):
            if name == SEEDS and report.when == "call":
                tried.setdefault(report.nodeid.partition("[")[0], []).append(value)
    return [
        f"{test}: {min(first for first, _, _ in ranges)} to {max(last for _, last, _ in ranges)}"
        f" ({len({seed for first, last, _ in ranges for seed in range(first, last + 1)})} tried,"
        f" {ranges[0][2]} under make soak)"
        for test, ranges in sorted(tried.items())
    ]
