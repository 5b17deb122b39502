"""Options that several commands share, as parents for their parsers."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

POLICY_PROFILES = ["safe", "intrusive", "everything"]  # not imported: the parser is to be there at once


def stack_options() -> ArgumentParser:
    """Which stack."""
    options = ArgumentParser(add_help=False, parents=[local_options()])
    options.add_argument(
        "--stack", metavar="NAME", help="a deployed CloudFormation stack; default: the one on this machine"
    )
    return options


def local_options() -> ArgumentParser:
    """Of the stack on this machine."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--state-dir", type=Path, metavar="DIR", help="what the local stack keeps; default: the XDG state folder"
    )
    return options


def policy_options(holds: str) -> ArgumentParser:
    """What the local stack may scan; `holds` says for how long. A listing has none of these: it changes nothing."""
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--allow",
        action="append",
        metavar="TARGET",
        help=f"network or domain that the local stack may scan beside loopback and private networks; {holds}",
    )
    options.add_argument(
        "--policy-profile",
        choices=POLICY_PROFILES,
        help=f"what scripts and crafted packets may do on the local stack (default: safe); {holds}",
    )
    return options


FOR_THIS_SCAN = "for this scan alone: cascan local up sets it to stay"


def output_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    options.add_argument("--json", action="store_true", help="print JSON")
    return options


def wait_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    options.add_argument(
        "--no-wait", action="store_true", help="print the scan's id and go; the scan runs while the stack is up"
    )
    options.add_argument(
        "--timeout", type=float, default=43_200, metavar="SECONDS", help="how long to wait (default: 12 hours)"
    )
    return options


def request_options() -> ArgumentParser:
    """What a request says beside its targets."""
    options = ArgumentParser(add_help=False)
    options.add_argument("--name", default="", help="the series this scan belongs to; default: from the first target")
    options.add_argument(
        "--exclude", action="append", default=[], metavar="TARGET", help="leave this out; may be repeated"
    )
    options.add_argument(
        "--label", action="append", default=[], metavar="KEY=VALUE", help="label the scan; may be repeated"
    )
    options.add_argument(
        "--type",
        choices=["nmap", "nmap-privileged"],
        help="nmap-privileged has raw sockets; default: what the options need",
    )
    return options
