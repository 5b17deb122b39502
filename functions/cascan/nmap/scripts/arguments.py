"""Script arguments, judged against the scripts that will read them.

A script finds an argument by its full name, or by the part after the last dot alone, and so both are judged. Every
profile refuses an argument that reads or writes files of the worker, runs code there, or directs a script to other
hosts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from cascan.limits import MAX_REASONS, MAX_SCRIPT_ARGUMENT_CHARS
from cascan.model.policy_profile import PolicyProfile
from cascan.nmap.scripts.argument_syntax import ArgumentTable
from cascan.nmap.scripts.table import ArgumentNames, Harm, Script, script_table

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
ON_THE_TARGET = frozenset({Harm.COMMAND, Harm.REQUEST})  # what the operator may allow, with profile everything
READING = frozenset({"DHCPDISCOVER", "DHCPINFORM", "GET", "HEAD", "OPTIONS", "TRACE"})  # requests that change nothing
SUBMITTING = READING | {"POST"}  # how a form is filled in, which scripts do that guess or probe hard
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
FILE_LIKE = re.compile(r"file|(path|db|dir|list|keys?|prefix)$")  # names of arguments that are not in the table
WEB_PATHS = frozenset({"uri", "basepath"})  # a path on the target: it may begin with a slash
PATH_LIKE = re.compile(r"[/~\\]|\./|.*\.\.")
ELSEWHERE = re.compile(r"\s*//|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
URL_LIKE = re.compile(r"(url|uri|paths?)$")
NEWTARGETS = "newtargets"
EVERY_SCRIPT = "nmap's scripts"


def find_argument_problems(table: ArgumentTable, scripts: Sequence[Script], policy: PolicyProfile) -> list[str]:
    """Why arguments may not be passed to these scripts: one sentence each, naming script and argument.

    At most MAX_REASONS + 1. An argument costs a few look-ups, however many scripts there are.
    """
    reasons = islice(_Judge(scripts, policy).reasons(table), MAX_REASONS + 1)
    return list(dict.fromkeys(reasons))


class _Harmful(NamedTuple):
    """An argument that does harm with its value."""

    script: str
    harm: Harm


class _HarmfulNames:
    """Harmful arguments by each way to write them: by short name, and by each table that holds them."""

    def __init__(self, names: Iterable[tuple[str, ArgumentNames]]) -> None:
        self.short_names: defaultdict[str, list[_Harmful]] = defaultdict(list)
        self.tables: defaultdict[str, list[_Harmful]] = defaultdict(list)
        for script, of_script in names:
            for argument, harm in of_script.harmful.items():
                self.short_names[_shorten(argument)].append(_Harmful(script, harm))
                labels = argument.lower().split(".")
                for end in range(1, len(labels)):
                    self.tables[".".join(labels[:end])].append(_Harmful(script, harm))

    def find(self, key: str) -> Iterator[_Harmful]:
        yield from self.short_names.get(_shorten(key), ())
        yield from self.tables.get(key.lower(), ())


class _Judge:
    def __init__(self, scripts: Sequence[Script], policy: PolicyProfile) -> None:
        self.policy = policy
        names = [(script.name, names) for script in scripts for names in script.argument_names()]
        self.harmless = {argument for _, of_script in names for argument in of_script.harmless}
        self.harmless_short_names = {_shorten(argument) for argument in self.harmless}
        self.harmful = _HarmfulNames(names)

    def reasons(self, table: ArgumentTable, above: str = "") -> Iterator[str]:
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
            yield f"{key[:40]!r}...: the name of an argument has at most {MAX_SCRIPT_ARGUMENT_CHARS} characters"
        elif NEWTARGETS in key.lower():
            yield f"{key} {HARMS[Harm.TARGETS]}"
        elif not KEY.fullmatch(key):
            yield f"{key[:40]!r} is not the name of an argument"
        elif harm := self._harm(key, value):
            yield harm
        elif isinstance(value, str):
            yield from self._text(key, value)

    def _harm(self, key: str, value: ArgumentTable | str) -> str:
        """The problem with an argument's name, or with the request it chooses. Empty: there is none."""
        if self._is_harmless(key):
            return ""
        short_name = _shorten(key)
        for script, harm in (*self.harmful.find(key), *_every_harmful().find(key)):
            if not self._allows(harm, value):
                needs = f"; policy profile {PolicyProfile.EVERYTHING} allows it" if harm in ON_THE_TARGET else ""
                return f"{key} of {script} {HARMS[harm]}{needs}"
        if FILE_LIKE.search(short_name) and short_name not in WEB_PATHS:
            return f"{key} reads or writes files of the worker, by its name"
        return ""

    def _allows(self, harm: Harm, value: ArgumentTable | str) -> bool:
        if self.policy is PolicyProfile.EVERYTHING:
            return harm in ON_THE_TARGET
        harmless = SUBMITTING if self.policy is PolicyProfile.INTRUSIVE else READING
        return harm is Harm.REQUEST and isinstance(value, str) and value.upper() in harmless

    def _is_harmless(self, key: str) -> bool:
        """Whether a selected script reads the argument, and none that could read it does harm with it."""
        is_short = "." not in key  # a full name is read by one script only
        is_known = key in self.harmless or (is_short and key in self.harmless_short_names)
        return is_known and not (is_short and _shorten(key) in self.harmful.short_names)

    def _text(self, key: str, text: str) -> Iterator[str]:
        if NEWTARGETS in text.lower():
            yield f"{key}: {NEWTARGETS} {HARMS[Harm.TARGETS]}"
        elif URL_LIKE.search(_shorten(key)) and ELSEWHERE.match(text):
            yield f"{key}={text[:40]} {HARMS[Harm.HOST]}; write the path alone"
        elif not self._is_harmless(key) and _shorten(key) not in WEB_PATHS and PATH_LIKE.match(text):
            yield f"{key}: {text[:40]!r} reads like a path of the worker's files"


def _shorten(argument: str) -> str:
    """The part of a name after its last dot."""
    return argument.lower().rpartition(".")[2]


@cache
def _every_harmful() -> _HarmfulNames:
    """Harmful arguments of all scripts. A script that is not selected needs none of them."""
    table = script_table()
    rows = [*table.libraries.values(), *(ArgumentNames(harmful=script.harmful) for script in table.scripts)]
    every = ArgumentNames(harmful={name: harm for row in rows for name, harm in row.harmful.items()})
    return _HarmfulNames([(EVERY_SCRIPT, every)])
