"""An entry of the audit list: what a person did in a console."""

from __future__ import annotations

from datetime import datetime

import msgspec

BEGUN = "begun"  # the outcome until the action has ended; it stays where the console was killed


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    entry_id: str
    at: datetime
    by: str  # a principal
    user: str = ""  # the name of the person on their machine, as it claims
    action: str  # such as `accept exposure`
    subject: str = ""  # what it was about: an id, a name, targets
    outcome: str = BEGUN  # `done`, or `refused` or `failed` with the reason
