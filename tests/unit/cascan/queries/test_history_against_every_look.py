"""Random histories, asked at random times, against an oracle that keeps every look whole.

The oracle knows what each host was like and which ports each scan asked for. It knows nothing of
reports, items or networks, and searches all looks for each answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from msgspec import structs

from cascan.aws.tables import history as history_module
from cascan.aws.tables.history import HistoryItems
from cascan.ids import ReportKey, derive_scan_id
from cascan.inventory.coverage import ScannedPorts
from cascan.inventory.looks import build_look, find_look_time
from cascan.model.history import HOST_NOT_UP, NOT_COVERED, Look
from cascan.model.host import Address, ExtraPorts, ExtraReason, Host, Port, Service
from cascan.model.inventory import PortKey
from cascan.model.report import ScanInfo
from cascan.nmap.intervals import merge_intervals
from cascan.nmap.ports.port_set import PortSet
from cascan.queries.history import find_answer, list_looks, list_spans
from tests.support.memory_items import MemoryItems

START = datetime(2026, 1, 1, tzinfo=UTC)
VANTAGES = ("default", "internet")
# Many in one /24, few in another of the same /16, one elsewhere; and IPv6
ADDRESSES = (
    *(f"10.0.0.{number}" for number in range(1, 21)),
    *(f"10.0.7.{number}" for number in range(1, 4)),
    "10.9.0.1",
    *(f"2001:db8::{number:x}" for number in range(1, 12)),
    "2001:db8:0:9::1",
)
TCP_PORTS, UDP_PORTS = tuple(range(20, 40)), (53, 69, 123, 161)
KEYS: tuple[PortKey, ...] = (*(("tcp", port) for port in TCP_PORTS), *(("udp", port) for port in UDP_PORTS))
STATES = {
    "tcp": ("open", "closed", "filtered", "closed"),
    "udp": ("open", "closed", "filtered", "open|filtered"),
}
QUESTIONS = 250  # of each history
QUICK_SCANS = 4  # that are made one after the other


@dataclass(frozen=True)
class WholeLook:
    """What was true of an address when a scan looked; `states` only has the ports it covered."""

    vantage: str
    address: str
    looked_at: datetime  # to the microsecond, which no report says
    seen_at: datetime  # as the history has it
    scan_id: str
    is_up: bool
    states: dict[PortKey, str]

    def state(self, key: PortKey) -> str | None:
        return self.states.get(key) if self.is_up else HOST_NOT_UP


@dataclass
class Oracle:
    looks: list[WholeLook] = field(default_factory=list)

    def covering(self, vantage: str, address: str, key: PortKey) -> list[WholeLook]:
        looks = [
            look
            for look in self.looks
            if (look.vantage, look.address) == (vantage, address) and look.state(key) is not None
        ]
        return sorted(looks, key=lambda look: (look.looked_at, look.scan_id))


@dataclass
class Report:
    """Part of a report, which is delivered as a whole: looks that were built, or absent addresses."""

    vantage: str
    source: ReportKey
    looks: list[Look]
    whole: list[WholeLook]
    absent: tuple[tuple[str, datetime], ...] = ()


class World:
    """Makes scans of hosts whose ports come and go."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.truth: dict[tuple[str, str], dict[PortKey, str]] = {}

    def reports(self, count: int) -> Iterator[Report]:
        number = 0
        while number < count:
            began = START + timedelta(minutes=20 * number)
            if self.random.random() < 0.8:
                yield from self._scan(number, began, began + timedelta(seconds=3_000))
                number += 1
                continue
            for _ in range(QUICK_SCANS):  # one after the other, within one second
                began += timedelta(milliseconds=self.random.randint(1, 100))
                ended = began + timedelta(milliseconds=self.random.randint(1, 100))
                yield from self._scan(number, began, ended)
                began, number = ended, number + 1

    def _scan(self, number: int, began: datetime, ended: datetime) -> Iterator[Report]:
        random = self.random
        vantage = random.choice(VANTAGES)
        family = random.choice((4, 4, 6))
        addresses = [address for address in ADDRESSES if ip_address(address).version == family]
        chosen = random.sample(addresses, random.randint(1, len(addresses)))
        source = ReportKey(derive_scan_id(f"scan {number}"), random.randint(0, 3), random.randint(1, 3))
        tcp = sorted(random.sample(TCP_PORTS, random.randint(1, len(TCP_PORTS))))
        udp = sorted(random.sample(UDP_PORTS, random.randint(1, len(UDP_PORTS)))) if random.random() < 0.3 else []
        looks, whole, absent = [], [], []
        for place, address in enumerate(chosen):
            looked_at = self._choose_moment(began, ended)
            if random.random() < 0.1:
                absent.append(address)
                continue
            host, states = self._host(vantage, address, tcp, udp)
            host = structs.replace(host, finished_at=looked_at.replace(microsecond=0))
            seen_at = find_look_time(host, began, ended)
            look = build_look(host, _scanned(tcp, udp), source, seen_at, (place * 1_000, 900))
            assert look
            looks.append(look)
            whole.append(WholeLook(vantage, address, looked_at, seen_at, source.scan_id, host.state == "up", states))
        size = random.choice((3, 8, 64))
        for start in range(0, len(looks), size):
            yield Report(vantage, source, looks[start : start + size], whole[start : start + size])
        gone = [WholeLook(vantage, address, ended, ended, source.scan_id, False, {}) for address in absent]
        yield Report(vantage, source, [], gone, tuple((address, ended) for address in absent))

    def _choose_moment(self, began: datetime, ended: datetime) -> datetime:
        """A moment of the run: of a long one a whole second, so that others may have the same."""
        seconds = (ended - began) // timedelta(seconds=1)
        if seconds:
            return began + timedelta(seconds=self.random.randint(0, seconds))
        return began + self.random.random() * (ended - began)

    def _host(self, vantage: str, address: str, tcp: list[int], udp: list[int]) -> tuple[Host, dict[PortKey, str]]:
        random, truth = self.random, self.truth.setdefault((vantage, address), {})
        for key in KEYS:
            if key not in truth or random.random() < 0.1:
                truth[key] = random.choice(STATES[key[0]])
        asked = [("tcp", port) for port in tcp] + [("udp", port) for port in udp]
        common: dict[str, Any] = {"addresses": (Address(address, "ipv4" if "." in address else "ipv6"),)}
        chance = random.random()
        if chance < 0.05:
            return Host(state="down", **common), {}
        if chance < 0.1:
            return Host(state="up", timed_out=True, **common), {}
        states = {key: truth[key] for key in asked}
        if chance < 0.2 and not udp:  # --open: what is not open is neither listed nor counted
            ports = tuple(_port(key, state) for key, state in states.items() if state == "open")
            said = {key: state if state == "open" else "closed|filtered" for key, state in states.items()}
            return Host(state="up", ports=ports, **common), said
        if chance < 0.3 and not udp:  # nmap before 7.9 counts ports without saying which
            return self._old_host(states, common)
        return self._usual_host(states, common), states

    def _usual_host(self, states: dict[PortKey, str], common: dict[str, Any]) -> Host:
        """States that many ports have are counted, others are listed."""
        counts = Counter(state for state in states.values() if state != "open")
        counted = {state for state, count in counts.items() if count > self.random.choice((0, 2, 5))}
        ports = tuple(_port(key, state) for key, state in states.items() if state not in counted)
        extraports = []
        for state in sorted(counted):
            reasons = []
            for protocol in ("tcp", "udp"):
                members = [key[1] for key, value in states.items() if value == state and key[0] == protocol]
                text = str(PortSet((member, member) for member in members))
                if members:
                    reasons.append(ExtraReason("why", len(members), protocol, text))
            extraports.append(ExtraPorts(state, counts[state], tuple(reasons)))
        return Host(state="up", ports=ports, extraports=tuple(extraports), **common)

    def _old_host(self, states: dict[PortKey, str], common: dict[str, Any]) -> tuple[Host, dict[PortKey, str]]:
        ports = tuple(_port(key, state) for key, state in states.items() if state == "open")
        counts = Counter(state for state in states.values() if state != "open")
        extraports = tuple(
            ExtraPorts(state, count, (ExtraReason("why", count),)) for state, count in sorted(counts.items())
        )
        if len(counts) > 1:
            states = {key: state if state == "open" else "closed|filtered" for key, state in states.items()}
        return Host(state="up", ports=ports, extraports=extraports, **common), states


