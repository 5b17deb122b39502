"""Copies of the operator's decisions, in the bucket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class OperatorRecords(Protocol):
    """Short texts by name. A name is a path, such as `rules/telnet/000001.json`."""

    def put(self, name: str, text: bytes) -> None:
        """Store the text under the name; it replaces an earlier text."""

    def get(self, name: str) -> bytes | None:
        """The text with this name. None: there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with the prefix, in order."""

    def remove(self, name: str) -> None:
        """Remove the text, if it exists."""
