"""Options that several commands share, as parent parsers."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, _ArgumentGroup
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cascan.formats.registry import FORMATS, TABLE_FORMATS, check_table_format

# PolicyProfile is not imported: that would slow down --help.
POLICY_PROFILES = ["safe", "intrusive", "everything"]


def stack_options() -> ArgumentParser:
    """Options that choose the stack."""
    options = ArgumentParser(add_help=False, parents=[local_options()])
    options.add_argument(
        "--stack",
        metavar="NAME",
        help="a CloudFormation stack deployed on AWS; default: the stack on this machine",
    )
    return options


def local_options() -> ArgumentParser:
    """Options that choose a stack on this machine."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help="folder for the data of the local stack; default: cascan in the XDG state folder",
    )
    return options


def policy_options(duration: str) -> ArgumentParser:
    """Options for what the local stack may scan; `duration` says for how long they apply."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--allow",
        action="append",
        metavar="TARGET",
        help=f"a network or domain to scan besides loopback and private networks; {duration}",
    )
    options.add_argument(
        "--policy-profile",
        choices=POLICY_PROFILES,
        help=f"how much scripts and packet-crafting options may do (default: safe); {duration}",
    )
    return options


FAIL_ON = ["new", "high", "open", "changed"]
SINCE_HELP = "7d or 36h ago; 2026-03-03 (its end), 2026-03-03T12:00Z"
FOR_THIS_SCAN = "for this scan only; `cascan local up` sets it for all"


def output_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="print JSON")
    return options


def wait_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--no-wait",
        action="store_true",
        help="print the scan id and return; the scan runs while the stack is up",
    )
    add_end_options(options)
    return options


def add_end_options(options: ArgumentParser) -> None:
    """Options of commands that wait for the end of a scan."""
    options.add_argument(
        "--timeout",
        type=float,
        default=43_200,
        metavar="SECONDS",
        help="how long to wait for the end of the scan (default: 12 hours)",
    )
    options.add_argument(
        "--fail-on",
        action="append",
        default=[],
        choices=FAIL_ON,
        help="exit code 4 if a finding is new in its series (new) or of severity HIGH (high), a port is open (open), "
        "or something changed since earlier scans (changed); may be repeated",
    )


def request_options() -> ArgumentParser:
    """Options of a request besides the targets that the command line names."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--targets-file",
        metavar="FILE",
        help="also the targets in FILE, separated by blanks or lines; # begins a comment; - reads standard input",
    )
    options.add_argument(
        "--name",
        default="",
        help="series that the scan belongs to; default: derived from the first target",
    )
    options.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="TARGET",
        help="leave out these addresses; may be repeated",
    )
    options.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="label the scan; may be repeated",
    )
    options.add_argument(
        "--vantage",
        action="append",
        default=[],
        metavar="NAME",
        help="where to scan from; may be repeated, which gives a scan for each; default: the stack's own workers",
    )
    options.add_argument(
        "--identity",
        choices=["address", "mac", "name"],
        help="by what the inventory knows hosts whose addresses change; default: as their network says, or address",
    )
    options.add_argument(
        "--type",
        choices=["nmap", "nmap-privileged"],
        help="nmap-privileged uses raw sockets; default: chosen from the nmap options",
    )
    return options


def add_as_targets(command: ArgumentParser) -> None:
    command.add_argument(
        "--as-targets",
        action="store_true",
        help="print the open ports as targets, a line for each address, for `cascan scan -`",
    )


def add_finding_selection(command: ArgumentParser, *, with_text: bool = True, with_new: bool = True) -> None:
    """The options that select findings. A finding has to meet each of them.

    `with_new`: the command lists one scan, so that there is a scan before it.
    """
    selection = command.add_argument_group("selection")
    selection.add_argument(
        "--severity",
        action="append",
        default=[],
        metavar="SEVERITY",
        help="high, medium, low, informational, suppressed or accepted; may be repeated",
    )
    selection.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="HOST",
        help="an address, network, range or host name; may be repeated",
    )
    selection.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT",
        help="22 or udp/53; may be repeated",
    )
    selection.add_argument("--service", default="", metavar="NAME", help="ssh, https …")
    selection.add_argument("--category", default="", metavar="NAME", help="such as 'Open Port'")
    if with_text:
        selection.add_argument(
            "--text",
            default="",
            metavar="TEXT",
            help="occurs in the name, the description, a banner or another attribute",
        )
    selection.add_argument(
        "--since",
        metavar="DATE",
        help=f"made at or after this time: {SINCE_HELP}",
    )
    if with_new:
        selection.add_argument(
            "--new",
            action="store_true",
            help="the scan before in the series covered the place and did not have it; "
            "not with suppressed and accepted findings",
        )


