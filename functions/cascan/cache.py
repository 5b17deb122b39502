"""What was made of something once, for the next time that it comes: mappings and sets that never outgrow a bound."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
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


class RecentHashes(set[int]):
    """Hashes of what was seen lately: who keeps things when they come again wastes nothing on those that never do.

    Two things of one hash are no harm: one of them is kept too early. A full set starts anew.
    """

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def came_before(self, mark: int) -> bool:
        """Whether the hash was seen; from now on it was."""
        if mark in self:
            return True
        if len(self) >= self._bound:
            self.clear()
        self.add(mark)
        return False
