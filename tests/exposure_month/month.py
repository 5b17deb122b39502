"""30 days: each night a scan that loses packets, its looks judged, and the exposures that live by them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from cascan.exposure.check import PortLooks, SeenState, check_port
from cascan.exposure.expectations import ExpectationIndex
from cascan.exposure.judge import ObservedPort, VerdictKind, judge
from cascan.exposure.life import add_looks, start_exposure
from cascan.exposure.read_exposure_file import read_exposure_file
from cascan.exposure_updates.confirm import CONFIRMED_KINDS
from cascan.limits import MAX_LOOKS_PER_EXPOSURE
from cascan.model.exposure import Exposure, ExposureKind, ExposureState, ExposureSubject, JudgedLook, MoveKind
from cascan.model.history import HOST_NOT_UP
from tests.exposure_month.drift import (
    ADDRESSES,
    DAYS,
    EXPECTED,
    FILE,
    SCANNED_PORTS,
    START,
    UNEXPECTED_PORT,
    Drift,
    draw_drifts,
    find_services,
)
from tests.exposure_month.lossy_scan import Wire, scan_host

NIGHT = timedelta(hours=2)  # after midnight
CONFIRMED_AFTER = timedelta(minutes=5)
TOLD_BY_SCAN = 2
COMPARED_SEEDS = 10  # of so many months, one is compared with `cascan exposure check` each night
WATCHED_PORTS = (*EXPECTED, UNEXPECTED_PORT)  # those that can be open
KINDS = (ExposureKind.UNEXPECTED_OPEN, ExposureKind.OTHER_SERVICE, ExposureKind.MISSING, ExposureKind.ABSENT)
Subject = tuple[str, int, str]  # address, port, kind


@dataclass(frozen=True)
class Conditions:
    loss: float = 0.05  # of packets, each way
    rejects: bool = True  # closed ports answer; False: a firewall drops what is sent to them
    confirms: bool = False  # the second look is asked for at once


@dataclass(frozen=True)
class Event:
    """A move of an exposure, with the number of the scan at which it was made, from 1."""

    subject: Subject
    kind: MoveKind
    at: datetime
    scan: int


@dataclass
class Result:
    """What came of months; results can be added."""

    months: int = 0
    looks: int = 0  # at a port
    wrong_looks: int = 0  # that did not see what was there
    drifts: int = 0  # ports that drifted, and came back
    late: int = 0  # drifts or returns that were not told by the second scan after them
    false_alarms: int = 0  # confirmed, without a drift
    false_all_clears: int = 0  # resolved, during a drift
    told_at: Counter[int] = field(default_factory=Counter)  # by the scan after it at which it was told
    disagreements: int = 0  # a check of the same looks would say something else

    def __iadd__(self, other: Result) -> Result:
        for name, value in vars(other).items():
            if name == "told_at":
                self.told_at += value
            else:
                setattr(self, name, getattr(self, name) + value)
        return self


class Month:
    """One simulated month. Its clock is `now`."""

    def __init__(self, seed: int, conditions: Conditions) -> None:
        self.conditions = conditions
        self.compares = seed % COMPARED_SEEDS == 0
        random = Random(f"{seed} {conditions}")  # noqa: S311 - a seeded simulation
        self.wire = Wire(random, conditions.loss)
        self.drifts = draw_drifts(random)
        self.index = ExpectationIndex(read_exposure_file(FILE))
        self.now = START
        self.scan = 0  # the number of the night
        self.runs = 0
        self.exposures: dict[Subject, Exposure] = {}
        self.states: defaultdict[tuple[str, int], list[SeenState]] = defaultdict(list)  # the newest first
        self.events: list[Event] = []
        self.result = Result(months=1)

    def run(self) -> Result:
        for day in range(DAYS):
            self.scan = day + 1
            self.now = START + timedelta(days=day) + NIGHT
            self.runs += 1
            for address in ADDRESSES:
                self._look(address, WATCHED_PORTS, skip_ping=False)
            if self.conditions.confirms:
                self._confirm()
            if self.compares:
                self._compare_with_check()
        self._count()
        return self.result

    def _confirm(self) -> None:
        """The second look at what was opened this night: of the ports alone, without a ping.

        A host that did not answer, and another service, are left to the next scan.
        """
        self.now += CONFIRMED_AFTER
        self.runs += 1
        opened = defaultdict(set)
        for (address, number, kind), exposure in self.exposures.items():
            if exposure.state is ExposureState.OPEN and kind in CONFIRMED_KINDS:
                opened[address].add(number)
        for address, numbers in opened.items():
            self._look(address, tuple(sorted(numbers)), skip_ping=True)

    def _look(self, address: str, watched: tuple[int, ...], *, skip_ping: bool) -> None:
        services = find_services(address, self.drifts, self.now)
        scanned = watched if skip_ping else SCANNED_PORTS
        seen = None
        if services is not None:
            seen = scan_host(services, scanned, self.wire, rejects=self.conditions.rejects, skip_ping=skip_ping)
        for number in watched:
            port = seen[number] if seen else None
            state = port.state if port else (HOST_NOT_UP if not skip_ping else "filtered")
            is_open = services is not None and number in services
            self.result.looks += 1
            self.result.wrong_looks += is_open != (state == "open")
            service = port.service if port and not skip_ping else ""  # a connect scan probes none
            self._judge(address, number, state, service)

    def _judge(self, address: str, number: int, state: str, service: str) -> None:
        key = "tcp", number
        run = f"run {self.runs}"
        self.states[address, number].insert(0, SeenState(state=state, seen_at=self.now, scan_id=run, service=service))
        observed = ObservedPort(vantage="default", address=address, key=key, state=state, service=service)
        verdict = judge(self.index, observed, self.now)
        for kind in KINDS:
            subject = address, number, kind.value
            holds = verdict.kind == kind.value
            if kind is ExposureKind.OTHER_SERVICE and not verdict.is_service_known:
                continue
            exposure = self.exposures.get(subject)
            if exposure is None and not holds:
                continue
            if exposure is None:
                about = ExposureSubject(vantage="default", address=address, protocol="tcp", port=number, kind=kind)
                exposure = start_exposure(about)
            look = JudgedLook(seen_at=self.now, report_key=run, holds=holds)
            changed = add_looks(exposure, [look], self.now)
            self.exposures[subject] = changed
            for move in changed.pending[len(exposure.pending) :]:
                self.events.append(Event(subject, move.kind, move.at, self.scan))

    def _compare_with_check(self) -> None:
        """`cascan exposure check` of the same looks finds the exposures that are confirmed."""
        for (address, number), states in self.states.items():
            kept = tuple(states[:MAX_LOOKS_PER_EXPOSURE])
            port = PortLooks(vantage="default", address=address, key=("tcp", number), states=kept)
            checked = check_port(self.index, port, self.now)
            is_counted = checked.is_confirmed and checked.looks > 1 and checked.verdict.kind is not VerdictKind.FINE
            counted = {checked.verdict.kind.value} if is_counted else set()
            exposures = (self.exposures.get((address, number, kind.value)) for kind in KINDS)
            confirmed = {
                exposure.subject.kind
                for exposure in exposures
                if exposure and exposure.state is ExposureState.CONFIRMED
            }
            self.result.disagreements += counted != confirmed

    def _count(self) -> None:
        for drift in self.drifts:
            for number in drift.ports:
                subject = drift.address, number, drift.exposure_kind.value
                self.result.drifts += 1
                self._count_telling(subject, MoveKind.CONFIRMED, drift.begins_at)
                self._count_telling(subject, MoveKind.RESOLVED, drift.ends_at)
        for event in self.events:
            is_true = any(_concerns(drift, event.subject) and drift.holds_at(event.at) for drift in self.drifts)
            self.result.false_alarms += event.kind is MoveKind.CONFIRMED and not is_true
            self.result.false_all_clears += event.kind is MoveKind.RESOLVED and is_true

    def _count_telling(self, subject: Subject, kind: MoveKind, since: datetime) -> None:
        """By which scan after `since` the move was made."""
        scans_before = sum(START + timedelta(days=day) + NIGHT < since for day in range(DAYS))
        moves = (event for event in self.events if event.subject == subject and event.kind is kind)
        told = next((event.scan - scans_before for event in moves if event.at >= since), DAYS)
        self.result.told_at[told] += 1
        self.result.late += told > TOLD_BY_SCAN


def _concerns(drift: Drift, subject: Subject) -> bool:
    address, number, kind = subject
    return drift.address == address and number in drift.ports and drift.exposure_kind.value == kind


def run_months(seeds: Iterator[int] | range, conditions: Conditions) -> Result:
    total = Result()
    for seed in seeds:
        total += Month(seed, conditions).run()
    return total
