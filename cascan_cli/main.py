"""The entry point of the `cascan` command: from arguments to an exit code."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from cascan_cli.errors import EXIT_FAILED, EXIT_REFUSED, BadInput, CliError
from cascan_cli.output.text import discard_output, print_message
from cascan_cli.parser.build_parser import build_parser
from cascan_cli.stack.interruption import Interrupted, interrupt_on_signals

# Command → attribute with its targets.
TARGET_LISTS = {"scan": "targets", "check": "targets", "cost": "targets", "targets": "expressions"}
# Objects, of which few are in cycles: at Python's 700, a tenth of the time of an export is spent on looking for them
COLLECTED_AFTER = (20_000, 10, 10)
TAKE_NMAP_OPTIONS = ("scan", "check", "cost", "options")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Raises: SystemExit: from argparse: 0 after --help, 2 after invalid arguments.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    gc.set_threshold(*COLLECTED_AFTER)
    _prepare_output()
    interrupt_on_signals()
    try:
        exit_code = _run(arguments)
        sys.stdout.flush()  # here, where a failed write is still handled
    except CliError as exc:
        print_message(str(exc))
        return exc.exit_code
    except KeyboardInterrupt as exc:
        return _report_interrupt(exc, arguments)
    except BrokenPipeError:  # the reader of our output ended, such as head or less
        discard_output()
        return EXIT_FAILED
    except OSError as exc:  # for example a full disk
        print_message(": ".join(str(text) for text in (exc.filename, exc.strerror or exc) if text))
        discard_output()
        return EXIT_FAILED
    return exit_code


def _report_interrupt(exc: KeyboardInterrupt, arguments: list[str]) -> int:
    """Say that the command was interrupted, unless it has said so itself. Returns the exit code."""
    interrupted = exc if isinstance(exc, Interrupted) else Interrupted()
    if not interrupted.reported:
        print_message("interrupted; no scan was requested" if sends_request(arguments) else "interrupted")
    return interrupted.exit_code


def _prepare_output() -> None:
    """Cope with a closed standard output, and with a terminal that cannot show every character."""
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def sends_request(arguments: list[str]) -> bool:
    """Whether the command sends a scan request."""
    return arguments[:1] in (["scan"], ["submit"], ["vuls"])


def split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The arguments of cascan, and those of nmap: all after --, and those of `cascan options`."""
    divider = arguments.index("--") if "--" in arguments else len(arguments)
    for_cascan, for_nmap = arguments[:divider], arguments[divider + 1 :]
    if for_cascan[:1] != ["options"]:
        return for_cascan, for_nmap
    own_options = ("-h", "--help", "--json")
    looked_up = [argument for argument in for_cascan[1:] if argument not in own_options]
    return [argument for argument in for_cascan if argument not in looked_up], looked_up + for_nmap


def _run(arguments: list[str]) -> int:
    # Or argparse would take nmap's options as ours.
    for_cascan, for_nmap = split_arguments(arguments)
    if not for_cascan:
        build_parser().print_help(sys.stderr)
        return EXIT_REFUSED
    args = parse_arguments(for_cascan)
    args.nmap_arguments = for_nmap
    if for_nmap and args.run not in TAKE_NMAP_OPTIONS:
        raise BadInput(f"only {', '.join(TAKE_NMAP_OPTIONS)} take nmap options after --")
    return _run_command(args)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Parse as argparse does, but accept targets both before and after options."""
    parser = build_parser(arguments[0] if arguments else "")
    args, unparsed = parser.parse_known_args(arguments)
    if not unparsed:
        return args
    has_options = any(argument.startswith("-") for argument in unparsed)
    if has_options or args.run not in TARGET_LISTS:
        hint = "nmap options go after --" if args.run in TAKE_NMAP_OPTIONS else ""
        parser.refuse(unparsed, args.command, hint, action=getattr(args, "action", None) or "")
    getattr(args, TARGET_LISTS[args.run]).extend(unparsed)
    return args


def import_msgspec() -> None:
    """Import msgspec without typing_extensions, which takes almost as long as all else in it.

    Where that package is missing, msgspec uses the typing module, which suffices for the types of cascan.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # its import now fails
    try:
        import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


def _run_command(args: argparse.Namespace) -> int:
    import_msgspec()
    from cascan import stored
    from cascan.errors import GatewayUnavailable, UnreadableItem

    if getattr(args, "is_listing", False):
        from cascan_cli.output.listing import check_listing_options

        check_listing_options(args)
    stored.listen(lambda error: print_message(f"note: {error}"))
    try:
        # Each command imports only what it needs
        return int(import_module(f"cascan_cli.commands.{args.run}").run(args))
    except GatewayUnavailable as exc:
        raise CliError(f"the stack does not answer: {exc}") from exc
    except UnreadableItem as exc:
        raise CliError(f"{exc}; use the version of cascan that wrote it") from exc


if __name__ == "__main__":
    sys.exit(main())
