"""Actors that take turns under a virtual clock. One seed decides every turn, every fault, every delay.

An actor is a function in a greenlet of its own. At each step (before and after each call of a gateway) it hands over,
and whoever is ready and drawn goes on: so any two writes of two actors may come in either order. Instead of going on an
actor may crash there, or hear that a service did not answer. Time passes only while nobody is ready.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from greenlet import GreenletExit, getcurrent, greenlet

from cascan.errors import CascanError, GatewayUnavailable
from tests.support.builders import NOW

MAX_TURNS = 60_000  # of one run: more means that something goes round in circles


class Crashed(BaseException):
    """The process of an actor ended between two instructions. Nothing of the code under test catches this."""


class GoesRound(AssertionError):
    """The run does not come to rest."""


@dataclass(frozen=True, slots=True)
class Faults:
    """How probable each mishap is, a step."""

    crash: float = 0.004
    unanswered: float = 0.01  # a call was not made
    answer_lost: float = 0.006  # it was made, and nobody heard of it


NONE = Faults(0, 0, 0)


@dataclass(order=True)
class _Timer:
    at: datetime
    number: int
    act: Callable[[], None] = field(compare=False)


class Clockwork:
    def __init__(self, seed: int, faults: Faults) -> None:
        self.random = Random(seed)  # noqa: S311 - a test's dice
        self.now = NOW
        self.faults = faults
        self.trace: list[str] = []
        self.turns = 0
        self._hub = getcurrent()
        self._ready: list[greenlet] = []
        self._timers: list[_Timer] = []

    def clock(self) -> datetime:
        return self.now

    # ---- for the world

    def spawn(self, name: str, work: Callable[[], object]) -> None:
        """A new actor, ready at once. A crash ends it, and nothing else."""

        def life() -> None:
            try:
                work()
            except Crashed:
                self.say(f"{name} crashed")
            except CascanError as exc:
                self.say(f"{name} failed: {exc!r}")

        self._ready.append(greenlet(life, parent=self._hub))

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        timer = _Timer(self.now + timedelta(seconds=seconds), len(self.trace) + self.turns, act)
        heapq.heappush(self._timers, timer)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def say(self, what: str) -> None:
        self.trace.append(f"{(self.now - NOW).total_seconds():9.1f}  {what}")

    def run(self, until: datetime) -> None:
        """Let time pass until nothing is left to happen before `until`. Raises: GoesRound."""
        while True:
            if self._ready:
                self.turns += 1
                if self.turns > MAX_TURNS:
                    raise GoesRound(f"{MAX_TURNS} turns and no end; the last: " + " | ".join(self.trace[-10:]))
                self._ready.pop(self.random.randrange(len(self._ready))).switch()
            elif self._timers and self._timers[0].at <= until:
                timer = heapq.heappop(self._timers)
                self.now = max(self.now, timer.at)
                timer.act()
            else:
                self.now = max(self.now, until)
                return

    def end(self) -> None:
        """Let go of every actor that still waits."""
        for actor in self._ready:
            actor.throw(GreenletExit)

    # ---- for actors

    def step(self, what: str, *, before: bool) -> None:
        """Hand over. Raises: Crashed; GatewayUnavailable."""
        actor = getcurrent()
        if actor is self._hub:
            return
        self._ready.append(actor)
        self._hub.switch()
        if self.chance(self.faults.crash):
            raise Crashed(what)
        if self.chance(self.faults.unanswered if before else self.faults.answer_lost):
            self.say(f"{what}: {'no answer' if before else 'answer lost'}")
            raise GatewayUnavailable(what)

    def sleep(self, seconds: float) -> None:
        """Let others go on for so long. Raises: Crashed."""
        actor = getcurrent()
        self.after(seconds, lambda: self._ready.append(actor))
        self._hub.switch()
        if self.chance(self.faults.crash):
            raise Crashed("asleep")
