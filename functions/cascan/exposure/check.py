"""The states in which looks saw a port → what is said of the port.

Of the newest MAX_LOOKS_PER_EXPOSURE looks, of different scans, the newest two in a row that agree
count: those that lead to the same verdict. So a violation stays until two looks in a row do not
show it, and a new one is not confirmed until a second look does. A port that a single look has
covered is judged by that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
from msgspec.structs import replace

from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.judge import Expectation, ObservedPort, Verdict, VerdictKind, judge
from cascan.limits import MAX_LOOKS_PER_EXPOSURE
from cascan.model.history import NOT_COVERED
from cascan.model.inventory import OPEN, PortKey

AGREEING_LOOKS = 2
ANY_VANTAGE = "any"  # of a port that an entry requires, and that no vantage has covered


class SeenState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a port in one look that covered it."""

    state: str
    seen_at: datetime
    scan_id: str
    service: str = ""  # nmap's name, if the port was open and its service was probed


class PortLooks(msgspec.Struct, frozen=True, kw_only=True):
    """The newest looks that covered a port, each of another scan."""

    vantage: str
    address: str
    key: PortKey
    names: tuple[str, ...] = ()  # under which the host was scanned
    states: tuple[SeenState, ...] = ()  # the newest first
    was_open: bool = False


class CheckedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port, with what the file and its newest looks say of it."""

    vantage: str
    address: str
    key: PortKey
    verdict: Verdict
    name: str = ""
    state: str = NOT_COVERED
    seen_at: datetime | None = None
    looks: int = 0  # that the verdict comes from: 0, 1 or 2
    is_confirmed: bool = True  # False: no two looks in a row agree on it
    is_disputed: bool = False  # the newest look does not show it any more; one is not enough

    @property
    def is_covered(self) -> bool:
        return self.looks > 0


def check_port(
    expectations: ExpectationIndex, port: PortLooks, at: datetime, *, has_current_looks: bool = True
) -> CheckedPort:
    """`has_current_looks`: False: looks may be older than `untestedAfterDays`, and then prove
    nothing fine.
    """
    if not port.states:
        return _build_result(port, _judge_state(expectations, port, None, at), None, 0)
    newest = port.states[0]
    verdicts = [_judge_state(expectations, port, seen, at) for seen in port.states]
    verdict, is_confirmed = _weigh_with_services(verdicts)
    days = expectations.file.settings.untested_after_days
    is_stale = not has_current_looks and at - newest.seen_at > timedelta(days=days)
    is_fine = is_confirmed and verdict.kind is VerdictKind.FINE
    if is_fine and is_stale and verdict.expectation is Expectation.REQUIRED:
        sentence = f"line {verdict.line} requires it, and no look has covered it for more than {days} days"
        verdict = replace(_judge_state(expectations, port, None, at), sentence=sentence)
    result = _build_result(port, verdict, newest, min(len(verdicts), AGREEING_LOOKS))
    is_disputed = is_confirmed and verdict.kind is not VerdictKind.FINE and _differs(verdicts[0], verdict)
    return replace(result, is_confirmed=is_confirmed, is_disputed=is_disputed)


def _weigh_with_services(verdicts: Sequence[Verdict]) -> tuple[Verdict, bool]:
    """As `_weigh`; of an open port's service only the looks tell that probed it."""
    with_service = [verdict for verdict in verdicts if verdict.is_service_known]
    if any(verdict.kind is VerdictKind.OTHER_SERVICE for verdict in with_service):
        verdict, is_confirmed = _weigh(with_service)
        if verdict.kind is VerdictKind.OTHER_SERVICE:
            return verdict, is_confirmed
    return _weigh(verdicts[:MAX_LOOKS_PER_EXPOSURE])


def _differs(newest: Verdict, counted: Verdict) -> bool:
    """Whether the newest look shows something else than the looks that count."""
    if counted.kind is VerdictKind.OTHER_SERVICE and not newest.is_service_known:
        return False
    return counted.kind is not VerdictKind.UNTESTED and newest.kind is not counted.kind


