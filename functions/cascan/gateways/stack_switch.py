"""The switch with which an operator halts the whole stack."""

from __future__ import annotations

from typing import Protocol

from cascan.model.agenda import Switch


class StackSwitch(Protocol):
    """While it is set, no shard is claimed or released."""

    def switch(self) -> Switch | None:
        """The halt, with its reason. None: the stack is not halted."""

    def halt(self, switch: Switch) -> None:
        """Halt the stack until `lift` is called."""

    def lift(self) -> None:
        """End the halt."""
