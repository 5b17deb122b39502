"""A gateway whose every call is two steps: others may come in before and after it, and so may a crash."""

from __future__ import annotations

from collections.abc import Iterator
from io import IOBase
from typing import Any, cast

from tests.simulation.clockwork import Clockwork

UNSEEN = frozenset({"put_record"})  # read by a rebuild alone: a crash there is one before the write that follows


class Stepping:
    def __init__(self, gateway: object, name: str, clockwork: Clockwork) -> None:
        self._gateway, self._name, self._clockwork = gateway, name, clockwork

    def __getattr__(self, method: str) -> Any:
        real = getattr(self._gateway, method)
        if method in UNSEEN:
            return real
        what = f"{self._name}.{method}"

        def call(*args: Any, **kwargs: Any) -> Any:
            self._clockwork.step(what, before=True)
            answer = real(*args, **kwargs)
            if isinstance(answer, Iterator) and not isinstance(answer, IOBase):
                answer = iter(list(answer))  # read now: what comes later is not in it
            self._clockwork.step(what, before=False)
            return answer

        return call


def stepping(gateway: object, name: str, clockwork: Clockwork) -> Any:
    return cast("Any", Stepping(gateway, name, clockwork))
