"""`cascan ui`: the console in a browser on this machine."""

from __future__ import annotations

from argparse import Namespace

from cascan_cli.local.state import StateDir
from cascan_cli.output.text import print_message
from cascan_cli.stack.interruption import Interrupted
from cascan_cli.stack.open import open_stack
from cascan_cli.ui.address import choose_address, listen
from cascan_cli.ui.console import Console
from cascan_cli.ui.guard import Role
from cascan_cli.ui.serve import serve


def run(args: Namespace) -> int:
    """Exit code 0 after Ctrl-C: that is how the console ends."""
    address = args.address or choose_address(_name_stack(args))
    with listen(address, args.port) as listener, open_stack(args) as stack:
        console = Console(stack, args, Role(args.role))
        try:
            serve(console, listener, opens_browser=not args.no_browser)
        except Interrupted:
            raise
        except KeyboardInterrupt:
            print_message("the console has ended")
        finally:
            console.readers.close()
    return 0


def _name_stack(args: Namespace) -> str:
    """A name that tells the user's stacks apart."""
    return str(args.stack or StateDir(args.state_dir).root.resolve())
