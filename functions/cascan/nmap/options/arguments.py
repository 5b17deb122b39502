"""A parameter list → checked options, targets and excludes, for one kind of worker.

The options are rebuilt in one canonical spelling. So nmap never gets a word that it could read in
another way than the check did.
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
from cascan.nmap.targets.kinds import IPV4, IPV6
from cascan.nmap.targets.syntax import suggest_punycode

Profile = Literal["connect", "raw"]
AGGRESSIVE = ("-sV",)  # what -A stands for, beside the default scripts
AGGRESSIVE_RAW = (*AGGRESSIVE, "-O", "--traceroute")
LEFT_OUT_OF_A = "-A leaves out OS detection and traceroute here"
A_ON_CONNECT = f"{LEFT_OUT_OF_A}: they need raw sockets, scanType nmap-privileged"

NOT_ASCII = "holds a character that is not printable ASCII"


class CheckedArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Parameters after the check.

    They may run if `refusals` is empty; otherwise the other fields are incomplete.
    """

    options: tuple[str, ...] = ()  # for nmap's command line, without targets, excludes and output
    targets: tuple[str, ...] = ()  # those among the parameters
    exclude: tuple[str, ...] = ()  # values of --exclude
    family: int = 4  # 4 or 6
    notes: tuple[str, ...] = ()  # options without effect, one sentence each
    scripts: tuple[ScriptVerdict, ...] = ()  # the verdict on each script, even if it is refused
    refusals: tuple[Refusal, ...] = ()


class Arguments(msgspec.Struct, frozen=True):
    """A parameter list as nmap reads it.

    `errors` are refusals of words that nmap would not accept.
    """

    options: tuple[GivenOption, ...]
    targets: tuple[str, ...]
    errors: tuple[Refusal, ...] = ()

    @property
    def family(self) -> int:
        """4 or 6."""
        names = {given.option.name for given in self.options}
        return IPV6 if "-6" in names else IPV4

    @property
    def exclude(self) -> tuple[str, ...]:
        """The values of --exclude."""
        excludes = (given for given in self.options if given.option.name == "--exclude")
        return tuple(given.value or "" for given in excludes)

    @property
    def raw_only(self) -> tuple[str, ...]:
        """The options that need raw sockets, as written."""
        return tuple(given.label for given in self.options if given.option.is_raw)

    def check(self, profile: Profile, policy: PolicyProfile = PolicyProfile.SAFE) -> CheckedArguments:
        """The arguments that may run: the result of `judge`, if it has no refusals.

        Raises:
            RequestRefused: a parameter is refused; with a sentence for each reason.
        """
        checked = self.judge(profile, policy)
        if checked.refusals:
            raise RequestRefused(checked.refusals)
        return checked

    def judge(self, profile: Profile, policy: PolicyProfile) -> CheckedArguments:
        """The arguments for one kind of worker, with the verdict on each script, and every refusal.

        `policy` decides on scripts and opt-in options.
        """
        check = _Check(profile, policy)
        for given in self.options:
            check.add_option(given)
        check.add_scripts()
        conflicts = find_conflicts(self.options, raw=profile == "raw")
        refusals = (*self.errors, *check.refusals, *conflicts)
        notes = list(check.notes)
        if not refusals:
            notes += find_ignored_options(self.options)
            notes += find_unchecked_names(self.options)
        return CheckedArguments(
            options=tuple(check.words),
            targets=self.targets,
            exclude=tuple(check.exclude),
            family=self.family,
            notes=tuple(notes),
            scripts=check.verdicts,
            refusals=refusals,
        )


def parse_arguments(words: Sequence[str]) -> Arguments:
    """Read the words as nmap does.

    Never raises: the result holds the errors, to be reported with other refusals.
    """
    parsed = read_words(words)
    errors: list[Refusal] = []
    for position, word in enumerate(words, start=1):
        if not all(" " <= char <= "~" for char in word):
            problem = suggest_punycode(word) or NOT_ASCII
            errors.append(Refusal(shorten(word), Rule.VALUE, f"parameter {position} {problem}"))
    errors += (Refusal(shorten(error.word), error.rule, error.sentence) for error in parsed.errors)
    return Arguments(tuple(parsed.options), tuple(parsed.targets), tuple(errors))


class _Check:
    """Collects the words for nmap, the refusals and the notes, one option at a time."""

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
                need = f"needs policy profile {option.policy}"
                self._refuse(given, f"{given.label} {need}: it {option.reason}")
            case _ if option.is_raw and self.profile == "connect":
                need = "needs scanType nmap-privileged"
                self._refuse(given, f"{given.label} {need}: it {option.reason}")
            case Decision.INTERPRET:
                self._interpret(given)
            case _:
                self._emit(given)

    def _emit(self, given: GivenOption) -> None:
        """Pass an option on to nmap, if its value is allowed."""
        option = given.option
        name = option.canonical
        if given.value is None:
            self._add_flags(name)
            return
        refused_by_nmap = nmap_refuses(name, given.value)
        problem = ""
        if refused_by_nmap:
            problem = f"nmap itself refuses {shorten(given.value)!r}{hint_for(option.value)}"
        try:
            value = normalize_value(option.value or "nothing", given.value)
        except ValueError as exc:
            refused_by_nmap |= isinstance(exc, InvalidForNmap)
            problem = str(exc)
        if problem:
            rule = Rule.GRAMMAR if refused_by_nmap else Rule.VALUE
            self._refuse(given, f"parameter {given.position}: {given.label}: {problem}", rule)
            return
        self.values[name] = value
        self.words += [name + value] if is_attached(name) else [name, value]

    def _interpret(self, given: GivenOption) -> None:
        """Carry out an option that is never passed on, or note that it has no effect."""
        if given.value is not None and nmap_refuses(given.option.canonical, given.value):
            problem = f"nmap itself refuses {shorten(given.value)!r}"
            self._refuse(given, f"parameter {given.position}: {given.label}: {problem}", Rule.GRAMMAR)
            return
        match given.option.name, self.profile:
            case "--exclude", _:
                self.exclude.append(given.value or "")
            case "-sC", _:
                self.default_scripts = True
            case "-A", _:
                self._add_aggressive()
            case ("-4" | "-6", _) | ("--privileged", "raw"):
                pass  # `family` and `profile` hold it already
            case "--unprivileged", "raw":
                contradiction = f"{given.label} contradicts scanType nmap-privileged"
                self._refuse(given, f"{contradiction}: use scanType nmap")
            case _:
                self._note(f"{given.label} has no effect here: it {given.option.reason}")

    def _add_aggressive(self) -> None:
        self.default_scripts = True
        if self.profile == "connect":
            self._add_flags(*AGGRESSIVE)
            self._note(A_ON_CONNECT)
        else:
            self._add_flags(*AGGRESSIVE_RAW)

    def add_scripts(self) -> None:
        """Judge all script options together, and add the allowed scripts at the end."""
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
            self._exclude_printers()
        self.words += choice.words

    def _exclude_printers(self) -> None:
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
    """Whether the value of a canonical option is a part of the same word: -T4, -PS22."""
    return name == "-T" or (name.startswith("-P") and find_option(name) is not None)
