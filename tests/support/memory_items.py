"""Items of a table in dicts, for tests of what is read and written by the thousand."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from cascan.aws.dynamodb.table import DynamoTable, Page
from cascan.aws.dynamodb.wire import Item


class MemoryItems(DynamoTable):
    """The methods of DynamoTable that the history needs. Expired items stay."""

    def __init__(self) -> None:
        super().__init__("table in memory")
        self.items: defaultdict[str, dict[str, Item]] = defaultdict(dict)
        self._ordered: dict[str, list[str]] = {}
        self.pages_read = 0

    def put_all(self, items: Iterable[Item]) -> None:
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        pk, sk = item["pk"]["S"], item["sk"]["S"]
        if sk not in self.items[pk]:
            self._ordered.pop(pk, None)
        self.items[pk][sk] = item

    def get(self, key: Item, *attributes: str) -> Item | None:
        return self.items[key["pk"]["S"]].get(key["sk"]["S"])

    def get_all(self, _table: str, keys: Iterable[Item]) -> Iterator[Item]:
        """In the place of cascan.aws.dynamodb.batch_read.get_all."""
        return (item for item in map(self.get, keys) if item)

    def delete_all(self, keys: Iterable[Item]) -> None:
        for key in keys:
            self._ordered.pop(key["pk"]["S"], None)
            self.items[key["pk"]["S"]].pop(key["sk"]["S"], None)

    def first_pages(self, queries: Iterable[dict[str, Any]]) -> list[Page]:
        return [self._first_page(query) for query in queries]

    def _first_page(self, query: dict[str, Any]) -> Page:
        start, is_forward = query["ExclusiveStartKey"]["sk"]["S"], query["ScanIndexForward"]
        items = self.query(**query)
        following = [item for item in items if (item["sk"]["S"] > start) == is_forward and item["sk"]["S"] != start]
        page = following[: query["Limit"]]
        return Page(page, page[-1] if len(following) > len(page) else None)

    def query(self, **query: Any) -> Iterator[Item]:
        values = query["ExpressionAttributeValues"]
        pk = values[":pk"]["S"]
        if pk not in self._ordered:
            self._ordered[pk] = sorted(self.items[pk])
        keys = self._ordered[pk]
        if ":low" in values:
            keys = keys[bisect_left(keys, values[":low"]["S"]) : bisect_right(keys, values[":high"]["S"])]
        if not query.get("ScanIndexForward", True):
            keys = keys[::-1]
        for key in keys:
            self.pages_read += 1
            yield self.items[pk][key]
