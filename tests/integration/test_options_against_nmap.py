"""Option lists at random, judged here and by the real nmap, which runs in a network of its own.

What is accepted here nmap accepts, as it was written and as it is passed on. Every refusal carries its rule, and what
is refused by rule `grammar` nmap refuses as well; the other rules are those of cascan and of the operator.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.arguments import Arguments, Profile, parse_arguments
from cascan.nmap.targets.exclusion import Exclusion
from tests.support.nmap_lists import ENDS_NMAP, option_list
from tests.support.real_nmap import may_be_alone, verdicts

pytestmark = [
    pytest.mark.skipif(not shutil.which("nmap"), reason="nmap is not installed"),
    pytest.mark.skipif(not may_be_alone(), reason="a network namespace needs root"),
]
ENOUGH_S = 60.0  # for nmap to say what it thinks of options, on any machine
A_MOMENT_S = 0.7  # of scanning loopback: nmap has read its options by then, and on a busy machine less is found out
OPTION_RULES = {Rule.GRAMMAR, Rule.VALUE, Rule.LEFT_UNDONE, Rule.OPTION, Rule.SCRIPT, Rule.TARGET_SYNTAX}


class Judged(NamedTuple):
    """A list, and what cascan makes of it: the words for nmap, or the refusals."""

    words: tuple[str, ...]
    read: Arguments
    profile: Profile
    passed_on: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()

    @property
    def privileges(self) -> str:
        return "--privileged" if self.profile == "raw" else "--unprivileged"

    @property
    def target(self) -> str:
        return "::1" if self.read.family == 6 else "127.0.0.1"


def judge(words: Sequence[str], profile: Profile) -> Judged:
    read = parse_arguments(words)
    try:
        checked = read.check(profile, PolicyProfile.EVERYTHING)
        Exclusion.parse(read.exclude, read.family)
    except RequestRefused as refused:
        return Judged(tuple(words), read, profile, refusals=refused.refusals)
    family = ["-6"] if read.family == 6 else []
    return Judged(tuple(words), read, profile, (*checked.options, *family))


def judged_lists(seeds: Sequence[int]) -> list[Judged]:
    """Two of three for raw workers, where more is allowed."""
    return [judge(option_list(seed), "raw" if seed % 3 else "connect") for seed in seeds]


@pytest.mark.soak(few=300, many=6_000, at_once=150)
def test_nmap_accepts_what_is_accepted_here_as_it_was_written(seeds: range) -> None:
    accepted = [one for one in judged_lists(seeds) if not one.refusals]
    assert accepted
    found = verdicts([(one.privileges, *one.words) for one in accepted], ENOUGH_S)
    refused = [(one.words, one.profile, verdict.said) for one, verdict in zip(accepted, found, strict=True)
               if not verdict.accepted]  # fmt: skip
    assert refused == []


@pytest.mark.soak(few=150, many=6_000, at_once=150)
def test_nmap_scans_a_target_with_what_is_passed_on_to_it(seeds: range) -> None:
    accepted = [one for one in judged_lists(seeds) if not one.refusals]
    assert accepted
    end = ("--host-timeout", "1s")  # whatever the list says: it was checked before
    found = verdicts([(*one.passed_on, one.privileges, *end, one.target) for one in accepted], A_MOMENT_S)
    refused = [(one.words, one.passed_on, verdict.said) for one, verdict in zip(accepted, found, strict=True)
               if not verdict.accepted]  # fmt: skip
    assert refused == []


@pytest.mark.soak(few=600, many=12_000, at_once=300)
def test_nmap_refuses_what_is_refused_here_by_its_grammar(seeds: range) -> None:
    refused = [one for one in judged_lists(seeds) if any(refusal.rule is Rule.GRAMMAR for refusal in one.refusals)]
    refused = [one for one in refused if not ENDS_NMAP & {given.option.name for given in one.read.options}]
    assert refused
    found = verdicts([(one.privileges, one.target, *one.words) for one in refused], ENOUGH_S)
    accepted = [(one.words, one.profile, one.refusals) for one, verdict in zip(refused, found, strict=True)
                if verdict.accepted]  # fmt: skip
    assert accepted == []


@pytest.mark.soak(few=3_000, many=30_000)
def test_every_refusal_carries_its_rule_and_a_sentence(seeds: range) -> None:
    refusals = [refusal for one in judged_lists(seeds) for refusal in one.refusals]
    assert {refusal.rule for refusal in refusals} == OPTION_RULES
    assert all(refusal.reason for refusal in refusals)
