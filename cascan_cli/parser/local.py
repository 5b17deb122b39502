"""Arguments of `cascan local`: the stack on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cascan_cli.parser import add_command, sentence
from cascan_cli.parser.shared_options import local_options, policy_options

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from cascan_cli.parser import Commands


def add_local_command(commands: Commands, output: ArgumentParser) -> None:
    text = "start, stop and inspect the stack on this machine"
    details = (
        "While none is running, each command that needs one starts a stack, which ends a minute after the "
        "last command. CASCAN_LOCAL_KEEP=SECONDS in the environment changes that time; with 0 a stack ends "
        "with its command."
    )
    local = commands.add_parser("local", help=text, description=f"{sentence(text)} {details}")
    actions = local.add_subparsers(dest="action", metavar="ACTION", required=True)
    local.set_defaults(run="local", stack=None)
    _add_up(actions, output)
    for name, text in (
        ("down", "stop the stack and keep its data"),
        ("status", "print whether the stack runs, where, until when, and what is deployed"),
    ):
        add_command(actions, name, [local_options(), output], text)
    _add_unit(actions)


def _add_up(actions: Commands, output: ArgumentParser) -> None:
    policy = policy_options("stays in force until another `local up` changes it")
    text = "start the stack, and keep it running until `local down`"
    up = add_command(actions, "up", [local_options(), output, policy], text)
    up.add_argument(
        "--default-policy",
        action="store_true",
        help="discard --allow and --policy-profile of earlier `local up` calls",
    )
    up.add_argument(
        "--foreground",
        action="store_true",
        help="hold the stack in this process, until Ctrl-C or `local down`; for service managers and containers",
    )


def _add_unit(actions: Commands) -> None:
    unit = actions.add_parser(
        "unit",
        parents=[local_options()],
        help="print or install a systemd unit that keeps the stack up",
        description="Print a systemd unit that keeps the stack up, so that schedules run. As a unit of yours it runs "
        "without privileges, and without raw scans; with --system it starts with the machine and has nmap's two "
        "capabilities. docs/local-stack.md describes both.",
    )
    unit.add_argument(
        "--install", action="store_true", help="write it where systemd looks, and print how it is started"
    )
    unit.add_argument("--system", action="store_true", help="a unit of the machine; --install then needs root")
    unit.add_argument(
        "--run-as",
        default="",
        metavar="NAME",
        help="with --system: the user who runs the stack (default: you); root is refused",
    )
    unit.set_defaults(run="local_unit")
