"""Caches of bounded size: values by key, and hashes that were seen lately."""

from __future__ import annotations

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(dict[K, V]):
    """Values by key. Each has a weight, in characters or bytes of text; a full cache is cleared."""

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound
        self.weight = 0

    def keep(self, key: K, value: V, weight: int) -> V:
        """The value, kept for the next lookup of the key; a value heavier than the bound is not
        kept.
        """
        if weight > self._bound:
            return value
        self.weight += weight
        if self.weight > self._bound:
            self.clear()
            self.weight = weight
        self[key] = value
        return value


class RecentHashes(set[int]):
    """Hashes that were seen lately, so that a value is only cached once it comes a second time.

    A collision does no harm: one of the two values is cached too early. A full set is cleared.
    """

    def __init__(self, bound: int) -> None:
        super().__init__()
        self._bound = bound

    def was_seen(self, hashed: int) -> bool:
        """Whether the hash was seen before; it is added."""
        if hashed in self:
            return True
        if len(self) >= self._bound:
            self.clear()
        self.add(hashed)
        return False
