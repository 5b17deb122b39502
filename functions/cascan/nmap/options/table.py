"""nmap's options: how each is read, what cascan decides about it, and why.

options.json holds the rows.
Source: the tables of long options and short letters in nmap 7.93. Each letter of -s and -P is a row
of its own.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path

import msgspec

from cascan.model.policy_profile import PolicyProfile

ONE_DASH = frozenset({"--iL", "--iR", "--oA", "--oG", "--oH", "--oM", "--oN", "--oS", "--oX", "--rH", "--sI", "--vv"})


class Decision(StrEnum):
    ALLOW = "allow"  # passed on, its value checked
    RAW = "raw"  # passed on to raw workers only
    INTERPRET = "interpret"  # carried out by cascan, or without effect; never passed on
    OPT_IN = "opt-in"  # passed on where the operator's policy profile allows it, its value checked
    REFUSE = "refuse"  # it uses files, runs code, writes output of its own, or only informs


class Takes(StrEnum):
    """What follows an option."""

    NONE = "none"
    REQUIRED = "required"  # attached, or the next word
    OPTIONAL = "optional"  # attached only


class Option(msgspec.Struct, frozen=True, rename={"takes": "argument", "stands_for": "as"}):
    name: str  # as on a command line: --exclude, -p, -sS
    takes: Takes
    decision: Decision
    reason: str  # completes "it …"
    stands_for: str = ""  # the name under which it is passed on, if that is another
    policy: PolicyProfile | None = None  # the least profile that allows an opt-in
    value: str = ""  # the kind of its value, as in cascan.nmap.options.values; empty: it takes none

    @property
    def canonical(self) -> str:
        return self.stands_for or self.name

    @property
    def documented(self) -> str:
        """The name as nmap's own documentation spells it: a few long ones have one dash there."""
        return self.name[1:] if self.name in ONE_DASH else self.name

    @property
    def is_raw(self) -> bool:
        """Whether nmap needs raw sockets for it. Of the opt-ins only --allports works without."""
        is_raw_opt_in = self.decision is Decision.OPT_IN and self.name != "--allports"
        return self.decision is Decision.RAW or is_raw_opt_in


class OptionTable(msgspec.Struct, frozen=True):
    """Every option, in nmap's order.

    An abbreviation is ambiguous if two names of `long` begin with it.
    """

    nmap: str  # the version the rows were taken from
    long: tuple[Option, ...]
    short: tuple[Option, ...]
    scan: tuple[Option, ...]  # the letters of -s
    ping: tuple[Option, ...]  # the letters of -P

    def rows(self) -> tuple[Option, ...]:
        return self.long + self.short + self.scan + self.ping

    def begin(self, prefix: str) -> tuple[Option, ...]:
        """The long options that an abbreviation, without its dashes, may mean.

        That is the option of exactly this name, or else all that begin with it.
        """
        exact = _by_name().get(f"--{prefix}")
        if exact:
            return (exact,)
        return tuple(row for row in self.long if row.name.startswith(prefix, len("--")))


@cache
def option_table() -> OptionTable:
    """The table, read on first use."""
    rows = Path(__file__).with_name("options.json").read_bytes()
    return msgspec.json.decode(rows, type=OptionTable)


def find_option(name: str) -> Option | None:
    """The row of a full name: `--exclude`, `-p`, `-sS`."""
    return _by_name().get(name)


@cache
def _by_name() -> dict[str, Option]:
    return {row.name: row for row in option_table().rows()}
