"""The switch that halts the whole stack."""

from __future__ import annotations

from typing import Protocol

from cascan.model.agenda import Switch


class StackSwitch(Protocol):
    """While it is set, no shard is claimed or released."""

    def switch(self) -> Switch | None:
        """Why nothing is scanned at all; None: the stack runs."""

    def halt(self, switch: Switch) -> None:
        """Nothing is scanned until `lift`."""

    def lift(self) -> None:
        """The stack runs again."""
