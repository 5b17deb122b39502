"""The id of the scan that a request becomes. on_scan_requested derives the same id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan.errors import RequestRefused
from cascan.forms import find_idempotency_key, read_request_document
from cascan.ids import derive_keyed_scan_id, derive_scan_id, digest_body

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways


def read_idempotency_key(body: str) -> str:
    """The idempotencyKey of the request, even of one that will be refused; empty if it has none."""
    try:
        return find_idempotency_key(read_request_document(body))
    except RequestRefused:
        return ""


def possible_scan_ids(body: str, message_id: str, stack: StackGateways) -> list[str]:
    """The possible ids of the scan: from its idempotencyKey, or its message if the key is taken."""
    key = read_idempotency_key(body)
    by_message = derive_scan_id(message_id)
    return [derive_keyed_scan_id(stack.submitter, key), by_message] if key else [by_message]


def expected_scan_id(body: str, message_id: str, stack: StackGateways) -> str:
    """The id that the scan gets if the table does not change before the request is handled."""
    preferred, *fallback = possible_scan_ids(body, message_id, stack)
    if not fallback:
        return preferred
    stored = stack.table.get_scan(preferred)
    is_taken = stored is not None and stored.request_digest != digest_body(body)
    return fallback[0] if is_taken else preferred
