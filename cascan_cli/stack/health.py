"""Reasons why a stack does nothing: an operator halted it, or the disk of this machine is full."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from cascan_cli.local.guard import RESERVED_BYTES
from cascan_cli.output.text import print_message

if TYPE_CHECKING:
    from cascan.gateways import StackSwitch
    from cascan.model.agenda import Switch

LOOKS_BETWEEN = 20  # between two checks; scans are polled four times a second


def describe_halt(switch: Switch) -> str:
    """Since when, by whom and why the stack is halted, who sent the message, and how to end the halt."""
    from cascan.clock import to_wire

    by = f" by {switch.by}" if switch.by else ""
    reason = f" ({switch.reason})" if switch.reason else ""
    sender = f", requested by the principal {switch.sender}" if switch.sender else ""
    halt = f"the stack is halted since {to_wire(switch.halted_at)}{by}{reason}{sender}"
    return f"{halt}; cascan halt --lift ends the halt"


def read_stored_switch(objects: Path, bucket: str) -> Switch | None:
    """Read the switch of a local stack that is down from its bucket; None: it is not halted.

    `objects` is the folder in which the emulator stores its buckets.
    """
    import msgspec

    from cascan.aws.s3.operator_records import PREFIX
    from cascan.model.agenda import Switch
    from cascan.recovery.operator_records import SWITCH

    for path in objects.glob(f"*/{bucket}/{PREFIX}{SWITCH}"):
        try:
            return msgspec.json.decode(path.read_bytes(), type=Switch | None)
        except (OSError, msgspec.MsgspecError):
            return None
    return None


class StackWatch:
    """Prints a message when the stack is halted or its disk is full, and when that is over."""

    def __init__(self, stack_switch: StackSwitch, disk: Path | None = None) -> None:
        self._stack_switch = stack_switch
        self._disk = disk  # the disk of a stack on this machine
        self._looks = 0
        self._full = False
        self.halted = False

    def look(self) -> None:
        """Check at the first call, and then at every LOOKS_BETWEEN-th."""
        if self._looks % LOOKS_BETWEEN == 0:
            self._look_at_switch()
            self._look_at_disk()
        self._looks += 1

    def _look_at_switch(self) -> None:
        switch = self._stack_switch.switch()
        if switch and not self.halted:
            print_message(describe_halt(switch))
        elif self.halted and not switch:
            print_message("the stack is no longer halted")
        self.halted = switch is not None

    def _look_at_disk(self) -> None:
        if self._disk is None:
            return
        free = shutil.disk_usage(self._disk).free
        full = free < RESERVED_BYTES
        if full and not self._full:
            print_message(
                f"the disk of {self._disk} has {free // 1_000_000} MB left: reports and results cannot be stored. "
                "Free some space: storing them is retried for some hours"
            )
        elif self._full and not full:
            print_message(f"the disk of {self._disk} has free space again")
        self._full = full