def _port(key: PortKey, state: str) -> Port:
    service = Service(name=f"service {key[1]}", method="probed") if state == "open" else None
    return Port(protocol=key[0], number=key[1], state=state, service=service)


def _scanned(tcp: list[int], udp: list[int]) -> ScannedPorts:
    infos = [ScanInfo(type="syn", protocol="tcp", services=",".join(map(str, tcp)))]
    if udp:
        infos.append(ScanInfo(type="udp", protocol="udp", services=",".join(map(str, udp))))
    return ScannedPorts.from_scaninfo(infos)


def _deliver(items: HistoryItems, report: Report) -> None:
    shared = {group.ports for look in report.looks for group in look.not_open}
    items.store_looks(report.looks, shared_ports=shared, vantage=report.vantage)
    for family in (4, 6):
        numbers = [int(ip_address(a)) for a, _ in report.absent if ip_address(a).version == family]
        if numbers:
            intervals = merge_intervals((number, number) for number in numbers)
            items.store_absences(report.source, family, intervals, report.absent[0][1], vantage=report.vantage)


def _remove(items: HistoryItems, oracle: Oracle, random: Random) -> None:
    vantage, address = random.choice(VANTAGES), random.choice(ADDRESSES)
    number = ip_address(address)
    low, high = (int(number), int(number)) if random.random() < 0.7 else (int(number) - 3, int(number) + 3)
    items.remove_history(number.version, low, high, vantage=vantage)
    oracle.looks = [look for look in oracle.looks if not _is_removed(look, vantage, number.version, low, high)]


