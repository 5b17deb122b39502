"""ScanTable's contract: saved filters. On the fake and on DynamoDB."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cascan.gateways import ScanTable
from cascan.model.saved_filter import SavedFilter

AT = datetime(2026, 3, 1, tzinfo=UTC)


def a_filter(name: str, page: str = "findings", query: str = "severity=high") -> SavedFilter:
    return SavedFilter(page=page, name=name, query=query, saved_by="AIDAANN", saved_at=AT)


class TestSavedFilters:
    def test_those_of_a_page_are_listed_by_name(self, table: ScanTable) -> None:
        for saved in (a_filter("web"), a_filter("db"), a_filter("other", "findings2"), a_filter("x", "inventory")):
            assert table.save_filter(saved)
        assert table.list_saved_filters("findings") == [a_filter("db"), a_filter("web")]

    def test_a_second_one_of_the_same_name_is_not_stored(self, table: ScanTable) -> None:
        assert table.save_filter(a_filter("web"))
        assert not table.save_filter(a_filter("web", query="port=80"))
        assert table.list_saved_filters("findings") == [a_filter("web")]
        assert table.save_filter(a_filter("web", "inventory"))

    def test_one_is_removed_and_its_name_is_free_again(self, table: ScanTable) -> None:
        table.save_filter(a_filter("web"))
        for _ in range(2):
            table.remove_saved_filter("findings", "web")
        assert table.list_saved_filters("findings") == []
        assert table.save_filter(a_filter("web", query="port=80"))

    def test_no_more_are_listed_than_the_limit(self, table: ScanTable, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in ("cascan.aws.tables.saved_filter_items", "tests.fakes.saved_filters"):
            monkeypatch.setattr(f"{module}.MAX_SAVED_FILTERS", 2)
        for name in ("a", "b", "c"):
            table.save_filter(a_filter(name))
        assert [saved.name for saved in table.list_saved_filters("findings")] == ["a", "b"]
