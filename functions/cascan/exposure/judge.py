"""Does the state of a port differ from what is expected? A table that is total, and pure.

    expectation     what the file says of a port of a host, seen from a vantage
    ──────────────  ────────────────────────────────────────────────────────────────────────
    not expected    no valid entry holds the host, the port and the vantage
    required        one does, and the port has to be open
    allowed         one does, and the port may be open

The narrowest valid entry decides; see cascan.exposure.expectations. An entry whose last day is over
expects nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from cascan.exposure.expectations import FIRST_LINE, ExpectationIndex, ExpectedExposure
from cascan.model.history import HOST_NOT_UP, NOT_COVERED
from cascan.model.inventory import NOT_OPEN, OPEN, OPEN_OR_FILTERED, PortKey

CLOSED, FILTERED = "closed", "filtered"
WAS_OPEN = "not covered, open before"


class Expectation(StrEnum):
    NOT_EXPECTED = "not expected"
    REQUIRED = "required"
    ALLOWED = "allowed"


class VerdictKind(StrEnum):
    FINE = "fine"
    UNEXPECTED_OPEN = "unexpected-open"
    OTHER_SERVICE = "other-service"
    MISSING = "missing"
    ABSENT = "absent"
    UNTESTED = "untested"


VIOLATIONS = frozenset({VerdictKind.UNEXPECTED_OPEN, VerdictKind.OTHER_SERVICE})

STATES = (OPEN, OPEN_OR_FILTERED, CLOSED, FILTERED, NOT_OPEN, HOST_NOT_UP, NOT_COVERED, WAS_OPEN)
_FINE = dict.fromkeys(STATES, VerdictKind.FINE)
VERDICTS: Mapping[Expectation, Mapping[str, VerdictKind]] = {
    Expectation.NOT_EXPECTED: _FINE
    | {
        OPEN: VerdictKind.UNEXPECTED_OPEN,
        OPEN_OR_FILTERED: VerdictKind.UNTESTED,
        WAS_OPEN: VerdictKind.UNTESTED,
    },
    Expectation.REQUIRED: {
        OPEN: VerdictKind.FINE,  # OTHER_SERVICE if the service is known, and another one is expected
        OPEN_OR_FILTERED: VerdictKind.UNTESTED,
        CLOSED: VerdictKind.MISSING,
        FILTERED: VerdictKind.MISSING,
        NOT_OPEN: VerdictKind.MISSING,
        HOST_NOT_UP: VerdictKind.ABSENT,
        NOT_COVERED: VerdictKind.UNTESTED,
        WAS_OPEN: VerdictKind.UNTESTED,
    },
    Expectation.ALLOWED: _FINE,  # OTHER_SERVICE as above
}


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge says of one port in one state."""

    kind: VerdictKind
    expectation: Expectation
    sentence: str
    # Of the entry that decides; of a port that is not expected, of the narrowest entry that holds
    # the host; 1: there is none
    line: int = FIRST_LINE
    entry: ExpectedExposure | None = None
    # False: the entry expects a service, and the look did not probe it
    is_service_known: bool = True

    @property
    def is_violation(self) -> bool:
        return self.kind in VIOLATIONS


class ObservedPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port of a host, in the state in which a look saw it."""

    vantage: str
    address: str
    key: PortKey
    state: str  # nmap's word, HOST_NOT_UP or NOT_COVERED
    names: tuple[str, ...] = ()  # of the host
    service: str = ""  # nmap's name, if the service was probed; empty: not known
    was_open: bool = False  # an earlier look saw it open

    @property
    def table_state(self) -> str:
        """One of STATES. A state that says nothing of the port, such as `unfiltered`: NOT_COVERED."""
        state = self.state if self.state in STATES else NOT_COVERED
        return WAS_OPEN if state == NOT_COVERED and self.was_open else state


def judge(expectations: ExpectationIndex, port: ObservedPort, at: datetime) -> Verdict:
    """`at`: the time with which the last day of an entry is compared."""
    holding = [found.entry for found in expectations.find_entries(port.address, port.names)]
    deciding = next((entry for entry in holding if _expects(entry, port, at)), None)
    if deciding is None:
        kind = VERDICTS[Expectation.NOT_EXPECTED][port.table_state]
        absence = _explain_absence(holding, port, at)
        return Verdict(
            kind=kind,
            expectation=Expectation.NOT_EXPECTED,
            sentence=f"{_describe(port)}; {absence}",
            line=holding[0].line if holding else FIRST_LINE,
            entry=holding[0] if holding else None,
        )
    expectation = Expectation.REQUIRED if deciding.required else Expectation.ALLOWED
    verdict = Verdict(
        kind=VERDICTS[expectation][port.table_state],
        expectation=expectation,
        sentence=f"{_describe(port)}; {_name_line(deciding)} {'requires' if deciding.required else 'allows'} it",
        line=deciding.line,
        entry=deciding,
    )
    return _judge_service(verdict, deciding, port) if deciding.service and port.state == OPEN else verdict


def _expects(entry: ExpectedExposure, port: ObservedPort, at: datetime) -> bool:
    return entry.includes_port(port.key) and entry.includes_vantage(port.vantage) and not entry.is_expired(at)


def _judge_service(verdict: Verdict, entry: ExpectedExposure, port: ObservedPort) -> Verdict:
    """The verdict on an open port whose service the entry names."""
    if not port.service:
        return replace(verdict, is_service_known=False)
    if port.service.lower() == entry.service:
        return verdict
    sentence = f"{port.key[0]}/{port.key[1]} runs {port.service}; {_name_line(entry)} expects {entry.service}"
    return replace(verdict, kind=VerdictKind.OTHER_SERVICE, sentence=sentence)


def _name_line(entry: ExpectedExposure) -> str:
    """With its file: the sentence is read in messages and findings, too."""
    return f"line {entry.line} of the exposure file"


def _describe(port: ObservedPort) -> str:
    name = f"{port.key[0]}/{port.key[1]}"
    return f"the host of {name} is not up" if port.state == HOST_NOT_UP else f"{name} is {port.table_state}"


def _explain_absence(holding: list[ExpectedExposure], port: ObservedPort, at: datetime) -> str:
    """Why no entry expects the port: the nearest reason."""
    with_port = [entry for entry in holding if entry.includes_port(port.key)]
    for entry in with_port:
        if entry.includes_vantage(port.vantage) and entry.is_expired(at):
            return f"{_name_line(entry)} expected it until {entry.until}, which has passed"
    for entry in with_port:
        if not entry.includes_vantage(port.vantage):
            return f"{_name_line(entry)} expects it from {', '.join(entry.vantages)}, not from {port.vantage}"
    if holding:
        return f"{_name_line(holding[0])} does not list this port"
    return "no entry holds this host"
