"""Find a scan that was requested a moment ago: it has an id at once, and is in the table once it is planned."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cascan.errors import GatewayUnavailable
from cascan.ids import SCAN_ID, derive_keyed_scan_id, derive_scan_id
from cascan.limits import MAX_DEAD_LETTERS, PICKED_UP_WITHIN_S
from cascan_cli.errors import BadInput
from cascan_cli.output.text import print_message
from cascan_cli.stack.find_scan import find_scan

if TYPE_CHECKING:
    from cascan.model.dead_letter import DeadLetter
    from cascan.model.scan import Scan
    from cascan_cli.stack.open import StackGateways

POLL_S = 0.25
HOLD_S = 10  # parked requests are hidden from others while they are read


def await_scan(stack: StackGateways, name: str) -> Scan:
    """The scan that `name` means. An id without a scan is waited for, PICKED_UP_WITHIN_S seconds at most.

    Raises: BadInput: there is no such scan. It says what became of its request, where that is known.
    """
    try:
        return find_scan(stack.table, name)
    except BadInput:
        if not SCAN_ID.fullmatch(name):
            raise
    print_message(f"there is no scan {name} yet; waiting for the request to be picked up")
    started = time.monotonic()
    while time.monotonic() - started < PICKED_UP_WITHIN_S:
        time.sleep(POLL_S)
        if scan := stack.table.get_scan(name):
            return scan
    raise BadInput(_describe_missing(stack, name))


def _describe_missing(stack: StackGateways, scan_id: str) -> str:
    missing = f"there is no scan {scan_id!r} after {PICKED_UP_WITHIN_S} s"
    try:
        letter = _find_parked(stack, scan_id)
    except GatewayUnavailable:  # for example, a reader may not look into the queue
        return f"{missing}; an operator's cascan redrive list may show why"
    if letter is None:
        return f"{missing}; see cascan scans"
    reason = letter.attributes.get("reason") or f"it failed at each of {letter.received} deliveries"
    return f"the request of scan {scan_id} is parked: {reason}; cascan redrive show {letter.message_id}"


def _find_parked(stack: StackGateways, scan_id: str) -> DeadLetter | None:
    """The parked request that would have become this scan. Raises: GatewayUnavailable."""
    from cascan_cli.stack.dead_letters import PARKED_REQUESTS
    from cascan_cli.stack.scan_ids import read_idempotency_key

    queue = stack.queue(PARKED_REQUESTS)
    letters = list(queue.hold_messages(MAX_DEAD_LETTERS, HOLD_S))
    queue.release(letters)
    for letter in letters:
        key = read_idempotency_key(letter.body)
        ids = {derive_scan_id(letter.message_id), derive_keyed_scan_id(stack.submitter, key) if key else ""}
        if scan_id in ids:
            return letter
    return None
