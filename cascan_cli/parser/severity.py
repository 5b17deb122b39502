"""The words of `cascan severity`."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser import sentence

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

DESCRIPTION = """\
An operator's rules on findings: another severity, suppressed, or accepted
until a date with a reason. They are applied to the findings of every report
that is stored from then on; nothing is dropped.

  cascan severity test -f rules.yaml --findings f.json   what they would do
  cascan severity apply -f rules.yaml                    the stack's, from now
  cascan severity show                                   the file as applied

  rules:
    - name: telnet
      matches: {anyOf: [{category: Open Port, attributes: {port: 23}}]}
      override: {severity: HIGH}
    - matches: {anyOf: [{location: "tcp://printer-*"}]}
      accept: {until: 2027-03-31, reason: replaced in spring}
    - matches: {anyOf: [{location: "tcp://honeypot.example:*"}]}
      suppress: a honeypot of ours"""


def add_severity_commands(commands: Commands, where: ArgumentParser, output: ArgumentParser) -> None:
    severity = commands.add_parser(
        "severity",
        help="rules on the severity of findings: apply, show, test",
        formatter_class=RawDescriptionHelpFormatter,
        description=DESCRIPTION,
    )
    actions = severity.add_subparsers(dest="action", metavar="ACTION", required=True)
    text = "check a file and make it the stack's rules"
    apply = actions.add_parser("apply", parents=[where, output], help=text, description=sentence(text))
    apply.add_argument("-f", "--file", required=True, metavar="FILE", help="the rules; - reads standard input")
    text = "print the stack's rules"
    actions.add_parser("show", parents=[where, output], help=text, description=sentence(text))
    text = "say what a file would make of findings; no stack needed"
    test = actions.add_parser("test", parents=[output], help=text, description=sentence(text))
    test.add_argument("-f", "--file", required=True, metavar="FILE", help="the rules; - reads standard input")
    test.add_argument(
        "--findings",
        required=True,
        metavar="FILE",
        help="findings, as `cascan findings --json` or `cascan read` print them, or secureCodeBox's",
    )
    severity.set_defaults(run="severity")
