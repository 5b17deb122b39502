"""`cascan completion`: print a script with which a shell completes commands and options."""

from __future__ import annotations

from argparse import Namespace

from cascan_cli.parser.build_parser import build_parser


def run(args: Namespace) -> int:
    import shtab  # here, so that a checkout without it has all other commands

    print(shtab.complete(build_parser(), args.shell))
    return 0
