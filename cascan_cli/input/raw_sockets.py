"""Raw sockets on this machine: said before a scan needs them, and not by nmap when it is running."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from cascan.nmap.options.raw_sockets import find_raw_socket_problem
from cascan_cli.errors import BadInput


def explain_missing_raw_sockets(args: Namespace) -> str:
    """One sentence with the command that helps; empty: they are to be had, or a deployed stack is asked."""
    nmap = shutil.which("nmap")
    why = find_raw_socket_problem(str(Path(nmap).resolve())) if nmap and not args.stack else ""
    return f"raw sockets are not to be had on this machine: {why}" if why else ""


def require_raw_sockets(body: str, args: Namespace) -> None:
    """Raises: BadInput: the request needs raw sockets, and the stack on this machine cannot have them."""
    why = explain_missing_raw_sockets(args)
    if why and _needs_raw(body):
        raise BadInput(why)


def _needs_raw(body: str) -> bool:
    from cascan.errors import RequestRefused  # only where raw sockets are not to be had
    from cascan.forms import read_request
    from cascan.nmap.options.arguments import parse_arguments
    from cascan.planning.plan import choose_profile

    try:
        request = read_request(body).request
    except RequestRefused:  # told with its reasons, elsewhere
        return False
    return choose_profile(request, parse_arguments(request.parameters)) == "raw"