def _is_removed(look: WholeLook, vantage: str, family: int, low: int, high: int) -> bool:
    number = ip_address(look.address)
    return look.vantage == vantage and number.version == family and low <= int(number) <= high


@pytest.mark.soak(few=40, many=2_000, at_once=20)
def test_every_answer_is_that_of_the_newest_look_that_covered_the_port(
    seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in seeds:
        random, table, oracle = Random(seed), MemoryItems(), Oracle()  # noqa: S311 - no secret
        monkeypatch.setattr(history_module, "get_all", table.get_all)
        items = HistoryItems(table)
        reports = list(World(random).reports(30))
        random.shuffle(reports)  # late and out of order
        delivered: list[Report] = []
        for report in reports:
            _deliver(items, report)
            oracle.looks += report.whole
            delivered.append(report)
            if random.random() < 0.2:  # a second delivery
                _deliver(items, random.choice(delivered))
            if random.random() < 0.05:
                _remove(items, oracle, random)
                delivered.clear()
        for _ in range(QUESTIONS):
            _ask(items, oracle, random, f"seed {seed}")


def _ask(items: HistoryItems, oracle: Oracle, random: Random, seed: str) -> None:
    vantage, address, key = random.choice(VANTAGES), random.choice(ADDRESSES), random.choice(KEYS)
    looks = oracle.covering(vantage, address, key)
    moment = START + timedelta(seconds=random.randint(-3_600, 12 * 3_600))
    if looks and random.random() < 0.3:  # at a look, or right before it
        moment = random.choice(looks).seen_at - timedelta(seconds=random.choice((0, 1)))
    stale = timedelta(hours=random.randint(1, 6)) if random.random() < 0.3 else None
    question = f"{seed}: {vantage} {address} {key} at {moment}"

    answer = find_answer(items, address, key, moment, vantage=vantage, stale=stale)

    before = [look for look in looks if look.seen_at <= moment]
    after = [look for look in looks if look.seen_at > moment]
    newest = before[-1] if before else None
    is_known = newest and (stale is None or moment - newest.seen_at <= stale)
    assert answer.state == (newest.state(key) if newest and is_known else NOT_COVERED), question
    assert _identity(answer.look) == _identity(newest), question
    assert _identity(answer.next_look) == _identity(after[0] if after else None), question

    if random.random() < 0.8:
        return
    listed, is_all = list_looks(items, address, moment, vantage=vantage)
    spans = [(span.state, span.first.seen_at, span.last.seen_at, span.looks) for span in list_spans(listed, key)]
    assert (spans, is_all) == (_spans(before, key), True), question


def _identity(look: Look | WholeLook | None) -> tuple[datetime, str] | None:
    return (look.seen_at, look.scan_id) if look else None


def _spans(looks: list[WholeLook], key: PortKey) -> list[tuple[str | None, datetime, datetime, int]]:
    spans: list[tuple[str | None, datetime, datetime, int]] = []
    for look in looks:
        if spans and spans[-1][0] == look.state(key):
            state, first, _, count = spans.pop()
            spans.append((state, first, look.seen_at, count + 1))
        else:
            spans.append((look.state(key), look.seen_at, look.seen_at, 1))
    return spans
