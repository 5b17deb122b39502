"""Stored values are read tolerantly: an unknown field is ignored, a missing one has its default.

A value that cannot be read even so fails alone: a single read raises, a listing skips it. Either
way the listener is called, so that it is logged and counted. A process has one listener, set by its
edge.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from cascan.errors import UnreadableItem

S = TypeVar("S")
T = TypeVar("T")
Listener = Callable[[UnreadableItem], None]
DAMAGE = (KeyError, ValueError, TypeError, AttributeError, IndexError, RecursionError, zlib.error)
_listeners: list[Listener] = []  # one at most


def listen(listener: Listener) -> None:
    """From now on call `listener`, in place of an earlier one, with every value that cannot be
    read.
    """
    _listeners[:] = [listener]


def read_stored(stored: S, reader: Callable[[S], T], name: Callable[[S], str] = str) -> T:
    """The value that `reader` returns. Raises: UnreadableItem: says which value, by `name`, and
    why.
    """
    try:
        return reader(stored)
    except DAMAGE as exc:
        why = str(exc).splitlines()[0][:200] if str(exc) else ""
        error = UnreadableItem(f"{name(stored)} cannot be read by this version: {type(exc).__name__}: {why}")
        for listener in _listeners:
            listener(error)
        raise error from exc


def read_all_stored(stored: Iterable[S], reader: Callable[[S], T], name: Callable[[S], str] = str) -> Iterator[T]:
    """The values that can be read, in order."""
    for value in stored:
        try:
            yield read_stored(value, reader, name)
        except UnreadableItem:  # the listener was called
            continue
