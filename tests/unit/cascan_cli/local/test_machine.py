"""Limits of the shell that would stop the stack half way are named before it starts."""

from __future__ import annotations

import resource
from typing import Any

import pytest

from cascan_cli.errors import LimitTooLow
from cascan_cli.local.machine import NEEDS, check_limits

ENDLESS = resource.RLIM_INFINITY


def allow(monkeypatch: pytest.MonkeyPatch, **limited: tuple[int, int]) -> None:
    by_number = {getattr(resource, f"RLIMIT_{name}"): values for name, values in limited.items()}
    fake: Any = lambda number: by_number.get(number, (ENDLESS, ENDLESS))  # noqa: E731
    monkeypatch.setattr("cascan_cli.local.machine.resource.getrlimit", fake)


def test_a_shell_without_limits_and_one_that_allows_just_enough_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    allow(monkeypatch)
    check_limits()
    names = {number: name for name, number in vars(resource).items() if name.startswith("RLIMIT_")}
    allow(monkeypatch, **{names[need.limit].removeprefix("RLIMIT_"): (need.minimum, need.minimum) for need in NEEDS})
    check_limits()


@pytest.mark.parametrize(
    ("limited", "sentence"),
    [
        ({"AS": (409_600_000, ENDLESS)}, r"400000 kB of address space \(ulimit -v\).*Raise it: ulimit -S -v 3906250"),
        ({"AS": (409_600_000, 409_600_000)}, "400000 kB of address space .*Start it from a shell without that limit"),
        ({"NOFILE": (100, 1024)}, r"100 open files \(ulimit -n\), and the local stack needs 256"),
        ({"FSIZE": (1024, ENDLESS)}, "1 blocks of 1024 bytes in a file"),
    ],
)
def test_a_limit_that_is_too_low_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, limited: dict[str, tuple[int, int]], sentence: str
) -> None:
    allow(monkeypatch, **limited)
    with pytest.raises(LimitTooLow, match=sentence):
        check_limits()
