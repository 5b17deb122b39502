"""The workers that run."""

from __future__ import annotations

from typing import Protocol

import msgspec

from cascan.model.shard import Lane


class Launch(msgspec.Struct, frozen=True):
    """What came of a launch: workers that start, and why others do not, one reason each."""

    started: int
    reasons: tuple[str, ...] = ()


class Fleet(Protocol):
    """The Fargate workers."""

    def running(self, lane: Lane) -> int:
        """Workers of the lane that run or start."""

    def launch(self, lane: Lane, count: int, token: str, *, spot: bool = True) -> Launch:
        """Start workers, on Spot first; the same token and lane start them once. `spot=False`: on demand."""
