"""The bucket, as far as it keeps what the operator decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class OperatorRecords(Protocol):
    """Small texts by name, which is a path: `rules/telnet/000001.json`."""

    def put(self, name: str, text: bytes) -> None:
        """Keep the text, over what has the name."""

    def get(self, name: str) -> bytes | None:
        """The text; None: there is none of this name."""

    def names(self, prefix: str) -> Iterator[str]:
        """Those that begin so, in order."""

    def remove(self, name: str) -> None:
        """Also one that is not there."""
