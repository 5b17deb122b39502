"""The vantage points besides the stack's own workers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from cascan.model.vantage import Vantage


class Vantages(Protocol):
    """Vantages by name. `default` is the stack itself, and has no record."""

    def vantages(self) -> Iterator[Vantage]:
        """All vantages, in order of their names, those that were removed included."""

    def get_vantage(self, name: str) -> Vantage | None:
        """The vantage. None: there never was one of this name."""

    def put_vantage(self, vantage: Vantage) -> None:
        """Store the vantage, over an earlier one of its name."""
