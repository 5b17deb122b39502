"""What was made of something once, for the next time that it comes: a mapping that never grows beyond its bound."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Memory(dict[K, V]):
    """Values by key. Each has a weight, in characters or bytes of text; a full memory starts anew."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound
        self.weight = 0

    def keep(self, key: K, value: V, weight: int) -> V:
        """The value, kept for the next time that the key comes; one that is heavier than the bound is not."""
        if weight > self._bound:
            return value
        self.weight += weight
        if self.weight > self._bound:
            self.clear()
            self.weight = weight
        self[key] = value
        return value
