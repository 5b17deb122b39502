"""Arguments of `cascan severity`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import add_command

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
Rules that change the severity of findings, suppress them, or accept them until
a date. They apply to the findings of all reports that are stored from then on.
Suppressed and accepted findings are kept.

  cascan severity test -f rules.yaml --findings f.json   try the rules
  cascan severity apply -f rules.yaml                    put them in force
  cascan severity show                                   print those in force

  rules:
    - name: telnet
      matches: {anyOf: [{category: Open Port, attributes: {port: 23}}]}
      override: {severity: HIGH}
    - matches: {anyOf: [{location: "tcp://printer-*"}]}
      accept: {until: 2027-03-31, reason: replaced in spring}
    - matches: {anyOf: [{location: "tcp://honeypot.example:*"}]}
      suppress: a honeypot of ours"""


def add_severity_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    severity = commands.add_parser(
        "severity",
        help="apply, show and test rules for the severity of findings",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = severity.add_subparsers(dest="action", metavar="ACTION", required=True)
    apply = add_command(actions, "apply", [stack, output], "replace the stack's severity rules by a file")
    apply.add_argument(
        "-f",
        "--file",
        required=True,
        metavar="FILE",
        help="file with the rules; - reads standard input",
    )
    add_command(actions, "show", [stack, output], "print the stack's severity rules")
    test = add_command(actions, "test", [output], "show what rules would change, without a stack")
    test.add_argument(
        "-f",
        "--file",
        required=True,
        metavar="FILE",
        help="file with the rules; - reads standard input",
    )
    test.add_argument(
        "--findings",
        required=True,
        metavar="FILE",
        help="findings from `cascan findings --json`, `cascan read` or secureCodeBox",
    )
    severity.set_defaults(run="severity")
