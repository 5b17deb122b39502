"""Arguments of `cascan ui`."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

MAX_PORT = 65_535


def add_ui_command(commands: Commands, stack: ArgumentParser) -> None:
    console = commands.add_parser(
        "ui",
        parents=[stack],
        help="open the console in a browser",
        description="Serve the console to browsers on this machine, until Ctrl-C: scans while they run, findings, "
        "hosts with their history, exposures, schedules. Prints a link that works once, and opens it.",
        epilog="Only you can use the console: it listens on a loopback address, and a browser needs the link that is "
        "printed. docs/console.md describes the pages.",
    )
    console.add_argument(
        "--port", type=_port, metavar="N", help="listen on this port (default: 8822, or any if that is taken)"
    )
    console.add_argument(
        "--address",
        type=_address,
        metavar="A",
        help="listen on this address of 127.0.0.0/8 (default: one of its own for this stack, where the system has it, "
        "else 127.0.0.1)",
    )
    console.add_argument(
        "--role",
        choices=["operator", "reader"],
        default="operator",
        help="operator may scan and decide, reader only looks (default: operator)",
    )
    console.add_argument("--no-browser", action="store_true", help="print the link, and open no browser")
    console.set_defaults(run="ui")


def _address(text: str) -> str:
    try:
        address = IPv4Address(text)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ArgumentTypeError("must be an address of 127.0.0.0/8: the console serves this machine alone")
    return str(address)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_PORT:
        raise ArgumentTypeError(f"must be a number from 1 to {MAX_PORT}")
    return int(text)
