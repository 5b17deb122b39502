"""Raw sockets on this machine: if they are missing, scans that need them are refused at once.

A stack that stays up may have other privileges than the command: systemd gives them to its unit, or
takes them away.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from cascan.nmap.options.raw_sockets import ProcessPrivileges, find_raw_socket_problem
from cascan_cli.errors import BadInput
from cascan_cli.local.state import StateDir


def explain_missing_raw_sockets(args: Namespace) -> str:
    """One sentence with the remedy; empty if they are available, or the stack is deployed."""
    nmap = shutil.which("nmap")
    if nmap is None or args.stack:
        return ""
    privileges = _read_privileges(args.state_dir)
    reason = find_raw_socket_problem(str(Path(nmap).resolve()), process=privileges)
    return f"raw sockets are not available on this machine: {reason}" if reason else ""


def _read_privileges(state_dir: Path | None) -> ProcessPrivileges | None:
    """Those of the stack that is up. None: there is none, and the command's own count."""
    state = StateDir(state_dir)
    if state.running() is None:
        return None
    from cascan_cli.local.attach import find_supervisor  # imports sockets, which `cascan check` rarely needs

    running = find_supervisor(state)
    if running is None:  # it was killed
        return None
    try:
        return ProcessPrivileges.of(Path(f"/proc/{running.pid}/status").read_text())
    except (OSError, KeyError, ValueError):
        return None


def require_raw_sockets(body: str, args: Namespace) -> None:
    """Raises: BadInput: the request needs raw sockets, and the local stack cannot open them."""
    problem = explain_missing_raw_sockets(args)
    if problem and _needs_raw(body):
        raise BadInput(problem)


def _needs_raw(body: str) -> bool:
    from cascan.errors import RequestRefused  # imported here: most machines have raw sockets
    from cascan.forms import read_request
    from cascan.nmap.options.arguments import parse_arguments
    from cascan.planning.lane import choose_profile

    try:
        request = read_request(body).request
    except RequestRefused:  # reported elsewhere, with its reasons
        return False
    return choose_profile(request, parse_arguments(request.parameters)) == "raw"
