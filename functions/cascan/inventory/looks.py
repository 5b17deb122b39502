"""A host in a report → the look that the history keeps; a look and a port → the port's state."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache

from cascan.ids import ReportKey
from cascan.inventory.coverage import CLOSED_STATES, ScannedPorts
from cascan.inventory.seen_service import NO_SERVICE, to_seen_service
from cascan.limits import MAX_COVERAGE_CHARS, MAX_SERVICES_PER_LOOK
from cascan.model.history import HOST_NOT_UP, Look, NotOpenPorts, OpenPorts, SeenService
from cascan.model.host import ExtraPorts, Host
from cascan.model.inventory import NOT_OPEN, OPEN, OPEN_OR_FILTERED, PortKey
from cascan.nmap.addresses import parse_address
from cascan.nmap.ports.port_set import PortSet, parse_port_set

NOT_OPEN_STATES = CLOSED_STATES | {OPEN_OR_FILTERED}
KNOWN_STATES = NOT_OPEN_STATES | {OPEN}
ListedState = tuple[int, str]  # a port and its state
MAX_CACHED = 1_024  # states of the ports that a report counts; most hosts of a report share a few


def find_look_time(host: Host, run_began: datetime | None, run_ended: datetime) -> datetime:
    """When nmap ended with the host, within its run; `run_ended` where the host does not say, or says
    a time outside the run.

    nmap writes whole seconds, so a host may seem to have ended before its run began. Then the begin
    of the run counts, which its worker measured more finely. So every look lies within its run, and
    of two runs one after the other the second has the later looks, also within one second.
    """
    ended = host.finished_at
    if ended is None or run_began is None:
        return run_ended
    if not run_began.replace(microsecond=0) <= ended <= run_ended:
        return run_ended
    return max(ended, run_began)


def list_shared_ports(scanned: ScannedPorts) -> frozenset[str]:
    """The lists of ports that most looks of the report have in common."""
    return frozenset(map(_to_cut_text, scanned.conclusive.values()))


def build_look(
    host: Host,
    scanned: ScannedPorts,
    source: ReportKey,
    seen_at: datetime,
    place: tuple[int, int] | None = None,
) -> Look | None:
    """The look at the host's address. None: the host has no valid address, or was not probed (-sL).

    `place`: the first byte and the number of bytes of its element in the report; None: unknown.
    """
    if host.state not in {"up", "down"}:
        return None
    try:
        address = str(parse_address(host.address))
    except ValueError:
        return None
    is_up = host.state == "up"
    return Look(
        address=address,
        seen_at=seen_at,
        scan_id=source.scan_id,
        shard=source.shard,
        attempt=source.attempt,
        is_up=is_up,
        open_ports=_group_open(host, scanned) if is_up else (),
        not_open=tuple(_list_not_open(host, scanned)) if is_up else (),
        offset=place[0] if place else 0,
        length=place[1] if place else 0,
    )


def find_state(look: Look, key: PortKey) -> str | None:
    """The port's state in the look. None: the look did not cover the port."""
    if not look.is_up:
        return HOST_NOT_UP
    if find_service(look, key) is not None:
        return OPEN
    return find_not_open_state(look, key)


def find_not_open_state(look: Look, key: PortKey) -> str | None:
    """The state of a port that was not open in the look. None: the look did not cover it."""
    protocol, number = key
    for group in look.not_open:
        if group.protocol == protocol and number in parse_port_set(group.ports):
            return _find_exception(group, number) or group.state
    return None


def find_service(look: Look, key: PortKey) -> SeenService | None:
    """What the port said of its service. None: the port was not open in the look."""
    protocol, number = key
    for group in look.open_ports:
        if group.protocol == protocol and _holds(group.ports, number):
            return group.service
    return None


def open_keys(look: Look) -> Iterator[tuple[PortKey, SeenService]]:
    """The ports that were open, with their services."""
    for group in look.open_ports:
        for low, high in parse_port_set(group.ports).intervals:
            for number in range(low, high + 1):
                yield (group.protocol, number), group.service