def _weigh(verdicts: Sequence[Verdict]) -> tuple[Verdict, bool]:
    """The verdict, and whether it counts; `verdicts`: of the looks, the newest first."""
    newest = verdicts[0]
    if len(verdicts) == 1:
        return newest, True
    agreeing = next((later for later, earlier in pairwise(verdicts) if later.kind is earlier.kind), None)
    if agreeing is None:
        return newest, False
    if agreeing.kind is VerdictKind.FINE:
        return newest, newest.kind is VerdictKind.FINE
    return agreeing, True


def _judge_state(expectations: ExpectationIndex, port: PortLooks, seen: SeenState | None, at: datetime) -> Verdict:
    observed = ObservedPort(
        vantage=port.vantage,
        address=port.address,
        key=port.key,
        names=port.names,
        state=seen.state if seen else NOT_COVERED,
        service=seen.service if seen else "",
        was_open=port.was_open,
    )
    return judge(expectations, observed, at)


def _build_result(port: PortLooks, verdict: Verdict, newest: SeenState | None, looks: int) -> CheckedPort:
    return CheckedPort(
        vantage=port.vantage,
        address=port.address,
        key=port.key,
        name=port.names[0] if port.names else "",
        verdict=verdict,
        state=newest.state if newest else NOT_COVERED,
        seen_at=newest.seen_at if newest else None,
        looks=looks,
    )


def select_states(states: Iterable[SeenState], *, with_service: bool) -> tuple[SeenState, ...]:
    """The states that `check_port` needs, of looks with the newest first: one of each scan.

    `with_service`: an entry expects a service, so also the newest that probed it.
    """
    by_scan: dict[str, SeenState] = {}
    for seen in states:
        by_scan.setdefault(seen.scan_id, seen)
    selected = list(by_scan.values())[:MAX_LOOKS_PER_EXPOSURE]
    if with_service:
        probed = [seen for seen in by_scan.values() if seen.service][:AGREEING_LOOKS]
        selected += [seen for seen in probed if seen not in selected]
    return tuple(selected)


def has_enough(states: Iterable[SeenState], *, with_service: bool) -> bool:
    """Whether older looks cannot change what `select_states` selects."""
    by_scan: dict[str, SeenState] = {}
    for seen in states:
        by_scan.setdefault(seen.scan_id, seen)
    newest = list(by_scan.values())
    has_pair = any(later.state == earlier.state for later, earlier in pairwise(newest))
    if with_service and any(seen.state == OPEN for seen in newest):
        probed = sum(bool(seen.service) for seen in newest)
        return len(newest) >= MAX_LOOKS_PER_EXPOSURE and probed >= AGREEING_LOOKS
    return has_pair or len(newest) >= MAX_LOOKS_PER_EXPOSURE


class CheckCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many ports came to which result."""

    fine: int = 0
    violations: int = 0
    missing: int = 0
    absent: int = 0
    untested: int = 0  # covered, but the answer does not tell
    not_covered: int = 0
    not_confirmed: int = 0  # no two looks in a row agree on it


def count_results(ports: Iterable[CheckedPort]) -> CheckCounts:
    counts = dict.fromkeys(CheckCounts.__struct_fields__, 0)
    for port in ports:
        counts[to_count_name(port)] += 1
    return CheckCounts(**counts)


COUNT_NAMES: Mapping[VerdictKind, str] = {
    VerdictKind.FINE: "fine",
    VerdictKind.UNEXPECTED_OPEN: "violations",
    VerdictKind.OTHER_SERVICE: "violations",
    VerdictKind.MISSING: "missing",
    VerdictKind.ABSENT: "absent",
    VerdictKind.UNTESTED: "untested",
}


def to_count_name(port: CheckedPort) -> str:
    """The field of CheckCounts that counts the port."""
    if not port.is_confirmed:
        return "not_confirmed"
    if port.verdict.kind is VerdictKind.UNTESTED and not port.is_covered:
        return "not_covered"
    return COUNT_NAMES[port.verdict.kind]
