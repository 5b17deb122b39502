"""The part of MemoryScanTable that is the saved filters."""

from __future__ import annotations

from cascan.limits import MAX_SAVED_FILTERS
from cascan.model.saved_filter import SavedFilter


class MemorySavedFilters:
    def __init__(self) -> None:
        super().__init__()
        self.saved_filters: dict[tuple[str, str], SavedFilter] = {}

    def _reach(self) -> None:
        raise NotImplementedError

    def list_saved_filters(self, page: str) -> list[SavedFilter]:
        self._reach()
        return [saved for key, saved in sorted(self.saved_filters.items()) if key[0] == page][:MAX_SAVED_FILTERS]

    def save_filter(self, saved: SavedFilter) -> bool:
        self._reach()
        return self.saved_filters.setdefault((saved.page, saved.name), saved) is saved

    def remove_saved_filter(self, page: str, name: str) -> None:
        self._reach()
        self.saved_filters.pop((page, name), None)
