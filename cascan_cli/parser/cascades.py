"""Arguments of the commands for cascades: apply, rules, tree."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP, add_command, sentence
from cascan_cli.parser.shared_options import add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

RAW = RawDescriptionHelpFormatter


def add_cascade_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    """`stack` and `output` are parent parsers with options that other commands have too."""
    apply = commands.add_parser(
        "apply",
        parents=[stack, output],
        formatter_class=RAW,
        help="apply manifests: cascading rules, scheduled scans, scans",
        description="Apply secureCodeBox manifests. A CascadingRule is stored as a new version of\n"
        "the rule. A ScheduledScan is stored and starts scans from then on. A Scan is\n"
        "submitted. All manifests are checked before the first one is applied.\n\n"
        "exit codes: 0 all applied; 2 at least one is refused, and none was applied",
    )
    apply.add_argument(
        "-f",
        "--file",
        required=True,
        action="append",
        metavar="FILE",
        help="YAML or JSON file, or a folder with .yaml, .yml and .json files; - reads standard input",
    )
    apply.set_defaults(run="apply")
    _add_rules(commands, stack, output)

    tree = commands.add_parser(
        "tree",
        parents=[stack, output],
        help="print the scans that followed a scan",
        description="Print the cascade of a scan: each child with its state and counts, and what was "
        "refused or capped.",
    )
    tree.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    tree.set_defaults(run="tree")


def _add_rules(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    text = "list, show, test and delete cascading rules"
    rules = commands.add_parser(
        "rules",
        help=text,
        description=f"{sentence(text)} `cascan apply` stores rules from CascadingRule manifests.",
    )
    actions = rules.add_subparsers(dest="action", metavar="ACTION", required=True)
    add_listing_options(add_command(actions, "list", [stack, output], "list stored and bundled rules"))
    for name, text in (("show", "print a rule as a manifest"), ("delete", "delete a stored rule")):
        action = add_command(actions, name, [stack, output], text)
        action.add_argument("rule", metavar="RULE", help="name of the rule")
        if name == "show":
            action.add_argument(
                "--version",
                type=int,
                default=0,
                metavar="N",
                help="print this earlier version",
            )
    _add_rules_test(actions, stack, output)
    rules.set_defaults(run="rules")


def _add_rules_test(actions: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    test = actions.add_parser(
        "test",
        parents=[stack, output],
        usage="cascan rules test RULE... --scan SCAN\n"
        "       cascan rules test -f FILE --scan-file FILE --findings FILE",
        help="show what rules would start, without starting it",
        description="Match rules against the findings of a scan on the stack, or against findings in "
        "files, without starting anything. Prints which scans would start, and which are "
        "duplicates, out of scope, over budget or refused, each with its reason. --json "
        "includes the child scans as secureCodeBox manifests.",
    )
    test.add_argument(
        "rules",
        nargs="*",
        metavar="RULE",
        help="stored or bundled rules; default: all",
    )
    test.add_argument(
        "-f",
        "--file",
        action="append",
        metavar="FILE",
        help="rules from this file or folder; - reads standard input",
    )
    test.add_argument("--scan", metavar="SCAN", help=SCAN_HELP)
    test.add_argument(
        "--scan-file",
        metavar="FILE",
        help="the scan: a request as for `cascan submit`, or a Scan manifest",
    )
    test.add_argument(
        "--findings",
        metavar="FILE",
        help="its findings: a JSON array, or one finding per line as `cascan read` prints",
    )
    test.add_argument(
        "--deny",
        action="append",
        metavar="TARGET",
        help="a network or domain that must not be scanned",
    )