def _holds(ports: str, number: int) -> bool:
    return number == int(ports) if ports.isdigit() else number in parse_port_set(ports)


def _find_exception(group: NotOpenPorts, number: int) -> str:
    exceptions = group.exceptions.items()
    return next((state for state, ports in exceptions if number in parse_port_set(ports)), "")


# ---- open ports


def _group_open(host: Host, scanned: ScannedPorts) -> tuple[OpenPorts, ...]:
    """The open ports by service. The ports beyond MAX_SERVICES_PER_LOOK services have none."""
    groups: dict[tuple[str, SeenService], list[int]] = {}
    for port in host.ports:
        if port.state != OPEN or port.protocol in scanned.guessed:
            continue
        key = port.protocol, to_seen_service(port.service) if port.service else NO_SERVICE
        if key not in groups and len(groups) >= MAX_SERVICES_PER_LOOK:
            key = port.protocol, NO_SERVICE
        groups.setdefault(key, []).append(port.number)
    return tuple(OpenPorts(protocol, _to_text(numbers), service) for (protocol, service), numbers in groups.items())


def _to_text(numbers: list[int]) -> str:
    if len(numbers) == 1:
        return str(numbers[0])
    return str(PortSet((number, number) for number in numbers))


# ---- ports that are not open


def _list_not_open(host: Host, scanned: ScannedPorts) -> Iterator[NotOpenPorts]:
    for protocol, ports in scanned.conclusive.items():
        listed = tuple((port.number, port.state) for port in host.ports if port.protocol == protocol)
        if host.timed_out:
            # It is not known which of the other ports nmap had come to
            states = _build_listed_alone(protocol, listed)
        else:
            is_only = len(scanned.conclusive) == 1
            states = _build_states(protocol, ports, host.extraports, listed, is_only_protocol=is_only)
        if states:
            yield states


def _build_states(
    protocol: str,
    scanned: PortSet,
    extraports: tuple[ExtraPorts, ...],
    listed: tuple[ListedState, ...],
    *,
    is_only_protocol: bool,
) -> NotOpenPorts | None:
    """`listed`: every port that the report lists, in whatever state."""
    not_open = tuple(port for port in listed if port[1] in NOT_OPEN_STATES)
    counted = len(listed) if all(port[1] in KNOWN_STATES for port in listed) else -1
    return _build_by_largest(
        protocol, scanned, extraports, not_open, counted, is_only_protocol=is_only_protocol
    ) or _build_by_sets(protocol, scanned, _Counted(extraports, protocol, is_only_protocol=is_only_protocol), listed)


def _build_listed_alone(protocol: str, listed: tuple[ListedState, ...]) -> NotOpenPorts | None:
    exceptions = _group_by_state(port for port in listed if port[1] in NOT_OPEN_STATES)
    if not exceptions:
        return None
    return NotOpenPorts(protocol, _cut(",".join(exceptions.values())), NOT_OPEN, exceptions)


def _group_by_state(listed: Iterable[ListedState]) -> dict[str, str]:
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for number, state in listed:
        numbers[state].append(number)
    return {state: _to_text(members) for state, members in sorted(numbers.items())}


