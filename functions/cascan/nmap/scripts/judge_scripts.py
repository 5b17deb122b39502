"""A script and a policy profile → whether it may run, and if not why and under which profile it might."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal
from cascan.nmap.scripts.select_scripts import SelectedScript, refuse_script
from cascan.nmap.scripts.table import Script

INTRUSIVE, EVERYTHING = PolicyProfile.INTRUSIVE, PolicyProfile.EVERYTHING
# category, effect or rule → the first profile that allows it, and what the script does ("it …"); the gravest come first
NEEDS: dict[str, tuple[PolicyProfile, str]] = {
    "broadcast": (EVERYTHING, "sends broadcasts, which no list of targets bounds"),
    "unbounded": (EVERYTHING, "runs before any target is known, and sends where no list of targets bounds it"),
    "makes-targets": (EVERYTHING, "is there to add targets to the scan"),
    "dos": (EVERYTHING, "may bring the target down"),
    "exploit": (EVERYTHING, "uses a vulnerability of the target"),
    "changes-target": (EVERYTHING, "changes the target, or runs programs there"),
    "forges": (EVERYTHING, "sends packets under addresses that are not its own"),
    "writes-files": (EVERYTHING, "writes files of the worker"),
    "prints": (EVERYTHING, "is no scan: it tests nmap, or prints what passes by"),
    "leaves": (INTRUSIVE, "follows redirects or links of the target to other hosts"),
    "third-party": (INTRUSIVE, "asks services of third parties about the target, or has it contact them"),
    "external": (INTRUSIVE, "sends data about the target to third parties"),
    "brute": (INTRUSIVE, "guesses passwords"),
    "guesses": (INTRUSIVE, "guesses accounts or passwords"),
    "fuzzer": (INTRUSIVE, "sends the target input that is meant to break it"),
    "malware": (INTRUSIVE, "looks for malware by behaving like its operators"),
    "raw": (INTRUSIVE, "sends packets of its own making, or listens to those of others"),
    "prerule": (INTRUSIVE, "has a part that runs before any target is known"),
    "intrusive": (INTRUSIVE, "may disturb the target, or be taken for an attack"),
    "unsafe-vuln": (INTRUSIVE, "probes for a vulnerability, and is not called safe"),
}
FORCED_SCRIPT = "is to run against every port, whatever its own rule says: + stands before it"
FORCED = "+ has a script run against every port, whatever its own rule says"


class Verdict(StrEnum):
    ALLOWED = "allowed"
    LEFT_OUT = "left out"  # a category or an expression brought it in
    REFUSED = "refused"  # it was named, or forced
    WITH_VERSIONS = "runs with -sV"  # nmap adds it by itself


class ScriptVerdict(msgspec.Struct, frozen=True):
    """What becomes of one script."""

    script: str
    verdict: Verdict
    profile: PolicyProfile  # the least that allows it
    reason: str  # completes "it …", of what needs more than `safe`


class JudgedScripts(msgspec.Struct, frozen=True):
    """What may run; why what was named may not; what was left out of categories and expressions."""

    kept: tuple[SelectedScript, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    verdicts: tuple[ScriptVerdict, ...] = ()


def find_needed_profile(script: Script) -> tuple[PolicyProfile, str]:
    """The least profile that allows a script, and what is the reason; empty where `safe` does."""
    traits = script.categories | script.effects | (script.rules & {"prerule"})
    if "vuln" in traits and "safe" not in traits:
        traits |= {"unsafe-vuln"}
    needs = [need for trait, need in NEEDS.items() if trait in traits]
    return max(needs, key=lambda need: need[0].rank, default=(PolicyProfile.SAFE, ""))


def judge_scripts(selected: Sequence[SelectedScript], policy: PolicyProfile) -> JudgedScripts:
    kept, refusals, left_out, verdicts = [], [], [], []
    for one in selected:
        needed, why = (EVERYTHING, FORCED) if one.forced else find_needed_profile(one.script)
        if policy.allows(needed):
            verdict = Verdict.ALLOWED
            kept.append(one)
        elif one.named or one.forced:
            verdict = Verdict.REFUSED
            name = one.script.name
            refusals.append(refuse_script(name, describe_refusal(name, needed, why, policy, forced=one.forced)))
        else:
            verdict = Verdict.LEFT_OUT
            left_out.append(one.script)
        verdicts.append(ScriptVerdict(one.script.name, verdict, needed, FORCED_SCRIPT if one.forced else why))
    if left_out and not kept and not refusals:
        why = f"nothing of it is left under policy profile {policy}: {_listed(left_out)}"
        refusals.append(refuse_script("--script", why))
    return JudgedScripts(tuple(kept), tuple(refusals), _left_out_notes(left_out, policy), tuple(verdicts))


def describe_refusal(name: str, needed: PolicyProfile, why: str, policy: PolicyProfile, *, forced: bool = False) -> str:
    subject = f"+{name} needs policy profile {needed}: {why}" if forced else (
        f"{name} needs policy profile {needed}: it {why}")  # fmt: skip
    return f"{subject}; this scan has {policy}"


def note_version_scripts(scripts: Iterable[Script], policy: PolicyProfile) -> tuple[str, ...]:
    """-sV runs nmap's version scripts by itself and nothing takes one out: what the profile would not allow is said."""
    beyond = [script for script in scripts if not policy.allows(find_needed_profile(script)[0])]
    return (f"-sV runs, beyond policy profile {policy}: {_listed(beyond)}",) if beyond else ()


def judge_version_scripts(scripts: Iterable[Script], selected: Container[str]) -> Iterator[ScriptVerdict]:
    """Of the scripts that -sV adds, those that were not selected by themselves. nmap runs each, whatever it needs."""
    for script in scripts:
        if script.name not in selected:
            needed, why = find_needed_profile(script)
            yield ScriptVerdict(script.name, Verdict.WITH_VERSIONS, needed, why)


def _left_out_notes(scripts: Sequence[Script], policy: PolicyProfile) -> tuple[str, ...]:
    notes = []
    for profile in PolicyProfile:
        of_profile = [script for script in scripts if find_needed_profile(script)[0] is profile]
        if of_profile:
            notes.append(
                f"left out under policy profile {policy}, allowed by {profile}: "
                + ", ".join(script.name for script in of_profile)
            )
    return tuple(notes)


def _listed(scripts: Sequence[Script]) -> str:
    shown = [
        f"{script.name} ({find_needed_profile(script)[0]}: it {find_needed_profile(script)[1]})"
        for script in scripts[:5]
    ]
    more = f" and {len(scripts) - len(shown)} more" if len(scripts) > len(shown) else ""
    return ", ".join(shown) + more
