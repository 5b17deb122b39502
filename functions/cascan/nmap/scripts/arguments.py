"""Script arguments, judged by the scripts that will read them.

A script finds an argument by its full name, or by the part after the last dot alone. Both are
judged. Every policy profile refuses an argument that reads or writes files of the worker, runs code
there, or directs a script to other hosts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from cascan.limits import MAX_REASONS, MAX_SCRIPT_ARGUMENT_CHARS
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.scripts.argument_syntax import ArgumentTable
from cascan.nmap.scripts.table import ArgumentNames, Harm, Script, script_table
from cascan.patterns import compile_pattern

HARMS: Mapping[Harm, str] = {
    Harm.FILE_READ: "reads files of the worker",
    Harm.FILE_WRITE: "writes files of the worker",
    Harm.HOST: "directs a script to hosts of the caller's choice",
    Harm.TARGETS: "adds targets to the scan, whatever its value",
    Harm.CODE: "runs code of the caller's on the worker",
    Harm.PACKETS: "chooses the interface or the packets of a script",
    Harm.COMMAND: "runs a command on the target",
    Harm.REQUEST: "may change the target, lock its users out, or pretend to be another client",
}
ON_THE_TARGET = frozenset({Harm.COMMAND, Harm.REQUEST})  # allowed by the profile everything
READING = frozenset(  # requests that change nothing
    {"DHCPDISCOVER", "DHCPINFORM", "GET", "HEAD", "OPTIONS", "TRACE"}
)
SUBMITTING = READING | {"POST"}  # intrusive scripts submit forms
KEY = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
FILE_LIKE = r"file|(path|db|dir|list|keys?|prefix)$"  # unknown arguments
WEB_PATHS = frozenset({"uri", "basepath"})  # paths on the target: they may begin with a slash
PATH_LIKE = r"[/~\\]|\./|.*\.\."
ELSEWHERE = r"(?i)\s*//|[a-z][a-z0-9+.-]*://"
URL_LIKE = r"(url|uri|paths?)$"
NEWTARGETS = "newtargets"
EVERY_SCRIPT = "nmap's scripts"


def find_argument_problems(table: ArgumentTable, scripts: Sequence[Script], policy: PolicyProfile) -> list[str]:
    """A sentence for each argument that may not be passed to these scripts.

    There are at most MAX_REASONS + 1. Each argument takes a few look-ups, however many scripts
    there are.
    """
    reasons = islice(_Judge(scripts, policy).reasons(table), MAX_REASONS + 1)
    return list(dict.fromkeys(reasons))


class _Harmful(NamedTuple):
    """A script and the harm that it does with the value of an argument."""

    script: str
    harm: Harm


class _HarmfulNames:
    """Harmful arguments by their short name, and by each table that may hold them.

    `names` are pairs of a script's name and its arguments.
    """

    def __init__(self, names: Iterable[tuple[str, ArgumentNames]]) -> None:
        self.short_names: defaultdict[str, list[_Harmful]] = defaultdict(list)
        self.tables: defaultdict[str, list[_Harmful]] = defaultdict(list)
        for script, arguments in names:
            for argument, harm in arguments.harmful.items():
                harmful = _Harmful(script, harm)
                self.short_names[_shorten(argument)].append(harmful)
                labels = argument.lower().split(".")
                for depth in range(1, len(labels)):
                    table = ".".join(labels[:depth])
                    self.tables[table].append(harmful)

    def find(self, key: str) -> Iterator[_Harmful]:
        """The harm that an argument may do under this name, or as a table of this name."""
        yield from self.short_names.get(_shorten(key), ())
        yield from self.tables.get(key.lower(), ())


class _Judge:
    def __init__(self, scripts: Sequence[Script], policy: PolicyProfile) -> None:
        self.policy = policy
        names = [(script.name, names) for script in scripts for names in script.argument_names()]
        self.harmless = {argument for _, arguments in names for argument in arguments.harmless}
        self.harmless_short_names = {_shorten(argument) for argument in self.harmless}
        self.harmful = _HarmfulNames(names)

    def reasons(self, table: ArgumentTable, above: str = "") -> Iterator[str]:
        """The problems of a table. `above` is the path of its name, with a dot at the end."""
        for key, value in table.values.items():
            yield from self._key(f"{above}{key}", value)
            if isinstance(value, ArgumentTable) and len(key) <= MAX_SCRIPT_ARGUMENT_CHARS:
                yield from self.reasons(value, f"{above}{key}.")
        for flag in table.flags:
            if isinstance(flag, ArgumentTable):
                yield from self.reasons(flag, above)
            elif above:
                yield from self._text(above.removesuffix("."), flag)
            else:
                yield from self._key(flag, "")

    def _key(self, key: str, value: ArgumentTable | str) -> Iterator[str]:
        if len(key) > MAX_SCRIPT_ARGUMENT_CHARS:
            limit = f"the name of an argument has at most {MAX_SCRIPT_ARGUMENT_CHARS} characters"
            yield f"{key[:40]!r}...: {limit}"
        elif NEWTARGETS in key.lower():
            yield f"{key} {HARMS[Harm.TARGETS]}"
        elif not compile_pattern(KEY).fullmatch(key):
            yield f"{key[:40]!r} is not the name of an argument"
        elif harm := self._harm(key, value):
            yield harm
        elif isinstance(value, str):
            yield from self._text(key, value)

    def _harm(self, key: str, value: ArgumentTable | str) -> str:
        """The problem with an argument's name, or with the request it chooses.

        Empty: there is none.
        """
        if self._is_harmless(key):
            return ""
        short_name = _shorten(key)
        for script, harm in (*self.harmful.find(key), *_every_harmful().find(key)):
            if not self._allows(harm, value):
                allowed_by = f"; policy profile {PolicyProfile.EVERYTHING} allows it"
                hint = allowed_by if harm in ON_THE_TARGET else ""
                return f"{key} of {script} {HARMS[harm]}{hint}"
        if compile_pattern(FILE_LIKE).search(short_name) and short_name not in WEB_PATHS:
            return f"{key} reads or writes files of the worker, by its name"
        return ""

    def _allows(self, harm: Harm, value: ArgumentTable | str) -> bool:
        if self.policy is PolicyProfile.EVERYTHING:
            return harm in ON_THE_TARGET
        if harm is not Harm.REQUEST or not isinstance(value, str):
            return False
        allowed_requests = SUBMITTING if self.policy is PolicyProfile.INTRUSIVE else READING
        return value.upper() in allowed_requests

    def _is_harmless(self, key: str) -> bool:
        """Whether a selected script reads the argument, and none does harm with it."""
        is_short = "." not in key  # a full name is read by one script only
        is_known = key in self.harmless or (is_short and key in self.harmless_short_names)
        return is_known and not (is_short and _shorten(key) in self.harmful.short_names)

    def _text(self, key: str, text: str) -> Iterator[str]:
        """The problem with an argument's value."""
        short_name = _shorten(key)
        if NEWTARGETS in text.lower():
            yield f"{key}: {NEWTARGETS} {HARMS[Harm.TARGETS]}"
        elif compile_pattern(URL_LIKE).search(short_name) and compile_pattern(ELSEWHERE).match(text):
            yield f"{key}={text[:40]} {HARMS[Harm.HOST]}; write the path alone"
        elif self._is_harmless(key) or short_name in WEB_PATHS:
            return
        elif compile_pattern(PATH_LIKE).match(text):
            yield f"{key}: {text[:40]!r} reads like a path of the worker's files"


def _shorten(argument: str) -> str:
    """The part of a name after its last dot."""
    return argument.lower().rpartition(".")[2]


@cache
def _every_harmful() -> _HarmfulNames:
    """The harmful arguments of all scripts.

    They are refused whether their script is selected or not.
    """
    table = script_table()
    rows: list[ArgumentNames | Script] = [*table.libraries.values(), *table.scripts]
    harmful: dict[str, Harm] = {}
    for row in rows:
        harmful |= row.harmful
    return _HarmfulNames([(EVERY_SCRIPT, ArgumentNames(harmful=harmful))])
