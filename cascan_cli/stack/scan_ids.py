"""Which scan a request that was sent becomes: on_scan_requested derives the same id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.errors import RequestRefused
from cascan.forms import find_idempotency_key, read_request_document
from cascan.ids import derive_keyed_scan_id, derive_scan_id, digest_body

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways


def idempotency_key_of(body: str) -> str:
    """The request's own key, also of one that will be refused; empty: it has none."""
    try:
        return find_idempotency_key(read_request_document(body))
    except RequestRefused:
        return ""


def possible_scan_ids(body: str, message_id: str, stack: StackGateways) -> list[str]:
    """The ids under which the scan may stand: its own key's, and its message's where the key is taken."""
    key = idempotency_key_of(body)
    by_message = derive_scan_id(message_id)
    return [derive_keyed_scan_id(stack.submitter, key), by_message] if key else [by_message]


def expected_scan_id(body: str, message_id: str, stack: StackGateways) -> str:
    """The one of them under which it will stand, as things are now."""
    first, *others = possible_scan_ids(body, message_id, stack)
    there = stack.table.get_scan(first) if others else None
    is_taken = there is not None and there.request_digest != digest_body(body)
    return others[0] if is_taken else first
