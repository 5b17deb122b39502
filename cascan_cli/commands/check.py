"""`cascan check`: what would become of a request, and why. Nothing is scanned and no stack is started."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from cascan.cascades.rule import KIND as RULE_KIND
from cascan.cascades.rule import read_rule
from cascan.clock import utc_now
from cascan.errors import RequestRefused
from cascan.forms import read_request
from cascan.forms.documents import read_documents
from cascan.model.policy_profile import PolicyProfile
from cascan.model.shard import Lane
from cascan.nmap.scripts import ScriptVerdict, Verdict
from cascan.planning.explain import Explanation, TargetVerdict, explain
from cascan.schedules.due import build_run_request
from cascan.schedules.form import KIND as SCHEDULE_KIND
from cascan.schedules.form import read_schedule
from cascan_cli.commands.scan import build_request
from cascan_cli.commands.submit import read_body, vuls_bodies
from cascan_cli.errors import EXIT_REFUSED, BadInput
from cascan_cli.input.raw_sockets import explain_missing_raw_sockets
from cascan_cli.input.request_files import split_requests
from cascan_cli.output.table import print_table
from cascan_cli.output.text import pluralize, print_json, print_message, printable
from cascan_cli.stack.permissions import read_permissions, read_scan_defaults

MAX_HARMLESS_SHOWN = 8  # scripts of one verdict, each in a row of its own
HARMLESS = {
    Verdict.ALLOWED: "each asks the target alone",
    Verdict.WITH_VERSIONS: "nmap adds them to version detection",
}


def run(args: Namespace) -> int:
    """0: it would be accepted. 2: refused."""
    if args.vuls and not (args.file or args.nmap_arguments):
        return _run_vuls(args)
    if args.vuls or bool(args.file) == bool(args.targets or args.nmap_arguments):
        raise BadInput("name targets, or a file with -f; one of both")
    if not args.file:
        return _tell(explain_request(json.dumps(build_request(args)), args), args)
    bodies = split_requests(args.file, read_body(args.file))
    if len(bodies) == 1:
        return _tell(explain_manifest(bodies[0], args), args)
    explained = {f"document {number}": explain_manifest(body, args) for number, body in enumerate(bodies, start=1)}
    return _tell_several(explained, "documents", args)


def _tell(explained: Explanation, args: Namespace) -> int:
    if args.json:
        print_json(explained)
    else:
        _print(explained, verbose=args.verbose)
    return 0 if explained.accepted else EXIT_REFUSED


def _run_vuls(args: Namespace) -> int:
    try:
        bodies = vuls_bodies(args.vuls, args.targets)
    except RequestRefused as refused:
        return _tell(Explanation(accepted=False, refusals=refused.refusals), args)
    servers = {server: explain_request(body, args) for server, body in bodies.items()}
    if args.json:
        return _tell_several(servers, "servers", args)
    return _tell_several({f"server {server}": explained for server, explained in servers.items()}, "servers", args)


def _tell_several(parts: dict[str, Explanation], name: str, args: Namespace) -> int:
    """Each under its heading; as JSON with their sums, below `name`."""
    accepted = all(explained.accepted for explained in parts.values())
    if args.json:
        print_json(
            {
                "accepted": accepted,
                "addresses": sum(explained.addresses or 0 for explained in parts.values()),
                "shards": sum(explained.shards for explained in parts.values()),
                "refusals": [refusal for explained in parts.values() for refusal in explained.refusals],
                name: parts,
            }
        )
    else:
        for heading, explained in parts.items():
            print(printable(heading))
            _print(explained, verbose=args.verbose)
    return 0 if accepted else EXIT_REFUSED


def explain_manifest(body: str, args: Namespace) -> Explanation:
    """Also of a rule, and of a schedule by the scans that it asks for: what `cascan apply` stores."""
    try:
        (document,) = read_documents(body)
    except (RequestRefused, ValueError):
        return explain_request(body, args)
    try:
        if document.get("kind") == RULE_KIND:
            rule = read_rule(document)
            stored = f"the rule {rule.name} would be stored by cascan apply; cascan rules test says what it starts"
            return Explanation(accepted=True, notes=(*rule.notes, stored))
        if document.get("kind") == SCHEDULE_KIND:
            schedule = read_schedule(document)
            explained = explain_request(json.dumps(build_run_request(schedule, utc_now())), args, is_issued=True)
            stored = f"this is what the schedule {schedule.name} would ask for; cascan apply stores it"
            return replace(explained, notes=(*dict.fromkeys((*schedule.notes, *explained.notes)), stored))
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    return explain_request(body, args)


def explain_request(body: str, args: Namespace, *, is_issued: bool = False) -> Explanation:
    try:
        read = read_request(body, is_issued=is_issued)
    except RequestRefused as refused:
        return Explanation(accepted=False, refusals=refused.refusals)
    explained = explain(read.request, read_permissions(args), read_scan_defaults(args))
    here = explain_missing_raw_sockets(args) if explained.lane == Lane.RAW else ""
    return replace(explained, notes=(*read.notes, *explained.notes, *([here] if here else [])))


def _print(explained: Explanation, *, verbose: bool) -> None:
    print_table(
        ("OPTION", "DECISION", "REASON"),
        ((f"option {one.written}", one.decision, one.reason) for one in explained.options),
    )
    rows = map(_script_row, explained.scripts) if verbose else _grouped_script_rows(explained.scripts)
    print_table(("SCRIPT", "VERDICT", "REASON"), rows)
    print_table(
        ("TARGET", "VERDICT", "REASON"),
        ((f"target {one.target}", *_verdict(one)) for one in explained.targets),
    )
    for note in explained.notes:
        print_message(f"note: {note}")
    for refusal in explained.refusals:
        print_message(f"refused ({refusal.rule}): {refusal.reason}")
    if explained.accepted and not explained.argv:
        print("accepted")
    elif explained.accepted:
        addresses = pluralize(explained.addresses or 0, "address", "addresses")
        print(f"accepted: {addresses}, {pluralize(explained.shards, 'shard')}, {explained.lane} lane")
        print(printable(shlex.join(explained.argv)))


def _verdict(target: TargetVerdict) -> tuple[str, str]:
    if target.refusal:
        return "outside", target.refusal
    return ("by name", target.note) if target.note else ("inside", "in the scope")


def _script_row(script: ScriptVerdict) -> tuple[str, str, str]:
    asks_target = "it asks the target alone"
    why = f"policy profile {script.profile} allows it: it {script.reason}" if script.reason else asks_target
    return f"script {script.script}", script.verdict, why


def _grouped_script_rows(scripts: Sequence[ScriptVerdict]) -> Iterator[tuple[str, str, str]]:
    """A row for each script; where many of one kind may do no harm, one row for all of them."""
    kinds = Counter(script.verdict for script in scripts if _is_harmless(script))
    grouped = {verdict for verdict, count in kinds.items() if count > MAX_HARMLESS_SHOWN}
    for script in scripts:
        if not (_is_harmless(script) and script.verdict in grouped):
            yield _script_row(script)
    for verdict in sorted(grouped):
        yield f"{kinds[verdict]} scripts", verdict, f"{HARMLESS[verdict]}; --verbose names each"


def _is_harmless(script: ScriptVerdict) -> bool:
    return script.verdict in HARMLESS and script.profile is PolicyProfile.SAFE and not script.reason
