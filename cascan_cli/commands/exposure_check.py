"""`cascan exposure check`: which open ports are not expected, and what is expected and missing."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cascan.clock import utc_now
from cascan.exposure.asked_ports import list_vantages
from cascan.exposure.check import CheckedPort, count_results
from cascan.exposure.check_vantages import LooksSource, check_vantages
from cascan.exposure.expectations import ExpectationIndex, ExposureFile
from cascan.exposure.judge import VerdictKind
from cascan.formats.violation_records import build_violation_records
from cascan.model.vantage import DEFAULT_VANTAGE
from cascan_cli.commands.export_findings import write_records
from cascan_cli.errors import BadInput
from cascan_cli.input.exposure_file import load_exposure_file
from cascan_cli.output.export_file import write_document
from cascan_cli.output.exposure import COLUMNS, DROPPED, counts_to_json, describe_counts, to_json, to_row, to_sarif
from cascan_cli.output.scan import EXIT_FOUND
from cascan_cli.output.table import print_table
from cascan_cli.output.text import print_message
from cascan_cli.stack.open import open_stack
from cascan_cli.version import VERSION

if TYPE_CHECKING:
    from cascan_cli.stack.open import StackGateways

OWN_FORMS = ("json", "sarif")  # with more than records have: counts, and the line of the file
STRICT_KINDS = frozenset({VerdictKind.MISSING, VerdictKind.ABSENT})


class LooksOfCommand(NamedTuple):
    """Where the looks of a command come from."""

    source: LooksSource
    seen_vantages: list[str]  # None of a report is known but the one that the command names
    chosen_vantage: str  # empty: all
    has_current_looks: bool  # False: looks may be outdated
    stack: StackGateways | None = None

    def check(self, file: ExposureFile, at: datetime) -> list[CheckedPort]:
        if self.chosen_vantage:
            vantages = [self.chosen_vantage]
        else:
            vantages = list_vantages(file, self.seen_vantages or [DEFAULT_VANTAGE])
        index = ExpectationIndex(file)
        return check_vantages(index, self.source, vantages, at, has_current_looks=self.has_current_looks)


def run(args: Namespace) -> int:
    """Exit code 0: no violation. 2: the file is invalid. 4: a violation; --strict: or something is missing."""
    form = choose_form(args)
    file = load_exposure_file(args.file)
    at = utc_now()
    print_warnings(args.file, file, at)
    with open_looks(args) as looks:
        checked = looks.check(file, at)
    shown = checked if args.all else [port for port in checked if _is_shown(port)]
    if form == "table":
        print_table(COLUMNS, map(to_row, shown), drop=DROPPED, whole=("ADDRESS",))
    elif form in OWN_FORMS:
        text = json.dumps(_build_document(form, shown, checked, args), indent=2) + "\n"
        write_document([text.encode()], args.output)
    else:
        write_records(build_violation_records(shown, at), args, title=f"check of {args.file}")
    print_message(f"{args.file}: {describe_counts(count_results(checked))}")
    return EXIT_FOUND if any(_fails(port, is_strict=args.strict) for port in checked) else 0


def choose_form(args: Namespace) -> str:
    """Raises: BadInput: options that contradict each other."""
    if args.json and args.form not in ("", "json"):
        raise BadInput(f"--json and --as {args.form} contradict each other; use one of them")
    form = args.form or ("json" if args.json else "table")
    if form == "table" and args.output:
        raise BadInput("-o needs --as FORMAT, such as json or sarif")
    return str(form)


def print_warnings(name: str, file: ExposureFile, at: datetime) -> None:
    """What the file probably does not mean, and what ends soon."""
    for warning in file.warnings:
        print_message(f"{name}: {warning}")
    for entry in file.entries:
        if entry.is_expired(at):
            print_message(f"{name}: line {entry.line}: {entry.who} was expected until {entry.until}, which has passed")
        elif entry.expires_soon(at):
            print_message(f"{name}: line {entry.line}: {entry.who} is expected until {entry.until} only")


@contextmanager
def open_looks(args: Namespace) -> Iterator[LooksOfCommand]:
    """The looks of the reports that the command names, or of the stack."""
    if args.report:
        from cascan_cli.input.report_looks import read_report_looks

        files = [name for names in args.report for name in names]
        looks = read_report_looks(files)
        yield LooksOfCommand(looks, [], args.vantage or DEFAULT_VANTAGE, has_current_looks=True)
        return
    from cascan.queries.exposure_looks import StoredLooks

    with open_stack(args) as stack:
        table = stack.table
        vantages = list(table.history_vantages())
        yield LooksOfCommand(StoredLooks(table), vantages, args.vantage, has_current_looks=False, stack=stack)


def _is_shown(port: CheckedPort) -> bool:
    return port.verdict.kind is not VerdictKind.FINE or not port.is_confirmed


def _fails(port: CheckedPort, *, is_strict: bool) -> bool:
    if not port.is_confirmed:
        return False
    return port.verdict.is_violation or (is_strict and port.verdict.kind in STRICT_KINDS)


def _build_document(form: str, shown: list[CheckedPort], checked: list[CheckedPort], args: Namespace) -> Any:
    if form == "sarif":
        return to_sarif(shown, args.file, VERSION)
    counts = counts_to_json(count_results(checked))
    return msgspec.to_builtins({"file": args.file, "counts": counts, "ports": [to_json(port) for port in shown]})
