"""How much work something is, counted in calls: the same on every machine, however busy."""

from __future__ import annotations

import cProfile
from collections.abc import Callable


def count_calls(work: Callable[[], object]) -> int:
    """Calls of functions, Python's and C's, that the work makes."""
    profile = cProfile.Profile()
    profile.runcall(work)
    return sum(entry.callcount for entry in profile.getstats())
