"""Scripts and a policy profile → which may run; if not, why, and which profile allows them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal
from cascan.nmap.scripts.select_scripts import SelectedScript, refuse_script
from cascan.nmap.scripts.table import Script

INTRUSIVE, EVERYTHING = PolicyProfile.INTRUSIVE, PolicyProfile.EVERYTHING
# Category, effect or rule → the least profile that allows it, and what the script does ("it …").
# The most dangerous ones come first.
NEEDS: dict[str, tuple[PolicyProfile, str]] = {
    "broadcast": (EVERYTHING, "sends broadcasts, which no list of targets bounds"),
    "unbounded": (
        EVERYTHING,
        "runs before any target is known, and sends where no list of targets bounds it",
    ),
    "makes-targets": (EVERYTHING, "is there to add targets to the scan"),
    "dos": (EVERYTHING, "may bring the target down"),
    "exploit": (EVERYTHING, "uses a vulnerability of the target"),
    "changes-target": (EVERYTHING, "changes the target, or runs programs there"),
    "forges": (EVERYTHING, "sends packets under addresses that are not its own"),
    "writes-files": (EVERYTHING, "writes files of the worker"),
    "prints": (EVERYTHING, "does not scan: it tests nmap, or prints what passes by"),
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
EVERY_PORT = "every port, whatever its own rule says"
FORCED_SCRIPT = f"would run against {EVERY_PORT}, because of the + before it"
FORCED = f"+ makes a script run against {EVERY_PORT}"

MAX_LISTED = 5  # scripts in one sentence


class Verdict(StrEnum):
    ALLOWED = "allowed"
    LEFT_OUT = "left out"  # selected by a category or an expression
    REFUSED = "refused"  # named, or forced
    WITH_VERSIONS = "runs with -sV"  # nmap adds it by itself


class ScriptVerdict(msgspec.Struct, frozen=True):
    """The verdict on one script."""

    script: str
    verdict: Verdict
    profile: PolicyProfile  # the least that allows it
    reason: str  # why it needs more than `safe`; completes "it …"


class JudgedScripts(msgspec.Struct, frozen=True):
    """Scripts that may run, refusals of named ones, and notes on those that are left out."""

    allowed: tuple[SelectedScript, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    verdicts: tuple[ScriptVerdict, ...] = ()


def find_needed_profile(script: Script) -> tuple[PolicyProfile, str]:
    """The least profile that allows a script, and the reason. That is empty for `safe`."""
    traits = script.categories | script.effects | (script.rules & {"prerule"})
    if "vuln" in traits and "safe" not in traits:
        traits |= {"unsafe-vuln"}
    needs = [need for trait, need in NEEDS.items() if trait in traits]
    return max(needs, key=lambda need: need[0].rank, default=(PolicyProfile.SAFE, ""))


def judge_scripts(selected: Sequence[SelectedScript], policy: PolicyProfile) -> JudgedScripts:
    """The verdict on each selected script under a policy profile."""
    allowed, refusals, left_out, verdicts = [], [], [], []
    for candidate in selected:
        script, forced = candidate.script, candidate.forced
        needed, reason = (EVERYTHING, FORCED) if forced else find_needed_profile(script)
        if policy.allows(needed):
            verdict = Verdict.ALLOWED
            allowed.append(candidate)
        elif candidate.named or forced:
            verdict = Verdict.REFUSED
            sentence = describe_refusal(script.name, needed, reason, policy, forced=forced)
            refusals.append(refuse_script(script.name, sentence))
        else:
            verdict = Verdict.LEFT_OUT
            left_out.append(script)
        shown_reason = FORCED_SCRIPT if forced else reason
        verdicts.append(ScriptVerdict(script.name, verdict, needed, shown_reason))
    if left_out and not allowed and not refusals:
        reason = f"policy profile {policy} allows none of it: {_list_with_needs(left_out)}"
        refusals.append(refuse_script("--script", reason))
    return JudgedScripts(
        allowed=tuple(allowed),
        refusals=tuple(refusals),
        notes=_note_left_out(left_out, policy),
        verdicts=tuple(verdicts),
    )


def describe_refusal(name: str, needed: PolicyProfile, why: str, policy: PolicyProfile, *, forced: bool = False) -> str:
    """A sentence on a script that needs a wider profile than the scan has."""
    subject, cause = (f"+{name}", why) if forced else (name, f"it {why}")
    return f"{subject} needs policy profile {needed}: {cause}; this scan has {policy}"


def note_version_scripts(scripts: Iterable[Script], policy: PolicyProfile) -> tuple[str, ...]:
    """A note on version scripts that the profile does not allow.

    -sV runs them all. None can be left out.
    """
    beyond = [script for script in scripts if not policy.allows(find_needed_profile(script)[0])]
    if not beyond:
        return ()
    return (f"-sV runs, beyond policy profile {policy}: {_list_with_needs(beyond)}",)


def judge_version_scripts(scripts: Iterable[Script], selected: Container[str]) -> Iterator[ScriptVerdict]:
    """Verdicts on scripts that -sV adds to the selection.

    nmap runs each of them, whatever profile it needs.
    """
    for script in scripts:
        if script.name not in selected:
            needed, why = find_needed_profile(script)
            yield ScriptVerdict(script.name, Verdict.WITH_VERSIONS, needed, why)


def _note_left_out(scripts: Sequence[Script], policy: PolicyProfile) -> tuple[str, ...]:
    notes = []
    for profile in PolicyProfile:
        of_profile = [script for script in scripts if find_needed_profile(script)[0] is profile]
        if of_profile:
            names = ", ".join(script.name for script in of_profile)
            notes.append(f"left out under policy profile {policy}, allowed by {profile}: {names}")
    return tuple(notes)


def _list_with_needs(scripts: Sequence[Script]) -> str:
    listed = []
    for script in scripts[:MAX_LISTED]:
        needed, reason = find_needed_profile(script)
        listed.append(f"{script.name} ({needed}: it {reason})")
    others = len(scripts) - len(listed)
    return ", ".join(listed) + (f" and {others} more" if others else "")
