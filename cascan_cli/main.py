"""The `cascan` command: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from cascan_cli.errors import EXIT_FAILED, EXIT_REFUSED, BadInput, CliError
from cascan_cli.output.text import discard_output, print_message
from cascan_cli.parser.build_parser import build_parser
from cascan_cli.stack.interruption import Interrupted, interrupt_on_signals

TARGETS_OF = {"scan": "targets", "check": "targets", "targets": "expressions"}  # command → where they are kept
TAKE_NMAP_OPTIONS = ("scan", "check", "options")


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code. Raises: SystemExit: by argparse, after --help, or with 2 after what it cannot read."""
    words = list(sys.argv[1:] if argv is None else argv)
    _make_writable()
    interrupt_on_signals()
    try:
        return _run(words)
    except CliError as exc:
        print_message(str(exc))
        return exc.exit_code
    except KeyboardInterrupt as exc:
        return _interrupted(exc, words)
    except BrokenPipeError:  # the reader went away: head, less
        discard_output()
        return EXIT_FAILED
    except OSError as exc:  # a full disk, for one
        print_message(": ".join(str(part) for part in (exc.filename, exc.strerror or exc) if part))
        discard_output()
        return EXIT_FAILED


def _interrupted(exc: KeyboardInterrupt, words: list[str]) -> int:
    """The exit code. Whoever followed a scan has reported what becomes of it."""
    interrupted = exc if isinstance(exc, Interrupted) else Interrupted()
    if not interrupted.reported:
        print_message("interrupted; no scan was requested" if sends_request(words) else "interrupted")
    return interrupted.exit_code


def _make_writable() -> None:
    """Whoever started us may have closed standard output, or have a terminal that knows few characters."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end of the process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def sends_request(words: list[str]) -> bool:
    """The command sends a request."""
    return words[:1] in (["scan"], ["submit"])


def split_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Words for this command, and words for nmap: those behind --, and whatever `options` is asked about."""
    cut = words.index("--") if "--" in words else len(words)
    own, for_nmap = words[:cut], words[cut + 1 :]
    if own[:1] == ["options"]:
        asked = [word for word in own[1:] if word not in ("-h", "--help", "--json")]
        return [word for word in own if word not in asked], asked + for_nmap
    return own, for_nmap


def _run(words: list[str]) -> int:
    code = _asked(words)
    sys.stdout.flush()  # or what cannot be written would be noticed past all handlers
    return code


def _asked(words: list[str]) -> int:
    own, for_nmap = split_arguments(words)  # argparse would take options of nmap for its own
    if not own:
        build_parser().print_help(sys.stderr)
        return EXIT_REFUSED
    args = _parsed(own)
    args.nmap_arguments = for_nmap
    if for_nmap and args.run not in TAKE_NMAP_OPTIONS:
        raise BadInput(f"only {', '.join(TAKE_NMAP_OPTIONS)} take options of nmap behind --")
    return _command(args)


def _parsed(own: list[str]) -> argparse.Namespace:
    """As argparse has it, and targets may stand on both sides of an option as well."""
    known = build_parser()
    args, rest = known.parse_known_args(own)
    if rest and (args.run not in TARGETS_OF or any(word.startswith("-") for word in rest)):
        known.refuse(rest, args.command, "options of nmap go behind --" if args.run in TAKE_NMAP_OPTIONS else "")
    if rest:
        getattr(args, TARGETS_OF[args.run]).extend(rest)
    return args


def _command(args: argparse.Namespace) -> int:
    from importlib import import_module  # each command imports what it alone needs

    from cascan import stored
    from cascan.errors import GatewayUnavailable, UnreadableItem
    from cascan_cli.output.text import print_message

    stored.listen(lambda error: print_message(f"note: {error}"))
    try:
        return int(import_module(f"cascan_cli.commands.{args.run}").run(args))
    except GatewayUnavailable as exc:
        raise CliError(f"the stack does not answer: {exc}") from exc
    except UnreadableItem as exc:
        raise CliError(f"{exc}; use the version of cascan that wrote it") from exc


if __name__ == "__main__":
    sys.exit(main())
