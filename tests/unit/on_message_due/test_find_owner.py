"""The owner of a host is that of the narrowest group that has one; without a readable file nobody has one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cascan.limits import OWNERS_READ_EVERY_S
from cascan.model.exposure import StoredExpectations
from on_message_due.find_owner import OwnerFinder

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GROUPS = """\
groups:
  all: {owner: net, hosts: [10.0.0.0/8, "2001:db8::/32"]}
  shop: {owner: ann, hosts: [10.0.0.0/28, web.example.com]}
  nobody: {hosts: [10.0.0.1]}
  twin: {owner: bob, hosts: [10.0.0.0/28]}
expected: []
"""


class Table:
    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.reads = 0

    def expectations(self) -> StoredExpectations | None:
        self.reads += 1
        version = len(self.texts)
        return StoredExpectations(version=version, text=self.texts[-1], applied_at=NOW) if self.texts else None


@pytest.mark.parametrize(
    ("address", "names", "owner"),
    [
        ("10.0.0.1", (), "ann"),  # the narrowest group has no owner; of two equal ones the first counts
        ("10.0.0.77", (), "net"),
        ("10.0.0.77", ("WEB.example.com.",), "ann"),
        ("2001:db8::1", (), "net"),
        ("192.0.2.1", (), ""),
        ("aa:bb:cc:dd:ee:ff", (), ""),
    ],
)
def test_the_narrowest_group_with_an_owner_counts(address: str, names: tuple[str, ...], owner: str) -> None:
    assert OwnerFinder(Table(GROUPS), lambda: NOW).find_owner(address, names) == owner


@pytest.mark.parametrize("texts", [(), ("expected: {",), ("expected: []\nunknown: 1",)])
def test_without_a_readable_file_no_host_has_an_owner(texts: tuple[str, ...]) -> None:
    assert OwnerFinder(Table(*texts), lambda: NOW).find_owner("10.0.0.1") == ""


def test_the_file_is_read_again_after_a_while() -> None:
    clock: Any = SimpleNamespace(now=NOW)
    table = Table(GROUPS)
    finder = OwnerFinder(table, lambda: clock.now)
    assert [finder.find_owner("10.0.0.1") for _ in range(3)] == ["ann"] * 3
    table.texts.append("groups: {shop: {owner: eve, hosts: [10.0.0.1]}}\nexpected: []")
    clock.now += timedelta(seconds=OWNERS_READ_EVERY_S + 1)
    assert [finder.find_owner("10.0.0.1") for _ in range(3)] == ["eve"] * 3
    assert table.reads == 2
