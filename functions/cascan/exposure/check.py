"""The states in which looks saw a port → what is said of the port.

A state counts after two looks of different scans that agree: that lead to the same verdict. While
the two newest disagree, the verdict of the newer one is not confirmed. A port that a single look
has covered is judged by that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.judge import Expectation, ObservedPort, Verdict, VerdictKind, judge
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
    is_confirmed: bool = True  # False: the two newest looks disagree

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
    verdicts = [_judge_state(expectations, port, seen, at) for seen in port.states[:AGREEING_LOOKS]]
    is_confirmed = len({verdict.kind for verdict in verdicts}) == 1
    verdict = verdicts[0]
    if is_confirmed and verdict.kind is VerdictKind.FINE:
        if not verdict.is_service_known:
            verdict, is_confirmed = _judge_earlier_services(expectations, port, at, verdict)
        days = expectations.file.settings.untested_after_days
        is_stale = not has_current_looks and at - newest.seen_at > timedelta(days=days)
        if is_stale and verdict.expectation is Expectation.REQUIRED and verdict.kind is VerdictKind.FINE:
            verdict = replace(
                _judge_state(expectations, port, None, at),
                sentence=f"line {verdict.line} requires it, and no look has covered it for more than {days} days",
            )
    result = _build_result(port, verdict, newest, len(verdicts))
    return replace(result, is_confirmed=is_confirmed)


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


def _judge_earlier_services(
    expectations: ExpectationIndex, port: PortLooks, at: datetime, verdict: Verdict
) -> tuple[Verdict, bool]:
    """The verdict of the newest looks that probed the service, and whether they agree.

    `verdict`: where none did.
    """
    probed = [seen for seen in port.states if seen.service][:AGREEING_LOOKS]
    verdicts = [_judge_state(expectations, port, seen, at) for seen in probed]
    if not verdicts or verdicts[0].kind is VerdictKind.FINE:
        return verdict, True
    return verdicts[0], len({judged.kind for judged in verdicts}) == 1


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
    selected = list(by_scan.values())[:AGREEING_LOOKS]
    if with_service:
        probed = [seen for seen in by_scan.values() if seen.service][:AGREEING_LOOKS]
        selected += [seen for seen in probed if seen not in selected]
    return tuple(selected)


def has_enough(states: Iterable[SeenState], *, with_service: bool) -> bool:
    """Whether older looks cannot change what `select_states` selects."""
    scans = {seen.scan_id for seen in states}
    probed = {seen.scan_id for seen in states if seen.service}
    newest_is_open = next((seen.state == OPEN for seen in states), False)
    needs_service = with_service and newest_is_open
    return len(scans) >= AGREEING_LOOKS and (not needs_service or len(probed) >= AGREEING_LOOKS)


class CheckCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many ports came to which result."""

    fine: int = 0
    violations: int = 0
    missing: int = 0
    absent: int = 0
    untested: int = 0  # covered, but the answer does not tell
    not_covered: int = 0
    not_confirmed: int = 0  # the two newest looks disagree


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
