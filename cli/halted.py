"""That the whole stack is halted: by whom, why, and how to lift it; wherever somebody waits for it or looks at it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.show import say

if TYPE_CHECKING:
    from cascan.gateways import ScanTable
    from cascan.model.agenda import Switch

LOOKS_BETWEEN = 20  # of somebody who looks at a scan every quarter of a second


def halt_sentence(switch: Switch) -> str:
    from cascan.clock import to_wire

    by = f" by {switch.by}" if switch.by else ""
    reason = f" ({switch.reason})" if switch.reason else ""
    return f"the stack is halted since {to_wire(switch.halted_at)}{by}{reason}; cascan halt --lift lets it go on"


def kept_switch(objects: Path, bucket: str) -> Switch | None:
    """The switch as the report bucket of a stack that is not up has it; None: it is not halted, or nobody can tell."""
    import msgspec

    from cascan.aws.house_records import HOUSE
    from cascan.house_records import SWITCH
    from cascan.model.agenda import Switch

    for path in objects.glob(f"*/{bucket}/{HOUSE}{SWITCH}"):
        try:
            return msgspec.json.decode(path.read_bytes(), type=Switch | None)
        except (OSError, msgspec.MsgspecError):
            return None
    return None


class HaltWatch:
    """Says once that the stack is halted, to whoever waits for a scan, and once that it goes on."""

    def __init__(self, table: ScanTable) -> None:
        self._table = table
        self._looks = 0
        self.halted = False

    def look(self) -> None:
        """Asks at the first look, and then from time to time."""
        if self._looks % LOOKS_BETWEEN == 0:
            self._ask()
        self._looks += 1

    def _ask(self) -> None:
        switch = self._table.switch()
        if switch and not self.halted:
            say(halt_sentence(switch))
        elif self.halted and not switch:
            say("the stack is not halted any more")
        self.halted = switch is not None
