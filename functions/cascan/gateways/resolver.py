"""Looking up host names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from cascan.model.reason import ReasonCode


class Lookup(msgspec.Struct, frozen=True, kw_only=True):
    """The result of looking up one name: all its addresses, or why there are none."""

    asked: str  # the absolute name that was looked up, without the root's dot
    addresses: tuple[str, ...] = ()  # without repeats, in the order of the answer
    failure: ReasonCode | None = None  # NAME_NOT_FOUND, NAME_WITHOUT_ADDRESS or LOOKUP_FAILED
    why: str = ""  # the rest of a sentence that begins with the name, after a failure

    @property
    def may_succeed_later(self) -> bool:
        """Whether no server answered. After any other failure the answer was: no address."""
        return self.failure is ReasonCode.LOOKUP_FAILED


class Resolver(Protocol):
    def look_up(
        self,
        names: Iterable[str],
        family: int,
        give_up: Callable[[], object] = bool,
    ) -> Mapping[str, Lookup]:
        """The addresses of family 4 or 6 of every name. The failure of one does not affect others.

        A name with a dot is looked up without a search domain. Once `give_up()` is true, the names
        that have no answer yet fail.
        """
