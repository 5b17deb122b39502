"""Worlds that are harder to live in.

WorldInTurns    a report takes longer to record than its function may run: a turn ends after every few hosts
WorldOfMishaps  four times as much goes wrong
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

from cascan.nmap.report import head
from cascan.nmap.report import split as cut
from on_report_stored import checkpoints as turns
from on_report_stored import record_report
from tests.simulation.clockwork import Faults
from tests.simulation.world import World

CHUNK_BYTES = 700  # of a report; two hosts
TURN_S, STEP_S = (41, 60, 100, 400), (0, 1, 5, 16)  # the time of a turn, and what passes of it between two looks


class WorldOfMishaps(World):
    def __init__(self, seed: int) -> None:
        super().__init__(seed, Faults(crash=0.02, unanswered=0.04, answer_lost=0.03))


class WorldInTurns(World):
    def run(self) -> None:
        with ExitStack() as small:
            for module in (cut, head, turns):
                small.enter_context(patch.object(module, "CHUNK_BYTES", CHUNK_BYTES))
            small.enter_context(patch.object(record_report, "ENOUGH_HOSTS", 1))
            super().run()

    def _time_left(self) -> Callable[[], float]:
        left_s = float(self.clockwork.random.choice(TURN_S))

        def passes() -> float:
            nonlocal left_s
            left_s -= self.clockwork.random.choice(STEP_S)
            return left_s

        return passes
