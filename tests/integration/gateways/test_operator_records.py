"""What every OperatorRecords does: the one in memory, and the one on S3."""

from __future__ import annotations

import pytest

from cascan.aws.s3.operator_records import S3OperatorRecords
from cascan.gateways import OperatorRecords
from tests.fakes import MemoryOperatorRecords
from tests.integration.gateways.conftest import BUCKET


@pytest.fixture(params=["memory", "s3"])
def records(request: pytest.FixtureRequest) -> OperatorRecords:
    if request.param == "memory":
        return MemoryOperatorRecords()
    request.getfixturevalue("s3_store")
    return S3OperatorRecords(BUCKET)


def test_a_later_text_replaces_the_one_with_its_name(records: OperatorRecords) -> None:
    assert records.get("switch.json") is None
    for text in (b"1", b"2"):
        records.put("switch.json", text)
    assert records.get("switch.json") == b"2"


def test_names_are_listed_in_order_by_how_they_begin(records: OperatorRecords) -> None:
    for name in ("rules/b/000001.json", "rules/a/000002.json", "rules/a/000001.json", "switch.json"):
        records.put(name, b"{}")
    assert list(records.names("rules/a/")) == ["rules/a/000001.json", "rules/a/000002.json"]
    assert list(records.names("rules/")) == ["rules/a/000001.json", "rules/a/000002.json", "rules/b/000001.json"]
    assert list(records.names("schedules/")) == []


def test_a_text_may_be_removed_twice(records: OperatorRecords) -> None:
    records.put("schedules/a.json", b"{}")
    for _ in range(2):
        records.remove("schedules/a.json")
    assert (records.get("schedules/a.json"), list(records.names(""))) == (None, [])