class _Counted:
    """What the report counts by state, without listing it: which ports, where it says so."""

    def __init__(self, extraports: tuple[ExtraPorts, ...], protocol: str, *, is_only_protocol: bool) -> None:
        self.ports: defaultdict[str, list[str]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        self.unnamed: set[str] = set()  # states of ports of which it does not say which they are
        for extra in extraports:
            if not extra.reasons:
                self._add(extra.state, "", extra.count if is_only_protocol else 0)
            for reason in extra.reasons:
                if reason.protocol == protocol:
                    self._add(extra.state, reason.ports, reason.count)
                elif not reason.protocol:
                    self._add(extra.state, "", reason.count if is_only_protocol else 0)

    def _add(self, state: str, ports: str, count: int) -> None:
        self.counts[state] += count
        if ports:
            self.ports[state].append(ports)
        else:
            self.unnamed.add(state)


@lru_cache(maxsize=MAX_CACHED)
def _build_by_largest(
    protocol: str,
    scanned: PortSet,
    extraports: tuple[ExtraPorts, ...],
    not_open: tuple[ListedState, ...],
    listed: int,
    *,
    is_only_protocol: bool,
) -> NotOpenPorts | None:
    """The states where the report accounts for every port, with the state of most as the default.

    `listed`: how many ports it lists, open or not; below 0: also some in another state. None: it
    does not account for every port, or not by name, or has too much to say.
    """
    counted = _Counted(extraports, protocol, is_only_protocol=is_only_protocol)
    if not counted.counts.keys() <= NOT_OPEN_STATES:
        return None
    if listed + counted.counts.total() != count_ports(scanned):
        return None
    if listed < 0 or counted.unnamed - {_find_largest(counted)}:
        return None
    largest = _find_largest(counted)
    texts = {state: list(ports) for state, ports in counted.ports.items() if state != largest}
    for state, ports in _group_by_state(not_open).items():
        if state != largest:
            texts.setdefault(state, []).append(ports)
    exceptions = {state: ",".join(ports) for state, ports in sorted(texts.items())}
    if sum(map(len, exceptions.values())) > MAX_COVERAGE_CHARS:
        return None
    return NotOpenPorts(protocol, _to_cut_text(scanned), largest, exceptions)


def _find_largest(counted: _Counted) -> str:
    return max(counted.counts, key=lambda state: (counted.counts[state], state), default=NOT_OPEN)


def _build_by_sets(
    protocol: str, scanned: PortSet, counted: _Counted, listed: tuple[ListedState, ...]
) -> NotOpenPorts | None:
    """The states where the report does not say of every port what it was.

    What does not fit MAX_COVERAGE_CHARS counts as not covered.
    """
    by_state = {state: parse_port_set(text) for state, text in _group_by_state(listed).items()}
    for state, texts in counted.ports.items():
        ports = PortSet(pair for text in texts for pair in parse_port_set(text).intervals)
        by_state[state] = by_state.get(state, PortSet()) | ports
    covered = remaining = scanned
    exceptions = {}
    for state, ports in sorted(by_state.items()):
        remaining -= ports
        if state not in NOT_OPEN_STATES:
            covered -= ports  # an open port is listed as such, and nothing is known of the others
            continue
        exceptions[state] = _cut(str(ports))
        covered -= ports - parse_port_set(exceptions[state])
    default = _choose_state(counted.unnamed)
    if not default:
        covered -= remaining
    if not covered:
        return None
    return NotOpenPorts(protocol, _cut(str(covered)), default or NOT_OPEN, exceptions)


def _choose_state(unnamed: set[str]) -> str:
    """The state of the ports that have one of these, and it is not known which. Empty: unknown."""
    if len(unnamed) == 1:
        (state,) = unnamed
        return state if state in NOT_OPEN_STATES else ""
    if unnamed <= CLOSED_STATES:  # without any, as with --open: no port was open
        return NOT_OPEN
    return OPEN_OR_FILTERED if unnamed <= NOT_OPEN_STATES else ""


@lru_cache(maxsize=MAX_CACHED)
def count_ports(ports: PortSet) -> int:
    return sum(high - low + 1 for low, high in ports.intervals)


@lru_cache(maxsize=MAX_CACHED)
def _to_cut_text(ports: PortSet) -> str:
    return _cut(str(ports))


def _cut(ports: str) -> str:
    """A long list without its end."""
    if len(ports) <= MAX_COVERAGE_CHARS:
        return ports
    return ports[:MAX_COVERAGE_CHARS].rpartition(",")[0]
