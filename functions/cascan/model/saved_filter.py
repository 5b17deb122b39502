"""A filter that a user of the stack saved for a list of the console. All users of the stack see it."""

from __future__ import annotations

from datetime import datetime

import msgspec


class SavedFilter(msgspec.Struct, frozen=True, kw_only=True):
    page: str  # such as `findings`
    name: str  # one on its page
    query: str  # of the address: the filters and the order
    saved_by: str = ""  # a principal
    saved_at: datetime
