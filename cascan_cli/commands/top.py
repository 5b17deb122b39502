"""`cascan top`: the live view of a stack in a terminal."""

from __future__ import annotations

import sys
from argparse import Namespace
from importlib.util import find_spec

from cascan_cli.errors import BadInput, CliError
from cascan_cli.stack.open import open_stack

NOT_INSTALLED = "Textual is not installed: pip install 'cascan[top]' (pipx: pipx inject cascan textual)"


def run(args: Namespace) -> int:
    """Raises: CliError: Textual is not installed. BadInput: there is no terminal."""
    if find_spec("textual") is None:
        raise CliError(NOT_INSTALLED)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise BadInput("cascan top needs a terminal; in a pipe: cascan watch, or cascan scans --json")
    from cascan_cli.top.app import TopApp
    from cascan_cli.top.read import StackReader

    with open_stack(args) as stack:
        app = TopApp(StackReader(stack))
        app.run()
    return app.return_code or 0
