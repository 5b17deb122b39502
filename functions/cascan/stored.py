"""What is stored is read tolerantly: a field that is not known is passed over, one that is missing has its default.

What cannot be read even so fails alone: a single read raises, a listing passes it over. Either way whoever listens is
told, so that it is logged and counted. A process has one listener: its edge.
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
    """Have `listener` called with everything that cannot be read from now on, in place of an earlier one."""
    _listeners[:] = [listener]


def read_stored(stored: S, reader: Callable[[S], T], name: Callable[[S], str] = str) -> T:
    """What `reader` makes of it. Raises: UnreadableItem: it says which, by `name`, and why."""
    try:
        return reader(stored)
    except DAMAGE as exc:
        why = str(exc).splitlines()[0][:200] if str(exc) else ""
        error = UnreadableItem(f"{name(stored)} cannot be read by this version: {type(exc).__name__}: {why}")
        for listener in _listeners:
            listener(error)
        raise error from exc


def read_all_stored(stored: Iterable[S], reader: Callable[[S], T], name: Callable[[S], str] = str) -> Iterator[T]:
    """What can be read, in order."""
    for one in stored:
        try:
            yield read_stored(one, reader, name)
        except UnreadableItem:  # told already
            continue
