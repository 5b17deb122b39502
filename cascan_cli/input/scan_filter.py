"""The options that select scans."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

from cascan.model.scan import Outcome, ScanState
from cascan.queries.list_scans import ScanFilter
from cascan_cli.errors import BadInput
from cascan_cli.input.moments import parse_since

Choice = TypeVar("Choice", bound=StrEnum)


def parse_scan_filter(args: Namespace) -> ScanFilter:
    """Raises: BadInput: there is no such state or outcome, or a label has no value, or a time is invalid."""
    return ScanFilter(
        states=_parse_choices(args.state, ScanState, "--state"),
        outcomes=_parse_choices(args.outcome, Outcome, "--outcome"),
        names=frozenset(args.name),
        labels=tuple(map(_parse_label, args.label)),
        targets=tuple(args.target),
        vantage=args.vantage,
        since=parse_since(args.since),
    )


def _parse_choices(texts: Iterable[str], choices: type[Choice], option: str) -> frozenset[Choice]:
    by_name = {choice.value.lower(): choice for choice in choices}
    unknown = [text for text in texts if text.lower() not in by_name]
    if unknown:
        raise BadInput(f"{option} {unknown[0]}: must be one of {', '.join(choice.value for choice in choices)}")
    return frozenset(by_name[text.lower()] for text in texts)


def _parse_label(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise BadInput(f"--label {text!r} is not KEY=VALUE")
    return key, value
