"""What a request costs to plan is bounded by what it may hold, whatever it repeats."""

from __future__ import annotations

import pytest

from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.limits import MAX_OPTIONS, MAX_REASONS, MAX_REQUEST_BYTES
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.options.getopt import read_words
from cascan.nmap.scripts.table import script_table
from cascan.nmap.targets.octets import Octets
from cascan.nmap.targets.syntax import parse_target
from cascan.permissions.permissions import Permissions
from cascan.permissions.scope import Scope
from cascan.planning.plan import plan
from tests.data.costly_requests import COSTLY
from tests.support.counting import count_calls

MOST_CALLS = 2_000_000  # about a second of one core; the costliest of these made 100 million, or filled the memory
ALLOWED = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32", "example.org"]


def reasons_of(body: str, policy: PolicyProfile = PolicyProfile.EVERYTHING) -> tuple[str, ...]:
    """Why the request is refused; none: it is planned."""
    try:
        plan(read_request(body).request, Permissions(Scope.of(ALLOWED), policy=policy))
    except RequestRefused as refused:
        return refused.reasons
    return ()


@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY)
def test_a_request_takes_no_more_than_a_bounded_number_of_calls(body: str) -> None:
    assert len(body.encode()) <= MAX_REQUEST_BYTES
    reasons_of(body)  # tables are read once
    assert count_calls(lambda: reasons_of(body)) < MOST_CALLS


@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY)
def test_a_refusal_gives_a_bounded_number_of_reasons_of_bounded_length(body: str) -> None:
    reasons = reasons_of(body)
    assert len(reasons) <= MAX_REASONS + 1
    assert sum(map(len, reasons)) < 32_768


def test_an_argument_costs_the_same_for_one_script_and_for_all_of_them() -> None:
    arguments = ",".join(f"http.k{number}=1" for number in range(900))

    def calls(script: str) -> int:
        body = f'{{"targets": ["127.0.0.1"], "parameters": ["--script", "{script}", "--script-args", "{arguments}"]}}'
        reasons_of(body)
        return count_calls(lambda: reasons_of(body))

    # beside the arguments, each selected script is judged
    assert calls("all") - calls("http-title") < 100 * len(script_table().scripts)


def test_a_word_of_letters_is_read_up_to_a_bounded_number_of_options() -> None:
    assert len(read_words(["-" + "n" * MAX_OPTIONS]).options) == MAX_OPTIONS
    assert read_words(["-" + "n" * MAX_OPTIONS]).errors == []
    (error,) = read_words(["-" + "n" * 60_000]).errors
    assert "more than 1000 options" in error.why


@pytest.mark.parametrize("text", ["10.1,3.*.*", "*.*.*.*", "10.0.0.1", "10.1-3.0-255.1,3,5", "1,3.0-127.*.0-9"])
def test_intervals_are_counted_as_they_are_made(text: str) -> None:
    octets = parse_target(text, 4)
    assert isinstance(octets, Octets)
    assert octets.count_intervals() == len(list(octets.intervals()))
    low, high = 0x0A010000, 0x0A02FFFF
    assert octets.count_intervals(low, high) == len(list(octets.intervals(low, high)))