def add_scan_selection(command: ArgumentParser) -> None:
    """The options that select scans. A scan has to meet each of them."""
    selection = command.add_argument_group("selection")
    for option, metavar, text in (
        ("--state", "STATE", "Scanning, Done, Errored …"),
        ("--outcome", "OUTCOME", "complete, partial, timed-out, unresolved, nothing-answered or failed"),
        ("--name", "NAME", "of a series"),
    ):
        selection.add_argument(option, action="append", default=[], metavar=metavar, help=f"{text}; may be repeated")
    selection.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="it has this label; may be repeated"
    )
    selection.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="TARGET",
        help="one of its targets has an address of this address, network or range, or is this name; may be repeated",
    )
    selection.add_argument("--vantage", default="", metavar="NAME", help="it scans from there")
    selection.add_argument("--since", metavar="DATE", help=f"requested at or after this time: {SINCE_HELP}")


def add_paging(command: ArgumentParser, default: int | None, listed: str) -> None:
    """`default`: how many are listed without --limit; None: all."""
    shown = "all" if default is None else default
    command.add_argument(
        "--limit", type=int, default=default, metavar="N", help=f"how many {listed} to list (default: {shown})"
    )
    command.add_argument(
        "--after", default="", metavar="CURSOR", help="go on where a list with --limit ended: it prints the cursor"
    )


def _check_format(text: str, formats: Sequence[str]) -> str:
    """Raises: ArgumentTypeError: another command has the format. argparse refuses an unknown one."""
    if text == "html" and text not in formats:
        raise ArgumentTypeError("html is a report: cascan report SCAN --as html -o FILE")
    return text


def add_export_options(
    command: ArgumentParser,
    *,
    others: tuple[str, ...] = (),
    default: str = "",
    with_secrets: bool = True,
) -> None:
    """The options that write a selection in the format of another tool. `others`: formats of this command alone.

    `with_secrets`: what is selected may have secrets.
    """
    formats = [*FORMATS, *others]
    export = command.add_argument_group("export")
    export.add_argument(
        "--as",
        dest="form",
        type=partial(_check_format, formats=formats),
        choices=formats,
        default=default,
        metavar="FORMAT",
        help=f"write the selection as one of: {', '.join(formats)}; see docs/formats.md",
    )
    _add_output(export)
    command.set_defaults(with_secrets=False)
    if not with_secrets:
        return
    export.add_argument(
        "--with-secrets",
        action="store_true",
        help="show passwords that scripts found; without it, an export leaves them out",
    )


def add_listing_options(*commands: ArgumentParser) -> None:
    """The options that write a list of anything but findings to a file."""
    for command in commands:
        export = command.add_argument_group("export")
        export.add_argument(
            "--as",
            dest="form",
            type=_check_table_format,
            choices=TABLE_FORMATS,
            default="",
            metavar="FORMAT",
            help=f"write the list as one of: {', '.join(TABLE_FORMATS)}; see docs/formats.md",
        )
        _add_output(export)
        command.set_defaults(is_listing=True)


def _check_table_format(text: str) -> str:
    """Raises: ArgumentTypeError: it is a format of findings."""
    try:
        if text:  # argparse asks about the default, too
            check_table_format(text)
    except ValueError as exc:
        raise ArgumentTypeError(str(exc)) from exc
    return text


def _add_output(export: _ArgumentGroup) -> None:
    export.add_argument(
        "-o",
        "--output",
        default="",
        metavar="FILE",
        help="write to FILE, which appears when it is complete; - or none: standard output",
    )
