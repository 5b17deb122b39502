"""Saved filters of the console's lists."""

from __future__ import annotations

from typing import Protocol

from cascan.model.saved_filter import SavedFilter


class SavedFilters(Protocol):
    """A filter stays until a user removes it."""

    def list_saved_filters(self, page: str) -> list[SavedFilter]:
        """At most MAX_SAVED_FILTERS of the page, by name, read consistently."""

    def save_filter(self, saved: SavedFilter) -> bool:
        """Store a new one. False: its page has one of this name, which stays as it is."""

    def remove_saved_filter(self, page: str, name: str) -> None:
        """Remove it, if it exists."""
