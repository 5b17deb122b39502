"""The scripts of nmap 7.93, with their categories, effects and arguments.

scripts.json holds the rows.
Source: script.db for names and categories; the code of each script and library for effects and
arguments. Which web scripts leave their target was measured on loopback, with a server that
redirects them elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path

import msgspec

CATEGORIES = frozenset({"auth", "broadcast", "brute", "default", "discovery", "dos", "exploit",
                        "external", "fuzzer", "intrusive", "malware", "safe", "version", "vuln"})  # fmt: skip
ANY = "any"  # the library whose arguments every script may be given


class Harm(StrEnum):
    """What a script does with the value of an argument."""

    FILE_READ = "file-read"
    FILE_WRITE = "file-write"
    HOST = "host"
    TARGETS = "targets"
    CODE = "code"
    PACKETS = "packets"
    COMMAND = "command"
    REQUEST = "request"


class ArgumentNames(msgspec.Struct, frozen=True):
    """The arguments that something reads, by their full names."""

    harmless: frozenset[str] = frozenset()
    harmful: dict[str, Harm] = {}


class Script(msgspec.Struct, frozen=True):
    name: str
    categories: frozenset[str]
    rules: frozenset[str]  # when it runs: prerule, hostrule, portrule, postrule
    effects: frozenset[str] = frozenset()  # beyond requests to the target
    libraries: tuple[str, ...] = ()  # whose arguments it reads too
    harmless: frozenset[str] = frozenset()
    harmful: dict[str, Harm] = {}

    def argument_names(self) -> Iterable[ArgumentNames]:
        """Its own arguments and those of its libraries."""
        yield ArgumentNames(self.harmless, self.harmful)
        yield from (script_table().libraries[library] for library in (*self.libraries, ANY))


class ScriptTable(msgspec.Struct, frozen=True):
    nmap: str  # the version the rows were taken from
    libraries: dict[str, ArgumentNames]
    scripts: tuple[Script, ...]  # by name


@cache
def script_table() -> ScriptTable:
    """The table, read on first use."""
    rows = Path(__file__).with_name("scripts.json").read_bytes()
    return msgspec.json.decode(rows, type=ScriptTable)


@cache
def scripts_by_name() -> dict[str, Script]:
    return {script.name: script for script in script_table().scripts}
