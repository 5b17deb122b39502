"""How long a stack keeps things, in the words of `cascan doctor`."""

from __future__ import annotations

import pytest

from cascan_cli.doctor.check import Status
from cascan_cli.doctor.retention import check_retention


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "kept for ever, unless a request says otherwise; reports and results for ever; changes as long as"),
        ({"DefaultTtlSeconds": "604800"}, "kept for 7 days, "),
        ({"DefaultTtlSeconds": "5400"}, "kept for 5,400 seconds, "),
        ({"DefaultTtlSeconds": "0"}, "kept for 0 seconds, "),
        ({"ReportRetentionDays": "1"}, "reports and results for 1 day;"),
        ({"HistoryRetentionDays": "365"}, "changes for 365 days;"),
    ],
)
def test_each_period_is_said_and_a_missing_parameter_has_its_default(parameters: dict[str, str], expected: str) -> None:
    (result,) = check_retention(parameters)

    assert result.status is Status.OK
    assert expected in result.sentence
    assert result.sentence.endswith("the inventory for ever")
