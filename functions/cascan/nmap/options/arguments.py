"""A parameter list → checked options, targets and excludes, for one kind of worker.

What comes out is written anew, one spelling for each option: nmap never reads a word the way somebody hid it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from cascan.errors import RequestRefused
from cascan.model.policy_profile import PolicyProfile
from cascan.model.refusal import Refusal, Rule
from cascan.nmap.options.conflicts import NO_PORT_SCAN, find_conflicts
from cascan.nmap.options.getopt import GivenOption, read_words, shorten
from cascan.nmap.options.ignored import find_ignored_options, find_unchecked_names
from cascan.nmap.options.refused_values import nmap_refuses
from cascan.nmap.options.table import Decision, find_option
from cascan.nmap.options.values import hint_for, normalize_value
from cascan.nmap.ports.port_list import InvalidForNmap
from cascan.nmap.ports.printers import exclude_printers
from cascan.nmap.scripts import ScriptVerdict, choose_scripts
from cascan.nmap.targets.syntax import suggest_punycode

Profile = Literal["connect", "raw"]
AGGRESSIVE = ("-sV",)  # what -A stands for, beside the default scripts
AGGRESSIVE_RAW = (*AGGRESSIVE, "-O", "--traceroute")
A_ON_CONNECT = "-A leaves out OS detection and traceroute here: they need raw sockets, scanType nmap-privileged"

NOT_ASCII = "holds a character that is not printable ASCII"


class CheckedArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters after the check. They may run where `refusals` is empty; only then are the other fields complete."""

    options: tuple[str, ...] = ()  # for nmap's command line, without targets, excludes and output
    targets: tuple[str, ...] = ()  # targets among the parameters
    exclude: tuple[str, ...] = ()  # values of --exclude
    family: int = 4  # 4 or 6
    notes: tuple[str, ...] = ()  # options without effect, one sentence each
    scripts: tuple[ScriptVerdict, ...] = ()  # the verdict on each script, also where something is refused
    refusals: tuple[Refusal, ...] = ()


