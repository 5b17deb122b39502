"""Cancel, suspend and resume scans: what is possible, and the message that asks for it."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from cascan.events.control import Action, ControlRequested
from cascan.model.scan import Scan, ScanState
from cascan.scans.close import ENDED_STATES

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways


def find_obstacle(action: Action, scan: Scan) -> str:
    """Why the action is not possible in the state of the scan; empty if it is."""
    if scan.state in ENDED_STATES:
        return f"has ended, it is {scan.state}: there is nothing to {action}"
    if action is Action.RESUME and scan.state is not ScanState.SUSPENDED:
        return f"is not suspended, it is {scan.state}"
    return ""


def send_control(action: Action, scan_id: str, stack: StackGateways, reason: str = "") -> None:
    """`scan_id`: empty for a halt of the whole stack and its end."""
    request = ControlRequested(action=action, scan_id=scan_id, by=getpass.getuser(), reason=reason)
    stack.control_queue.send(request.to_wire())
