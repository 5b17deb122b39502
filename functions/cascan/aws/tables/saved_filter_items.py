"""Saved filters in the scan table.

what    pk             sk             attributes
──────  ─────────────  ─────────────  ──────────
filter  saved-filters  <page>/<name>  body
"""

from __future__ import annotations

from itertools import islice

import msgspec

from cascan.aws.dynamodb.table import TablePart
from cascan.aws.dynamodb.wire import Item, build_key, encode_body, readable_items, unpack_text
from cascan.limits import MAX_SAVED_FILTERS
from cascan.model.saved_filter import SavedFilter

SAVED_FILTERS = "saved-filters"


class SavedFilterItems(TablePart):
    """The part of ScanTable for saved filters."""

    def list_saved_filters(self, page: str) -> list[SavedFilter]:
        items = self._table.children(SAVED_FILTERS, f"{page}/")
        return list(islice(readable_items(items, read_saved_filter), MAX_SAVED_FILTERS))

    def save_filter(self, saved: SavedFilter) -> bool:
        return self._table.put_new(_key(saved.page, saved.name) | {"body": encode_body(saved)})

    def remove_saved_filter(self, page: str, name: str) -> None:
        self._table.delete(_key(page, name))


def _key(page: str, name: str) -> Item:
    return build_key(SAVED_FILTERS, f"{page}/{name}")


def read_saved_filter(item: Item) -> SavedFilter:
    return msgspec.json.decode(unpack_text(item["body"]), type=SavedFilter)
