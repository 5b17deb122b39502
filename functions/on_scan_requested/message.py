"""A request's message → the id of its scan, and whether cascan itself issued it.

    submitter                   the id derives from             why that can be trusted
    ──────────────────────────  ──────────────────────────────  ─────────────────────────────────────────
    a cascade, a schedule, the  the key that cascan gave it     cascan stored this key and body (ADR 29)
    confirmation of an exposure
    a submitter, with a key     SenderId of SQS, and the key    each submitter has keys of its own
    a submitter, without one    the message's id                SQS creates it

What a message itself says about its origin is never trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from cascan.gateways import IssuedRequests
from cascan.ids import derive_keyed_scan_id, derive_scan_id, digest_body
from cascan.limits import MAX_SENDER_CHARS

ISSUED_KEYS = ("cascade/", "schedule/", "exposure/")  # prefixes of the keys of cascan's own requests


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it arrived."""

    message_id: str
    body: str
    sender: str = ""  # as SQS names it: a user, or a role with its session

    @property
    def requested_by(self) -> str:
        """The sender as it is stored with the scan."""
        return self.sender[:MAX_SENDER_CHARS]

    @property
    def digest(self) -> str:
        return digest_body(self.body)


class Identity(NamedTuple):
    """The id under which a request's scan is stored, accepted or refused."""

    scan_id: str
    is_issued: bool = False


def identify(message: Message, key: str, issued: IssuedRequests) -> Identity:
    """The id of a request's scan. `key` is the request's idempotency key, or empty."""
    if key.startswith(ISSUED_KEYS) and issued.was_issued(derive_scan_id(key), message.digest):
        return Identity(derive_scan_id(key), is_issued=True)
    if key:
        return Identity(derive_keyed_scan_id(message.sender, key))
    return Identity(derive_scan_id(message.message_id))
