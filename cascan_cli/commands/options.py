"""`cascan options`: show how cascan handles each option of nmap, and why."""

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
VALUE = "VALUE"  # the value of the option, if the lookup does not give one


def run(args: Namespace) -> int:
    """Exit code 0: nmap has the option. 2: it does not, or the spelling is ambiguous."""
    rows, errors = look_up(args.nmap_arguments) if args.nmap_arguments else (option_table().rows(), [])
    _print(rows, as_json=args.json)
    for error in errors:
        print_message(error)
    return EXIT_REFUSED if errors else 0


def look_up(arguments: list[str]) -> tuple[Iterable[Option], list[str]]:
    """The options that nmap would read, in order, and the errors.

    A word without a dash is searched in all names.
    """
    text = arguments[0]
    if not text.startswith("-"):
        matches = [option for option in option_table().rows() if text.lower() in option.name.lower()]
        return matches, [] if matches else [f"no option of nmap has {text!r} in its name"]
    parsed = read_words([*arguments, VALUE])
    options = dict.fromkeys(occurrence.option for occurrence in parsed.options)
    return options, [error.sentence for error in parsed.errors]


def _print(rows: Iterable[Option], *, as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(map(str.lower, COLUMNS), _cells(row), strict=True)) for row in rows])
    else:
        print_table(COLUMNS, map(_cells, rows))


def _cells(row: Option) -> tuple[str, ...]:
    same_as = f"; it is passed on as {row.stands_for}" if row.stands_for else ""
    return row.documented, row.takes.value, row.decision.value, f"{row.reason}{same_as}"
