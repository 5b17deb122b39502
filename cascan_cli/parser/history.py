"""Arguments of the commands that look into the past: when, at, history; and options of diff."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING

from cascan_cli.parser.shared_options import SINCE_HELP, add_listing_options

if TYPE_CHECKING:
    from cascan_cli.parser import Commands

WHEN = """\
Show how a port changed: each state, from the first to the last look that saw
it. Without a port, show the host itself and every port that was ever open.
Between the end of one line and the beginning of the next nobody looked: the
port changed somewhere between the two. A host that may move is named by its
MAC address or name, and shown with each address while it was there.

  cascan when 10.0.0.5:22
  cascan when 52:54:00:12:34:56
  cascan when 10.0.0.5:53/udp --since 2026-01-01
  cascan when '[2001:db8::5]:443' --evidence"""
AT = """\
Show what was open at a time, as the newest look before it saw it, and when the
next look was. With ADDRESS:PORT, show the state of that port, whatever it was:
open, closed, filtered, open|filtered, host not up, or not covered.

  cascan at 2026-03-03 --port 6379
  cascan at 2026-03-03 10.0.0.0/16 --port 22 --stale 30d
  cascan at 2026-03-03T12:00Z 10.0.0.5:22"""
REACH = """\
Show from where the ports of a host are reachable: a row for each port, and a
column for each vantage, with the newest look that covered the port from there.
Without --port, show the ports that are open from at least one vantage.

  cascan reach 10.0.0.5
  cascan reach web.example.com --port 443 --port 22
  cascan reach 10.0.0.5:5432 --at 2026-03-03"""
HISTORY = """\
Remove addresses from the history, or make the history of scans that an earlier
version of cascan recorded."""
HISTORY_DELETE = """\
Remove addresses from the history. The inventory, scans and reports stay; if
the table is lost, a rebuild makes the history of stored reports again.

  cascan history delete 10.0.0.5 10.0.7.0/24"""
HISTORY_BACKFILL = """\
Make the history of ended scans from their stored reports: of scans that were
recorded by a version of cascan that kept no history. It may be interrupted and
repeated, and does no harm to scans whose history is there.

  cascan history backfill
  cascan history backfill --since 90d
  cascan history backfill nightly"""
DATE_HELP = "a date means its end; also 2026-03-03T12:00, 2026-03-03T12:00Z, or now"


def add_history_commands(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    _add_when(commands, stack, output)
    _add_at(commands, stack, output)
    _add_reach(commands, stack, output)
    history = commands.add_parser(
        "history",
        formatter_class=RawDescriptionHelpFormatter,
        help="remove addresses from the history, or make it from stored reports",
        description=HISTORY,
    )
    actions = history.add_subparsers(dest="action", metavar="ACTION", required=True)
    delete = actions.add_parser(
        "delete",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="remove addresses from the history",
        description=HISTORY_DELETE,
    )
    delete.add_argument("addresses", nargs="+", metavar="ADDRESS", help="an address, network or range")
    add_vantage(delete)
    delete.set_defaults(run="history")
    backfill = actions.add_parser(
        "backfill",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="make the history of earlier scans from their reports",
        description=HISTORY_BACKFILL,
    )
    backfill.add_argument("scans", nargs="*", metavar="SCAN", help="id, name or latest; default: all that have ended")
    backfill.add_argument("--since", metavar="DATE", help=f"only scans requested at or after this time: {SINCE_HELP}")
    backfill.set_defaults(run="backfill")


def _add_when(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    when = commands.add_parser(
        "when",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show how a port changed over time",
        description=WHEN,
    )
    when.add_argument(
        "endpoint",
        metavar="HOST[:PORT]",
        help="10.0.0.5:22, 10.0.0.5:53/udp, [2001:db8::5]:22; 52:54:00:12:34:56:22, db.example:22",
    )
    when.add_argument("--since", metavar="DATE", help=f"only looks from then on; {DATE_HELP}")
    when.add_argument("--until", default="now", metavar="DATE", help="only looks up to then; default: now")
    add_zone(when)
    add_vantage(when)
    add_evidence(when, "the first look of each line")
    add_listing_options(when)
    when.set_defaults(run="when")


def _add_at(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    at = commands.add_parser(
        "at",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show what was open at a time",
        description=AT,
    )
    at.add_argument("date", metavar="DATE", help=DATE_HELP)
    at.add_argument(
        "addresses",
        nargs="*",
        metavar="ADDRESS",
        help="an address, network or range; or ADDRESS:PORT; default: all",
    )
    add_selection(at)
    add_zone(at)
    add_stale(at)
    add_vantage(at)
    add_evidence(at, "each look")
    add_listing_options(at)
    at.set_defaults(run="at")


def _add_reach(commands: Commands, stack: ArgumentParser, output: ArgumentParser) -> None:
    reach = commands.add_parser(
        "reach",
        parents=[stack, output],
        formatter_class=RawDescriptionHelpFormatter,
        help="show from where the ports of a host are reachable",
        description=REACH,
    )
    reach.add_argument(
        "host", metavar="HOST", help="an address, with or without a port; or a name, for each address that has it"
    )
    reach.add_argument(
        "--port", action="append", default=[], metavar="PORT", help="only this port: 22 or udp/53; may be repeated"
    )
    reach.add_argument("--at", default="now", metavar="DATE", help=f"as it was then; {DATE_HELP}; default: now")
    add_zone(reach)
    add_stale(reach)
    add_listing_options(reach)
    reach.set_defaults(run="reach")


def add_diff_options(diff: ArgumentParser) -> None:
    """The options of `cascan diff --since`."""
    diff.add_argument(
        "--since",
        metavar="DATE",
        help=f"instead of scans, compare what was open then with what is open now; {DATE_HELP}",
    )
    diff.add_argument("--until", default="now", metavar="DATE", help="with --since: compare with then, not with now")
    add_selection(diff)
    add_zone(diff)
    add_stale(diff)
    add_vantage(diff)


def add_selection(command: ArgumentParser) -> None:
    command.add_argument(
        "--port", action="append", default=[], metavar="PORT", help="only this port: 22 or udp/53; may be repeated"
    )
    command.add_argument(
        "--network", action="append", default=[], metavar="NETWORK", help="only this network; may be repeated"
    )


def add_zone(command: ArgumentParser) -> None:
    command.add_argument(
        "--tz", default="UTC", metavar="ZONE", help="the zone of dates, such as Europe/Berlin; default: UTC"
    )


def add_stale(command: ArgumentParser) -> None:
    command.add_argument(
        "--stale",
        metavar="DURATION",
        help="a look that is older then says nothing: 36h, 30d; default: however old it is",
    )


def add_vantage(command: ArgumentParser) -> None:
    command.add_argument("--vantage", metavar="NAME", help="only as seen from this vantage; default: from each")


def add_evidence(command: ArgumentParser, looks: str) -> None:
    command.add_argument(
        "--evidence",
        action="store_true",
        help=f"print what nmap wrote of the host in {looks}, if the report is still there",
    )
