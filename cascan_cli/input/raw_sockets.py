"""Raw sockets on this machine: if they are missing, scans that need them are refused at once."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan_cli.errors import BadInput


def explain_missing_raw_sockets(args: Namespace) -> str:
    """One sentence with the remedy; empty if they are available, or the stack is deployed."""
    nmap = shutil.which("nmap")
    if nmap is None or args.stack:
        return ""
    reason = find_raw_socket_problem(str(Path(nmap).resolve()))
    return f"raw sockets are not available on this machine: {reason}" if reason else ""


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
