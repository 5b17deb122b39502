"""Targets in a file or on standard input, as nmap's -iL reads them: words, and comments after `#`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from cascan.limits import MAX_TARGETS
from cascan_cli.errors import BadInput
from cascan_cli.input.text_file import STDIN


def collect_targets(args: Namespace) -> list[str]:
    """The targets of the command line, with those of --targets-file. A `-` among them reads standard input.

    Raises: BadInput: a list cannot be read or has no target, or standard input is named twice.
    """
    if [*args.targets, args.targets_file].count(STDIN) > 1:
        raise BadInput("standard input (-) can be read only once")
    targets: list[str] = []
    for target in args.targets:
        targets += read_target_list(STDIN) if target == STDIN else [target]
    if args.targets_file:
        targets += read_target_list(args.targets_file)
    return targets


def read_target_list(name: str) -> list[str]:
    """The targets of a file; `-` reads standard input. Raises: BadInput: it cannot be read, or has no target."""
    from cascan_cli.input.manifests import read_text  # here, because most scans read no list

    targets = list(_split_words(read_text(name)))
    source = "standard input" if name == STDIN else name
    if not targets:
        raise BadInput(f"{source} names no target")
    if len(targets) > MAX_TARGETS:
        excess = f"{len(targets)} targets are more than the {MAX_TARGETS} of one request"
        raise BadInput(f"{source}: {excess}; write ranges, or split it")
    return targets


def _split_words(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from line.partition("#")[0].split()
