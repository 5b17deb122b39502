"""`cascan options`: what cascan decides about each option of nmap, and why."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from cascan.nmap.options.getopt import read_words
from cascan.nmap.options.table import option_table
from cascan_cli.errors import EXIT_REFUSED
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_json, print_message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cascan.nmap.options.table import Option

COLUMNS = ("OPTION", "ARGUMENT", "DECISION", "REASON")
VALUE = "VALUE"  # stands for a value that was not given: a lookup is about the option


def run(args: Namespace) -> int:
    """0: nmap has the option. 2: it has not, or the spelling could be several."""
    rows, errors = look_up(args.nmap_arguments) if args.nmap_arguments else (option_table().rows(), [])
    _print(rows, as_json=args.json)
    for error in errors:
        print_message(error)
    return EXIT_REFUSED if errors else 0


def look_up(words: list[str]) -> tuple[Iterable[Option], list[str]]:
    """The options that the words are to nmap, in order; a word without a dash finds every name that holds it."""
    if not words[0].startswith("-"):
        found = [row for row in option_table().rows() if words[0].lower() in row.name.lower()]
        return found, [] if found else [f"no option of nmap has {words[0]!r} in its name"]
    read = read_words([*words, VALUE])
    return dict.fromkeys(given.option for given in read.options), [error.sentence for error in read.errors]


def _print(rows: Iterable[Option], *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(map(str.lower, COLUMNS), _cells(row), strict=True)) for row in rows])
    else:
        print_table(COLUMNS, map(_cells, rows))


def _cells(row: Option) -> tuple[str, ...]:
    same_as = f"; it is passed on as {row.stands_for}" if row.stands_for else ""
    return row.documented, row.takes.value, row.decision.value, f"{row.reason}{same_as}"
