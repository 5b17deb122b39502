"""The Fargate workers."""

from __future__ import annotations

from typing import Protocol

import msgspec

from cascan.model.shard import Lane


class Launch(msgspec.Struct, frozen=True):
    """The result of a launch: how many workers start, and the reasons why others do not."""

    started: int
    reasons: tuple[str, ...] = ()


class Fleet(Protocol):
    """Counts and starts Fargate workers."""

    def running(self, lane: Lane) -> int:
        """How many workers of the lane are running or starting."""

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        """Start workers: on Spot first, or only on demand if `spot` is false.

        A repeated call with the same token and lane does not start workers again.
        """
