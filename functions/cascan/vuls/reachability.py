"""The states of the ports that were asked → what is said of each listener.

Only `open` is reachable. `open|filtered`, which is no answer at all, is reported and not reachable.
Where a port was not asked, or nothing answered on its address, nothing is said of it: it is neither
reachable nor closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from cascan.inventory.coverage import CLOSED_STATES
from cascan.model.inventory import OPEN
from cascan.vuls.destinations import ServerPlaces
from cascan.vuls.results import Listener, VulsResults

OPEN_FILTERED = "open|filtered"
NOT_ASKED = "it was not asked"


class Answer(StrEnum):
    OPEN = "open"
    OPEN_FILTERED = "open|filtered"
    NOT_OPEN = "not-open"
    UNKNOWN = "unknown"


class PortStates(msgspec.Struct, frozen=True):
    """What scans say of ports."""

    states: Mapping[tuple[str, int], str] = {}  # address and port → state in nmap's words
    problems: Mapping[str, str] = {}  # address → why nothing is known of its other ports
    default_problem: str = NOT_ASKED

    def judge(self, address: str, port: int) -> tuple[Answer, str]:
        """The answer, and why it is unknown if it is."""
        state = self.states.get((address, port))
        if state is None:
            return Answer.UNKNOWN, self.problems.get(address, self.default_problem)
        if state == OPEN:
            return Answer.OPEN, ""
        if state == OPEN_FILTERED:
            return Answer.OPEN_FILTERED, ""
        if state in CLOSED_STATES:
            return Answer.NOT_OPEN, ""
        return Answer.UNKNOWN, f"{state} does not say whether it is open; choose another technique"


class ListenerAnswer(msgspec.Struct, frozen=True):
    """What is said of one listener. The addresses are written as in portReachableTo."""

    listener: Listener
    reachable: tuple[str, ...] = ()
    open_filtered: tuple[str, ...] = ()
    not_open: tuple[str, ...] = ()
    unknown: Mapping[str, str] = {}  # address → why

    @property
    def is_known(self) -> bool:
        """Whether portReachableTo can be written: something is open, or everything was answered."""
        return bool(self.reachable) or not self.unknown

    @property
    def line(self) -> str:
        """As Vuls prints it: `addr:port`, and `(◉ Scannable: [ip ip])` if it is reachable.

        Of a listener of which nothing is known, what the file said before.
        """
        shown = self.reachable if self.is_known else self.listener.found
        endpoint = self.listener.endpoint
        return f"{endpoint}(◉ Scannable: [{' '.join(shown)}])" if shown else endpoint


def judge_listeners(results: VulsResults, places: ServerPlaces, states: PortStates) -> list[ListenerAnswer]:
    return [_judge(listener, places, states) for listener in results.listeners]


def _judge(listener: Listener, places: ServerPlaces, states: PortStates) -> ListenerAnswer:
    if reason := places.skipped.get(listener.where):
        return ListenerAnswer(listener, unknown={listener.bind: reason})
    written: dict[Answer, list[str]] = {answer: [] for answer in Answer}
    unknown: dict[str, str] = {}
    for place in places.places[listener.where]:
        answer, reason = states.judge(place.address, listener.port)
        written[answer].append(place.written)
        if answer is Answer.UNKNOWN:
            unknown[place.written] = reason
    return ListenerAnswer(
        listener,
        tuple(written[Answer.OPEN]),
        tuple(written[Answer.OPEN_FILTERED]),
        tuple(written[Answer.NOT_OPEN]),
        unknown,
    )


def describe_unknown(answers: Iterable[ListenerAnswer]) -> Iterator[str]:
    """A sentence for each listener of which something is unknown."""
    for answer in answers:
        endpoint = answer.listener.endpoint
        for address, reason in answer.unknown.items():
            if reason.startswith(endpoint):
                yield f"cascan: reachability unknown: {reason}"
            else:
                yield f"cascan: reachability of {endpoint} at {address} unknown: {reason}"
