"""A gateway whose every call is two steps: others may come in before and after it, and so may a crash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import IOBase
from typing import Any, cast

from greenlet import getcurrent, greenlet

from tests.simulation.clockwork import Clockwork

UNSEEN = frozenset({"put_record"})  # read by a rebuild alone: a crash there is one before the write that follows


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was made, whether or not its caller lived to hear the answer."""

    at: datetime
    actor: greenlet
    method: str
    args: tuple[Any, ...]
    answer: Any


class Stepping:
    def __init__(
        self, gateway: object, name: str, clockwork: Clockwork, journal: list[Call] | None = None, *, steps: bool = True
    ) -> None:
        self._gateway, self._name, self._clockwork = gateway, name, clockwork
        self._journal, self._steps = journal, steps

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._gateway, method)
        if method in UNSEEN or not callable(real):
            return real
        what = f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._steps:
                self._clockwork.step(what, before=True)
            answer = real(*args, **kwargs)
            if isinstance(answer, Iterator) and not isinstance(answer, IOBase):
                answer = iter(list(answer))  # read now: what comes later is not in it
            if self._journal is not None:
                self._journal.append(Call(self._clockwork.now, getcurrent(), method, args, answer))
            if self._steps:
                self._clockwork.step(what, before=False)
            return answer

        return call


def stepping(gateway: object, name: str, clockwork: Clockwork, journal: list[Call] | None = None) -> Any:
    return cast("Any", Stepping(gateway, name, clockwork, journal))


def noting(gateway: object, name: str, clockwork: Clockwork, journal: list[Call]) -> Any:
    """The gateway with its calls noted; what it does within may be steps of its own."""
    return cast("Any", Stepping(gateway, name, clockwork, journal, steps=False))
