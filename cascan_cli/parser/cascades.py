"""The words of the commands about what follows a scan: apply, rules, tree."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import SCAN_HELP, sentence

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

RAW = RawDescriptionHelpFormatter


def add_cascade_commands(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    """`where` and `output` are the parents with the options these share with other commands."""
    apply = commands.add_parser(
        "apply",
        parents=[where, output],
        formatter_class=RAW,
        help="store manifests: cascading rules, scheduled scans; a Scan is submitted",
        description="Apply secureCodeBox manifests: a CascadingRule is stored as the rule's next\n"
        "version, a ScheduledScan is stored and starts scans from then on, a Scan is\nsubmitted. "
        "Every manifest is checked before the first is applied.\n\n"
        "exit codes: 0 all are applied; 2 one is refused, and none was applied",
    )
    apply.add_argument(
        "-f",
        "--file",
        required=True,
        action="append",
        metavar="FILE",
        help="manifests, YAML or JSON; a folder: every .yaml, .yml and .json in it; - reads standard input",
    )
    apply.set_defaults(run="apply")
    _add_rules(commands, where, output)

    tree = commands.add_parser(
        "tree",
        parents=[where, output],
        help="print the scans that followed a scan, and why there are no more",
        description="Print a scan's cascade: each child with its state and counts, and what was refused or capped.",
    )
    tree.add_argument("scan", metavar="SCAN", help=SCAN_HELP)
    tree.set_defaults(run="tree")


def _add_rules(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    text = "list, show, test and delete cascading rules"
    rules = commands.add_parser(
        "rules", help=text, description=f"{sentence(text)} `cascan apply` stores them from CascadingRule manifests."
    )
    actions = rules.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "list the rules, stored and bundled"
    actions.add_parser("list", parents=[where, output], help=text, description=sentence(text))
    for name, text in (("show", "print a rule as a manifest"), ("delete", "delete a stored rule")):
        action = actions.add_parser(name, parents=[where, output], help=text, description=sentence(text))
        action.add_argument("rule", metavar="RULE", help="its name")
        if name == "show":
            action.add_argument("--version", type=int, default=0, metavar="N", help="an earlier version of it")
    test = actions.add_parser(
        "test",
        parents=[where, output],
        usage="cascan rules test RULE... --scan SCAN\n"
        "       cascan rules test -f FILE --scan-file FILE --findings FILE",
        help="say what rules would start, and why not more; starts nothing",
        description="Decide about a scan's findings without starting anything: on the findings of a scan that the "
        "stack has, or from files alone. Prints what would start, what is a duplicate, out of scope, over budget or "
        "refused, each with its reason; with --json the child scans as secureCodeBox manifests.",
    )
    test.add_argument("rules", nargs="*", metavar="RULE", help="stored or bundled rules; none: all of them")
    test.add_argument("-f", "--file", action="append", metavar="FILE", help="rules from files, folders or -")
    test.add_argument("--scan", metavar="SCAN", help=SCAN_HELP)
    test.add_argument("--scan-file", metavar="FILE", help="the scan: a request as for submit, or a Scan manifest")
    test.add_argument(
        "--findings", metavar="FILE", help="its findings: a JSON array, or one a line, as `cascan read` prints"
    )
    test.add_argument("--deny", action="append", metavar="TARGET", help="network or domain that may not be scanned")
    rules.set_defaults(run="rules")