class Arguments(msgspec.Struct, frozen=True):
    """A parameter list as nmap reads it. `errors` holds what nmap would not accept."""

    options: tuple[GivenOption, ...]
    targets: tuple[str, ...]
    errors: tuple[Refusal, ...] = ()

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if any(given.option.name == "-6" for given in self.options) else 4

    @property
    def exclude(self) -> tuple[str, ...]:
        """The values of --exclude."""
        return tuple(given.value or "" for given in self.options if given.option.name == "--exclude")

    @property
    def raw_only(self) -> tuple[str, ...]:
        """The options that need raw sockets, as written."""
        return tuple(given.label for given in self.options if given.option.is_raw)

    def check(self, profile: Profile, policy: PolicyProfile = PolicyProfile.SAFE) -> CheckedArguments:
        """The arguments that may run; as `judge`, but refusals are raised.

        Raises:
            RequestRefused: something is refused; with every reason, a sentence each.
        """
        checked = self.judge(profile, policy)
        if checked.refusals:
            raise RequestRefused(checked.refusals)
        return checked

    def judge(self, profile: Profile, policy: PolicyProfile) -> CheckedArguments:
        """The arguments for one kind of worker, with the verdict on each script and every refusal.

        `policy` decides on scripts and opt-in options.
        """
        check = _Check(profile, policy)
        for given in self.options:
            check.add_option(given)
        check.add_scripts()
        conflicts = find_conflicts(self.options, raw=profile == "raw")
        refusals = (*self.errors, *check.refusals, *conflicts)
        ignored = () if refusals else (*find_ignored_options(self.options), *find_unchecked_names(self.options))
        return CheckedArguments(
            options=tuple(check.words),
            targets=self.targets,
            exclude=tuple(check.exclude),
            family=self.family,
            notes=(*check.notes, *ignored),
            scripts=check.verdicts,
            refusals=refusals,
        )


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Never raises: errors are kept in the result, to be reported with all other refusals."""
    parsed = read_words(words)
    unreadable = [
        Refusal(shorten(word), Rule.VALUE, f"parameter {position} {suggest_punycode(word) or NOT_ASCII}")
        for position, word in enumerate(words, start=1)
        if not all(" " <= char <= "~" for char in word)
    ]
    misread = [Refusal(shorten(error.word), error.rule, error.sentence) for error in parsed.errors]
    return Arguments(tuple(parsed.options), tuple(parsed.targets), (*unreadable, *misread))


class _Check:
    def __init__(self, profile: Profile, policy: PolicyProfile) -> None:
        self.profile = profile
        self.policy = policy
        self.words: list[str] = []
        self.values: dict[str, str] = {}
        self.exclude: list[str] = []
        self.notes: list[str] = []
        self.refusals: list[Refusal] = []
        self.scripts: dict[str, list[str]] = {"--script": [], "--script-args": []}
        self.default_scripts = False
        self.verdicts: tuple[ScriptVerdict, ...] = ()

    def add_option(self, given: GivenOption) -> None:
        option = given.option
        if option.canonical in self.scripts:
            self.scripts[option.canonical].append(given.value or "")
            return
        match option.decision:
            case Decision.REFUSE:
                self._refuse(given, f"{given.label} is refused: it {option.reason}")
            case Decision.OPT_IN if not (option.policy and self.policy.allows(option.policy)):
                self._refuse(given, f"{given.label} needs policy profile {option.policy}: it {option.reason}")
            case _ if option.is_raw and self.profile == "connect":
                self._refuse(given, f"{given.label} needs scanType nmap-privileged: it {option.reason}")
            case Decision.INTERPRET:
                self._interpret(given)
            case _:
                self._emit(given)

    def _emit(self, given: GivenOption) -> None:
        option = given.option
        name = option.canonical
        if given.value is None:
            self._add_flags(name)
            return
        refused_by_nmap, why = nmap_refuses(name, given.value), ""
        if refused_by_nmap:
            why = f"nmap itself refuses {shorten(given.value)!r}{hint_for(option.value)}"
        try:
            value = normalize_value(option.value or "nothing", given.value)
        except ValueError as exc:
            refused_by_nmap |= isinstance(exc, InvalidForNmap)
            why = str(exc)
        if why:
            rule = Rule.GRAMMAR if refused_by_nmap else Rule.VALUE
            self._refuse(given, f"parameter {given.position}: {given.label}: {why}", rule)
            return
        self.values[name] = value
        self.words += [name + value] if is_attached(name) else [name, value]

    def _interpret(self, given: GivenOption) -> None:
        name = given.option.name
        if given.value is not None and nmap_refuses(given.option.canonical, given.value):
            reason = f"parameter {given.position}: {given.label}: nmap itself refuses {shorten(given.value)!r}"
            self._refuse(given, reason, Rule.GRAMMAR)
        elif name == "--exclude":
            self.exclude.append(given.value or "")
        elif name == "-sC":
            self.default_scripts = True
        elif name in ("-4", "-6"):
            return
        elif name == "-A":
            self.default_scripts = True
            self._add_flags(*(AGGRESSIVE if self.profile == "connect" else AGGRESSIVE_RAW))
            if self.profile == "connect":
                self._note(A_ON_CONNECT)
        elif name == "--unprivileged" and self.profile == "raw":
            self._refuse(given, f"{given.label} contradicts scanType nmap-privileged: use scanType nmap")
        elif name != "--privileged" or self.profile == "connect":
            self._note(f"{given.label} has no effect here: it {given.option.reason}")

    def add_scripts(self) -> None:
        """What all options together say about scripts, behind the other words."""
        choice = choose_scripts(
            self.scripts["--script"],
            self.scripts["--script-args"],
            self.policy,
            default=self.default_scripts,
            version="-sV" in self.words,
            asks_names="-R" in self.words,
            asks_ports=not NO_PORT_SCAN & set(self.words),
        )
        self.refusals += choice.refusals
        self.notes += choice.notes
        self.verdicts = choice.verdicts
        if choice.by_number and "-n" not in self.words:
            self._add_flags("-n")
            self._note(choice.by_number)
        if choice.talks_to_ports and "-sV" not in self.words:
            self._leave_printers_out()
        self.words += choice.words

    def _leave_printers_out(self) -> None:
        self.words, refusals, note = exclude_printers(self.words, self.values)
        self.refusals += refusals
        if note:
            self._note(note)

    def _refuse(self, given: GivenOption, reason: str, rule: Rule = Rule.OPTION) -> None:
        self.refusals.append(Refusal(given.label, rule, reason))

    def _add_flags(self, *names: str) -> None:
        self.words += [name for name in names if name not in self.words]

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


def is_attached(name: str) -> bool:
    """Whether the value of a canonical option stands in the same word: -T4, -PS22."""
    return name == "-T" or (name.startswith("-P") and find_option(name) is not None)
