"""`cascan local unit`: a systemd unit that keeps the local stack up."""

from __future__ import annotations

import os
import pwd
import shutil
from argparse import Namespace
from pathlib import Path

from cascan_cli.errors import BadInput, CliError
from cascan_cli.local.state import default_root
from cascan_cli.local.unit import (
    STATE_DIRECTORY,
    UnitOrder,
    find_command,
    find_unit_folder,
    install_unit,
    render_unit,
)
from cascan_cli.local.verify_unit import verify_unit
from cascan_cli.output.text import print_message
from cascan_cli.stack.open import NMAP_MISSING


def run(args: Namespace) -> int:
    text = render_unit(_read_order(args))
    if args.install:
        path = install_unit(text, find_unit_folder(system=args.system))
        print_message(f"wrote {path}")
    else:
        print(text, end="")
    print_message(verify_unit(text, system=args.system))
    if args.install:
        _print_next_steps(system=args.system)
    return 0


def _read_order(args: Namespace) -> UnitOrder:
    """Raises: BadInput: the unit has no user, or its folder of the state is missing."""
    nmap = shutil.which("nmap")
    if nmap is None:
        raise CliError(NMAP_MISSING)
    if not args.system:
        if args.run_as:
            raise BadInput("--run-as is for --system: a unit of a user runs as that user")
        return UnitOrder(find_command(), (args.state_dir or default_root()).absolute(), Path(nmap))
    user = args.run_as or os.environ.get("SUDO_USER") or _find_own_name()
    _check_user(user)
    folder = STATE_DIRECTORY
    if args.state_dir:
        folder = args.state_dir.absolute()
        if not folder.is_dir():
            raise BadInput(f"--state-dir {folder}: there is no such folder. Make it, and give it to {user}")
    return UnitOrder(find_command(), folder, Path(nmap), user)


def _find_own_name() -> str:
    """Raises: BadInput: this user has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as exc:
        raise BadInput("--system: your user id has no name: name the user who runs the stack with --run-as") from exc


def _check_user(name: str) -> None:
    """Raises: BadInput: this machine has no such user, or it is root."""
    try:
        uid = pwd.getpwnam(name).pw_uid
    except (KeyError, ValueError) as exc:
        make_user = "useradd --system --shell /usr/sbin/nologin NAME"
        raise BadInput(f"--run-as {name}: this machine has no such user. Make one: {make_user}") from exc
    if uid == 0:
        raise BadInput("--system runs the stack as an ordinary user, not as root: name one with --run-as")


def _print_next_steps(*, system: bool) -> None:
    if system:
        print_message("start it, now and with the machine: systemctl daemon-reload; systemctl enable --now cascan")
        return
    print_message(
        "start it, now and at each login: systemctl --user daemon-reload; systemctl --user enable --now cascan"
    )
    print_message("keep it up while you are not logged in: loginctl enable-linger")
