"""Names and their addresses."""

from __future__ import annotations

from typing import Protocol


class Resolver(Protocol):
    def addresses(self, name: str, family: int) -> tuple[str, ...]:
        """The name's addresses of family 4 or 6, without repeats; empty when it has none."""
