"""Names and their addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from cascan.model.reason import ReasonCode


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """What came of looking one name up: all its addresses, so that all are judged; or why there are none."""

    asked: str  # the absolute name that was looked up, without the root's dot
    addresses: tuple[str, ...] = ()  # without repeats, in the order of the answer
    failure: ReasonCode | None = None  # NAME_NOT_FOUND, NAME_WITHOUT_ADDRESS or LOOKUP_FAILED
    why: str = ""  # of a failure: half a sentence that follows the name

    @property
    def may_succeed_later(self) -> bool:
        """There was no answer. Otherwise the answer is that there is no address."""
        return self.failure is ReasonCode.LOOKUP_FAILED


class Resolver(Protocol):
    def look_up(self, names: Iterable[str], family: int, give_up: Callable[[], object] = bool) -> Mapping[str, Lookup]:
        """The addresses of family 4 or 6 of every name. One that fails fails alone.

        A name with a dot is looked up as it is. Once `give_up()` is true, names that have no answer yet fail.
        """
