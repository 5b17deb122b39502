"""What of the scope was never asked."""

from __future__ import annotations

from typing import Any

import pytest

from cascan.model.scan import Outcome, ScanState
from cascan.permissions.scope import Scope
from cascan.queries.scope_coverage import ScopeCoverage, find_scope_coverage
from tests.support.builders import a_request, a_scan

SCOPE = Scope.of(["10.0.0.0/24", "2001:db8::/126"])
FIRST = 10 << 24


def cover(
    *targets: str, exclude: tuple[str, ...] = (), parameters: tuple[str, ...] = (), **fields: Any
) -> list[ScopeCoverage]:
    request = a_request(targets=targets, exclude=exclude, parameters=parameters)
    plain = {"state": ScanState.DONE, "outcome": Outcome.COMPLETE}
    scan = a_scan(request=request, **{**plain, **fields})
    return find_scope_coverage({4: SCOPE.permitted4, 6: SCOPE.permitted6}, [scan])


def test_without_scans_everything_is_a_gap() -> None:
    covered = find_scope_coverage({4: SCOPE.permitted4, 6: SCOPE.permitted6}, [])
    assert [(each.family, each.addresses, each.asked) for each in covered] == [(4, 256, 0), (6, 4, 0)]


@pytest.mark.parametrize(
    ("targets", "gaps"),
    [
        (("10.0.0.0/25",), ((128, 255),)),
        (("10.0.0.0-9", "10.0.0.20:22", "web.example.com"), ((10, 19), (21, 255))),
        (("10.0.0.0/8",), ()),
        (("10.0.0.1,3",), ((0, 0), (2, 2), (4, 255))),
        (("not a target!",), ((0, 255),)),
    ],
)
def test_targets_by_number_are_asked(targets: tuple[str, ...], gaps: tuple[tuple[int, int], ...]) -> None:
    covered = cover(*targets)[0]
    assert [(low - FIRST, high - FIRST) for low, high in covered.gaps] == list(gaps)


def test_what_was_excluded_is_a_gap_and_targets_may_be_among_the_parameters() -> None:
    covered = cover(exclude=("10.0.0.7",), parameters=("-p", "22", "10.0.0.0/24"))[0]
    assert (covered.asked, covered.gaps) == (255, ((FIRST + 7, FIRST + 7),))


def test_targets_of_ipv6_count_in_a_scan_of_ipv6() -> None:
    covered = cover("2001:db8::1", parameters=("-6",))
    assert [each.asked for each in covered] == [0, 1]


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": Outcome.FAILED},
        {"outcome": None, "state": ScanState.SCANNING},
        {"outcome": None, "state": ScanState.ERRORED},
    ],
)
def test_a_scan_that_failed_or_runs_has_asked_nothing(fields: dict[str, Any]) -> None:
    assert cover("10.0.0.0/24", **fields)[0].asked == 0
