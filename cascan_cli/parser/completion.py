"""Arguments of `cascan completion`."""

from __future__ import annotations

from argparse import RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

SHELLS = ["bash", "zsh", "fish"]
COMPLETION = """\
Print a script with which the shell completes the commands, options and choices
of cascan. Put it where the shell looks for such scripts, and open a new shell:

  cascan completion bash > ~/.local/share/bash-completion/completions/cascan
  cascan completion zsh > ~/.zfunc/_cascan    (a folder of $fpath)
  cascan completion fish > ~/.config/fish/completions/cascan.fish"""


def add_completion_command(commands: Commands) -> None:
    completion = commands.add_parser(
        "completion",
        formatter_class=RawDescriptionHelpFormatter,
        help="print a completion script for bash, zsh or fish",
        description=COMPLETION,
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    completion.set_defaults(run="completion")
